# What the official php:*-apache images have beside Debian's packages.
set -e
cat >"$1/usr/local/bin/apache2-foreground" <<'END'
#!/bin/sh
set -e
. /etc/apache2/envvars
mkdir -p "$APACHE_RUN_DIR" "$APACHE_LOCK_DIR"
rm -f "$APACHE_PID_FILE"
exec apache2 -D FOREGROUND "$@"
END
# Debian's extensions are compiled already: what is asked for must be there.
cat >"$1/usr/local/bin/docker-php-ext-install" <<'END'
#!/bin/sh
for name; do
	php -m | grep -qix -e "$name" -e "zend $name" || { echo "there is no extension $name" >&2; exit 1; }
done
END
chmod 755 "$1/usr/local/bin/apache2-foreground" "$1/usr/local/bin/docker-php-ext-install"
rm -f "$1/var/www/html/index.html"
ln -sf /dev/stdout "$1/var/log/apache2/access.log"
ln -sf /dev/stdout "$1/var/log/apache2/other_vhosts_access.log"
ln -sf /dev/stderr "$1/var/log/apache2/error.log"
echo 'ServerName localhost' >"$1/etc/apache2/conf-enabled/server-name.conf"
printf '<Directory /var/www/>\n\tAllowOverride All\n</Directory>\n' >"$1/etc/apache2/conf-enabled/docker-php.conf"
