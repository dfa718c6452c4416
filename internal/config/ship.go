package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"

	"batuta"
	"batuta/internal/document"
)

func (k check) ships() {
	if len(k.c.Ships) == 0 {
		k.d.Problem(document.Path{"ships"}, "the server has no ships", "declare at least one: ships: {node1: {endpoint: unix:///var/run/docker.sock}}")
	}
	for _, name := range slices.Sorted(maps.Keys(k.c.Ships)) {
		at, s := document.Path{"ships", string(name)}, k.c.Ships[name]
		k.try(at, batuta.CheckName(string(name)))
		k.endpoint(at.At("endpoint"), s.Endpoint, "unix", "tcp", "ssh")
		k.way(at, s)
		if strings.ContainsAny(s.Address, "/ ") {
			k.d.Problem(at.At("address"), fmt.Sprintf("%q is not a host", s.Address), "write a host name or an IP address, without a port")
		}
	}
}

// way checks how a ship is reached, beside its endpoint.
func (k check) way(at document.Path, s Ship) {
	u, err := url.Parse(s.Endpoint)
	if err != nil {
		return // it was reported
	}
	if _, secret := u.User.Password(); secret {
		k.d.Problem(at.At("endpoint"), "a ship is not reached with a password", "name a key as ssh: {key: …}")
	}
	if t := s.TLS; t != nil && u.Scheme != "tcp" {
		k.d.Problem(at.At("tls"), "only a tcp endpoint has TLS", "remove it, or write tcp://host:2376")
	} else if t != nil && (t.Cert == "") != (t.Key == "") {
		k.d.Problem(at.At("tls"), "cert and key belong together", "write both or neither")
	}
	k.login(at.At("ssh"), u, s.SSH)
	for _, f := range s.files() {
		if *f.path == "" {
			continue
		}
		switch info, err := os.Stat(*f.path); {
		case errors.Is(err, fs.ErrNotExist):
			k.d.Problem(at.At(f.keys...), "no file "+*f.path, "a path is relative to the directory of this file")
		case err != nil:
			k.d.Problem(at.At(f.keys...), reason(err).Error(), "")
		case !info.Mode().IsRegular():
			k.d.Problem(at.At(f.keys...), *f.path+" is not a file", "")
		}
	}
}

func (k check) login(at document.Path, u *url.URL, s *SSH) {
	switch {
	case s == nil:
	case u.Scheme == "ssh" && (s.Host != "" || s.Port != 0):
		k.d.Problem(at, "an ssh endpoint says itself which host and port it is", "remove host and port")
	case u.Scheme == "ssh" && s.User != "" && u.User.Username() != "":
		k.d.Problem(at.At("user"), "the endpoint names the user already", "keep one of the two")
	case u.Scheme == "unix" && s.Host == "":
		k.d.Problem(at, "it does not say where to log in", "add host, or write the endpoint ssh://user@host"+u.Path)
	case strings.ContainsAny(s.Host, "/@ "):
		k.d.Problem(at.At("host"), fmt.Sprintf("%q is not a host", s.Host), "write a host name or an IP address")
	case s.Port < 0 || s.Port > 65535:
		k.d.Problem(at.At("port"), fmt.Sprintf("%d is not a port", s.Port), "write 1 to 65535; ssh's is 22")
	}
}
