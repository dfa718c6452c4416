package maestro

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"batuta/deployer"
)

// ship is one entry of ships, with the defaults applied.
type ship struct {
	ip       string
	endpoint string // of the Engine
	reach    deployer.Reach
}

func (s ship) reachable(name string) deployer.DocumentShip {
	return deployer.DocumentShip{Name: shipName(name), Address: s.ip, Endpoint: s.endpoint, Reach: s.reach}
}

// MaestroNG's own defaults.
const (
	dockerPort    = 2375
	dockerTLSPort = 2376
	shipTimeout   = 5 * time.Second
	sshPort       = 22
)

var (
	shipKeys     = []string{"ip", "endpoint", "docker_port", "socket_path", "api_version", "timeout", "ssh_tunnel", "tls", "tls_verify", "tls_cert", "tls_key", "tls_ca_cert", "ssl_version"}
	defaultsKeys = shipKeys[2:]
	shipHints    = map[string]string{
		"docker_endpoint": "it was removed in MaestroNG 0.2.0; write endpoint:",
		"ssh_timeout":     "MaestroNG's page names it, its code does not know it",
	}
)

func (r *reader) ships(v, defaults *value) map[string]ship {
	if r.dict(defaults) {
		r.known(defaults, defaultsKeys, map[string]string{"ip": "each ship has its own", "endpoint": "each ship has its own", "ssh_timeout": shipHints["ssh_timeout"]})
	} else {
		defaults = nil
	}
	out := map[string]ship{}
	r.each(v, func(name string, key, w *value) {
		r.name(key, name)
		if w.isNull() {
			r.problem(key, "the ship has no ip", "write {ip: ADDRESS}")
		} else if r.dict(w) {
			r.known(w, shipKeys, shipHints)
			out[name] = r.ship(shipReader{w, defaults})
		}
	})
	return out
}

// shipReader looks a ship's key up in the ship, then in the defaults.
type shipReader struct{ own, defaults *value }

func (s shipReader) get(key string) *value {
	if v := s.own.get(key); v != nil {
		return v
	}
	return s.defaults.get(key)
}

func (r *reader) ship(s shipReader) ship {
	out := ship{ip: r.needed(s.own, "ip", "write ip: and the address at which its containers' ports answer")}
	host := r.text(s.own.get("endpoint"))
	if host == "" {
		host = out.ip
	}
	if v := s.get("api_version"); v != nil && v.kind == float && v.str != v.written {
		r.warn(v, fmt.Sprintf("MaestroNG reads %s as %s", v.written, v.str), fmt.Sprintf("write %q, or leave it out: Batuta speaks each Engine's own version", v.written))
	}
	if out.reach.Timeout = r.seconds(s.get("timeout"), shipTimeout); out.reach.Timeout == 0 {
		out.reach.Timeout = shipTimeout
	}
	port := int64(dockerPort)
	if out.reach.TLS = r.tls(s); r.flag(s.get("tls")) {
		port = dockerTLSPort
	}
	port = r.number(s.get("docker_port"), 1, 65535, port)
	out.endpoint = "tcp://" + net.JoinHostPort(host, strconv.FormatInt(port, 10))
	tunnel := s.get("ssh_tunnel")
	switch socket := r.located(s.get("socket_path")); {
	case r.dict(tunnel) && len(tunnel.items) > 0:
		out.reach.SSH = r.tunnel(tunnel, host)
		out.endpoint = "tcp://" + net.JoinHostPort("127.0.0.1", strconv.FormatInt(port, 10))
		if out.reach.TLS != nil {
			out.reach.TLS.ServerName = host
		}
	case socket != "":
		out.endpoint = "unix://" + socket
		out.reach.TLS = nil
	}
	return out
}

// tls is how an Engine with certificates is spoken to; nil for one without.
func (r *reader) tls(s shipReader) *deployer.TLS {
	verify := r.flag(s.get("tls_verify"))
	if !r.flag(s.get("tls")) {
		if verify {
			return &deployer.TLS{} // https, and no certificate of ours
		}
		return nil
	}
	return &deployer.TLS{
		CA: r.located(s.get("tls_ca_cert")), Cert: r.located(s.get("tls_cert")), Key: r.located(s.get("tls_key")),
		Insecure: !verify,
	}
}

func (r *reader) tunnel(v *value, host string) *deployer.SSH {
	r.known(v, []string{"user", "key", "port"}, nil)
	_ = r.needed(v, "key", "write key: and the private key's file")
	return &deployer.SSH{
		Host: host, Port: int(r.number(v.get("port"), 1, 65535, sshPort)),
		User: r.needed(v, "user", "write user: and the login's name"),
		Key:  r.located(v.get("key")),
	}
}

// located is a file where the document is used. MaestroNG takes it from the
// current directory.
func (r *reader) located(v *value) string {
	name := r.text(v)
	if abs, err := filepath.Abs(name); err == nil && name != "" && r.options.Dir != "" {
		return abs
	}
	return name
}
