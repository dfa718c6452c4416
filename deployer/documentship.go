package deployer

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"batuta"
	"batuta/internal/document"
)

// DocumentShip is a ship that a document declares itself, for use without a
// server.
type DocumentShip struct {
	Name     batuta.ShipName
	Address  string // where its published ports answer
	Endpoint string // of its Docker Engine: unix:///…, tcp://…, ssh://user@host
	Labels   map[string]string
	Reach    Reach
}

// Ships lists the document's own ships, sorted by name.
func (d *Document) Ships() []DocumentShip {
	var ships []DocumentShip
	for _, name := range slices.Sorted(maps.Keys(d.body.Ships)) {
		s := d.body.Ships[name]
		ships = append(ships, DocumentShip{Name: name, Address: s.Address, Endpoint: s.Endpoint, Labels: s.Labels, Reach: s.reach()})
	}
	return ships
}

// ship is an entry of ships.
type ship struct {
	Address  string            `yaml:"address"`
	Endpoint string            `yaml:"endpoint"`
	Labels   map[string]string `yaml:"labels"`
	TLS      *shipTLS          `yaml:"tls"`
	SSH      *shipSSH          `yaml:"ssh"`
	Timeout  time.Duration     `yaml:"timeout"`
}

type shipTLS struct {
	CA         string `yaml:"ca"`
	Cert       string `yaml:"cert"`
	Key        string `yaml:"key"`
	ServerName string `yaml:"server_name"`
	Insecure   bool   `yaml:"insecure"`
}

type shipSSH struct {
	Host       string `yaml:"host"`
	Port       int    `yaml:"port"`
	User       string `yaml:"user"`
	Key        string `yaml:"key"`
	KnownHosts string `yaml:"known_hosts"`
}

func (s ship) reach() Reach {
	r := Reach{Timeout: s.Timeout}
	if t := s.TLS; t != nil {
		r.TLS = &TLS{CA: t.CA, Cert: t.Cert, Key: t.Key, ServerName: t.ServerName, Insecure: t.Insecure}
	}
	if t := s.SSH; t != nil {
		r.SSH = &SSH{Host: t.Host, Port: t.Port, User: t.User, Key: t.Key, KnownHosts: t.KnownHosts}
	}
	return r
}

// ships reports what is wrong with the document's own ships.
func (v validator) ships() {
	for name, s := range v.body.Ships {
		at := document.Path{"ships", string(name)}
		v.name(at, string(name))
		if s.Endpoint == "" {
			v.Problem(at, "the ship has no endpoint", "write endpoint: unix:///var/run/docker.sock, tcp://host:2376 or ssh://user@host")
			continue
		}
		if err := s.check(); err != nil {
			v.error(at.At("endpoint"), err)
		}
	}
}

// check tells what of the endpoint and the way to it does not fit together.
func (s ship) check() error {
	u, err := url.Parse(s.Endpoint)
	switch {
	case err != nil || !slices.Contains([]string{"unix", "tcp", "ssh"}, u.Scheme):
		return invalid(fmt.Sprintf("%q is not an endpoint", s.Endpoint), "begin it with unix://, tcp:// or ssh://")
	case u.Scheme == "unix" && (u.Host != "" || !path.IsAbs(u.Path)):
		return invalid(fmt.Sprintf("%q does not name a socket", s.Endpoint), "write three slashes: unix:///var/run/docker.sock")
	case u.Scheme == "tcp" && u.Port() == "":
		return invalid(fmt.Sprintf("%q has no port", s.Endpoint), "Docker's is 2375, with TLS 2376")
	case u.Scheme != "unix" && u.Hostname() == "":
		return invalid(fmt.Sprintf("%q names no host", s.Endpoint), "write "+u.Scheme+"://host")
	case s.TLS != nil && u.Scheme != "tcp":
		return invalid("tls is for tcp endpoints", "remove tls:, or write tcp://host:2376")
	case s.TLS != nil && (s.TLS.Cert == "") != (s.TLS.Key == ""):
		return invalid("tls has one of cert and key", "a client certificate needs both")
	case s.SSH != nil && u.Scheme == "unix" && s.SSH.Host == "":
		return invalid("ssh has no host to go through", "write ssh: {host: …}, or endpoint: ssh://user@host")
	case s.SSH != nil && u.Scheme == "ssh" && (s.SSH.Host != "" || s.SSH.Port != 0):
		return invalid("the endpoint says the host already", "remove host and port from ssh:")
	case s.SSH != nil && (s.SSH.Port < 0 || s.SSH.Port > 65535):
		return invalid(fmt.Sprintf("port %d does not exist", s.SSH.Port), "ports are 1 to 65535")
	}
	return nil
}

// shipTexts lists the ships with their labels, for a hint.
func (r *resolver) shipTexts() string {
	var out []string
	for _, s := range r.order[:min(len(r.order), 10)] {
		var labels []string
		for _, l := range slices.Sorted(maps.Keys(s.Labels)) {
			labels = append(labels, l+"="+s.Labels[l])
		}
		out = append(out, fmt.Sprintf("%s (%s)", s.Name, cmp.Or(strings.Join(labels, ", "), "no labels")))
	}
	return cmp.Or(strings.Join(out, ", "), "none")
}

func (r *resolver) suggestShip(s batuta.ShipName) string {
	return document.Suggest(string(s), words(slices.Collect(maps.Keys(r.ships))))
}
