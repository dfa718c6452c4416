# The official image's user and entrypoint: an empty data directory is
# initialised from MARIADB_ROOT_PASSWORD, MARIADB_DATABASE, MARIADB_USER and
# MARIADB_PASSWORD, and the server listens only when that is done.
set -e
echo 'mysql:x:999:999::/var/lib/mysql:/usr/sbin/nologin' >>"$1/etc/passwd"
echo 'mysql:x:999:' >>"$1/etc/group"
mkdir -p "$1/var/lib/mysql"
chown 999:999 "$1/var/lib/mysql"
cat >"$1/usr/local/bin/docker-entrypoint.sh" <<'END'
#!/bin/sh
set -eu
data=/var/lib/mysql
install -d -o 999 -g 999 /run/mysqld
if [ "${1:-}" = mariadbd ] && [ ! -e "$data/.initialised" ]; then
	root=${MARIADB_ROOT_PASSWORD:?is needed to initialise the database}
	quoted() { printf '%s' "$1" | sed "s/[\\\\']/\\\\&/g"; }
	chown 999:999 "$data"
	mariadb-install-db --no-defaults --user=mysql --datadir="$data" --skip-test-db --auth-root-authentication-method=normal
	{
		echo "FLUSH PRIVILEGES;"
		echo "CREATE USER IF NOT EXISTS root@'%';"
		for host in localhost %; do # bootstrap takes a statement a line
			echo "ALTER USER root@'$host' IDENTIFIED BY '$(quoted "$root")';"
			echo "GRANT ALL ON *.* TO root@'$host' WITH GRANT OPTION;"
		done
		[ -z "${MARIADB_DATABASE:-}" ] || echo "CREATE DATABASE IF NOT EXISTS \`$MARIADB_DATABASE\`;"
		if [ -n "${MARIADB_USER:-}" ]; then
			echo "CREATE USER IF NOT EXISTS '$(quoted "$MARIADB_USER")'@'%' IDENTIFIED BY '$(quoted "${MARIADB_PASSWORD:?}")';"
			[ -z "${MARIADB_DATABASE:-}" ] || echo "GRANT ALL ON \`$MARIADB_DATABASE\`.* TO '$(quoted "$MARIADB_USER")'@'%';"
		fi
	} | mariadbd --no-defaults --bootstrap --user=mysql --datadir="$data"
	touch "$data/.initialised"
fi
exec "$@"
END
chmod 755 "$1/usr/local/bin/docker-entrypoint.sh"
