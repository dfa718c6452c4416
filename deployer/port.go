package deployer

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"batuta"
	"batuta/internal/document"
)

// port is one entry of ports, in one of these forms:
//
//	8080            the container's port; Docker picks the host's
//	53/udp
//	"8080:80"       container:host, the reverse of Docker's (MaestroNG's order)
//	{exposed: 8080, external: 80, address: 10.0.0.1, protocol: udp}
type port struct {
	container int
	host      int    // 0: Docker picks it
	address   string // of the host; empty: all
	protocol  string // tcp or udp
	path      document.Path
}

func (p *port) UnmarshalDocument(n document.Node) error {
	p.path = n.Path()
	if text, ok := n.Scalar(); ok {
		container, host, fixed := strings.Cut(text, ":")
		return p.set(container, host, fixed, "")
	}
	var long struct {
		Exposed  string `yaml:"exposed"`
		External string `yaml:"external"`
		Address  string `yaml:"address"`
		Protocol string `yaml:"protocol"`
	}
	if err := n.Decode(&long); err != nil {
		return err
	}
	if _, err := netip.ParseAddr(long.Address); err != nil && long.Address != "" {
		return invalid(fmt.Sprintf("%q is not an address", long.Address), "write an IP address of the ship")
	}
	p.address = long.Address
	return p.set(long.Exposed, long.External, long.External != "", long.Protocol)
}

// set reads the numbers, each of which may carry its protocol.
func (p *port) set(container, host string, fixed bool, protocol string) error {
	var err error
	if p.container, p.protocol, err = portNumber(container); err != nil {
		return err
	}
	said := []string{p.protocol, protocol}
	if fixed {
		var own string
		if p.host, own, err = portNumber(host); err != nil {
			return err
		}
		said = append(said, own)
	}
	p.protocol = "tcp"
	for _, s := range said {
		if s != "" {
			p.protocol = s
		}
	}
	for _, s := range said {
		switch {
		case s != "" && s != "tcp" && s != "udp":
			return invalid(fmt.Sprintf("%q is not a protocol", s), "write tcp or udp")
		case s != "" && s != p.protocol:
			return invalid("the two sides have different protocols", "write the protocol once")
		}
	}
	return nil
}

// portNumber reads 53 and 53/udp; the protocol is empty if it is not said.
func portNumber(text string) (number int, protocol string, err error) {
	digits, protocol, slash := strings.Cut(text, "/")
	number, err = strconv.Atoi(digits)
	if err != nil || slash && protocol == "" {
		return 0, "", invalid(fmt.Sprintf("%q is not a port", text),
			`write the container's port (8080), or with a host port "8080:80", which is container:host, the reverse of Docker's, or {exposed: 8080, external: 80, address: 10.0.0.1}`)
	}
	if number < 1 || number > 65535 {
		return 0, "", invalid(fmt.Sprintf("port %d does not exist", number), "ports are 1 to 65535")
	}
	return number, protocol, nil
}

func (p port) resolve(name string) Port {
	return Port{Name: name, Container: p.container, Host: p.host, Address: p.address, Protocol: p.protocol}
}

// clashes tells whether two ports cannot be published on one ship at once.
func (p Port) clashes(q Port) bool {
	sameAddress := p.Address == q.Address || anyAddress(p.Address) || anyAddress(q.Address)
	return p.Host != 0 && p.Host == q.Host && p.Protocol == q.Protocol && sameAddress
}

func anyAddress(a string) bool { return a == "" || a == "0.0.0.0" || a == "::" }

// onHost are the ports that a container holds of its ship: those that it
// publishes, or all that are declared if the ship's network is its own.
func onHost(networkMode string, declared []Port) []Port {
	if networkMode != hostNet {
		return declared
	}
	out := slices.Clone(declared)
	for n := range out {
		out[n].Host = out[n].Container
	}
	return out
}

// onHost are the ports of its ship that the instance holds; Host of some may
// be 0.
func (i *Instance) onHost() []Port { return onHost(i.NetworkMode, i.Ports) }

// String is the port as a plan shows it: 8080 or 8080:80/udp.
func (p Port) String() string {
	s := strconv.Itoa(p.Container)
	if p.Host != 0 {
		s += ":" + strconv.Itoa(p.Host)
	}
	if p.Protocol != "tcp" {
		s += "/" + p.Protocol
	}
	if p.Address != "" {
		s += " on " + p.Address
	}
	return s
}

// ports resolves the ports of one instance.
func (r *resolver) ports(ports map[string]port) []Port {
	var out []Port
	for _, name := range slices.Sorted(maps.Keys(ports)) {
		p := ports[name].resolve(name)
		for _, q := range out {
			if q.Container == p.Container && q.Protocol == p.Protocol && p.Container != 0 {
				r.problem(ports[name].path, fmt.Sprintf("port %d/%s is named %q already", p.Container, p.Protocol, q.Name), "remove one of them")
			}
		}
		out = append(out, p)
	}
	return out
}

// portClashes finds host ports that two instances want on one ship.
func (r *resolver) portClashes(instances []Instance) {
	type holder struct {
		Port
		by batuta.InstanceName
	}
	taken := map[string][]holder{}
	for _, i := range instances {
		for _, p := range i.onHost() {
			if _, known := r.ships[i.Ship]; !known {
				continue
			}
			key := fmt.Sprintf("%s:%d", i.Ship, p.Host)
			for _, h := range taken[key] {
				if h.clashes(p) {
					r.problem(servicePath(i.Service, "ports", p.Name),
						fmt.Sprintf("%s and %s both want host port %d of %s", h.by, i.Name, p.Host, i.Ship),
						"give them different ships or ports, or let Docker pick the host port")
				}
			}
			taken[key] = append(taken[key], holder{p, i.Name})
		}
	}
}

func invalid(message, hint string) error {
	return &batuta.Error{Kind: batuta.Invalid, Message: message, Hint: hint}
}
