package maestro

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"batuta/deployer"
)

// port is one entry of ports as MaestroNG reads it: the container's side, and
// the ship's, which is all that other services are told.
type port struct {
	name     string
	at       *value
	exposed  span
	external span
	address  string
}

// span is a port, or the ports from one to another.
type span struct {
	from, to int
	protocol string
}

func (s span) ports() int { return s.to - s.from + 1 }

// String is the span as MaestroNG writes it into variables: 80 or 80-82.
func (s span) String() string {
	if s.from == s.to {
		return strconv.Itoa(s.from)
	}
	return fmt.Sprintf("%d-%d", s.from, s.to)
}

// anyAddress is where MaestroNG publishes a port that has no address.
const anyAddress = "0.0.0.0"

const portHint = `write 8080, 53/udp, "8080:80", which is container:host, the reverse of Docker's, or {exposed: 8080, external: [10.0.0.1, 80]}`

// ports reads the service's ports with the instance's own over them, sorted by
// name.
func (r *reader) ports(service, own *value) []port {
	found := map[string]port{}
	for _, from := range []*value{service, own} {
		r.each(from, func(name string, _, v *value) {
			if p, ok := r.port(name, v); ok {
				found[name] = p
			}
		})
	}
	var out []port
	for _, p := range found {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b port) int { return strings.Compare(a.name, b.name) })
	return out
}

func (r *reader) port(name string, v *value) (port, bool) {
	p := port{name: name, at: v, address: anyAddress}
	var ok bool
	switch v.kind {
	case integer, text:
		sides := strings.Split(v.str, ":")
		if v.kind == integer {
			r.portTrap(v)
			sides = []string{v.str}
		}
		if len(sides) > 2 {
			r.problem(v, fmt.Sprintf("%q is not a port", v.str), portHint)
			return p, false
		}
		p.exposed, ok = r.span(v, sides[0])
		p.external = p.exposed
		if ok && len(sides) == 2 {
			p.external, ok = r.span(v, sides[1])
		}
		if ok && p.exposed.protocol != p.external.protocol {
			r.problem(v, "the two sides have different protocols", "write the same one on both")
			return p, false
		}
	case dict:
		ok = r.longPort(&p, v)
	default:
		r.problem(v, fmt.Sprintf("%s is not a port", v.python()), portHint)
		return p, false
	}
	return p, ok && r.matching(p)
}

// portTrap tells of a port that PyYAML has taken for something else.
func (r *reader) portTrap(v *value) {
	if !strings.Contains(v.written, ":") || v.quoted {
		r.trap(v)
		return
	}
	r.warn(v, fmt.Sprintf("MaestroNG reads %s as the number %s (base 60), and publishes that port", v.written, v.str), fmt.Sprintf("write %q for container:host, or %s", v.written, v.str))
}

// longPort reads {exposed: …, external: …}, where external may be [address, port].
func (r *reader) longPort(p *port, v *value) bool {
	r.known(v, []string{"exposed", "external"}, map[string]string{"protocol": "write exposed: 53/udp", "address": "write external: [ADDRESS, PORT]"})
	exposed, external := v.get("exposed"), v.get("external")
	if exposed.isNull() || external.isNull() {
		r.problem(v, "want exposed and external", portHint)
		return false
	}
	if external.kind == list {
		if len(external.items) != 2 {
			r.problem(external, "want an address and a port", "write external: [10.0.0.1, 80]")
			return false
		}
		p.address = r.text(external.items[0])
		if _, err := netip.ParseAddr(p.address); err != nil {
			r.problem(external.items[0], fmt.Sprintf("%q is not an address", p.address), "write an IP address of the ship")
			return false
		}
		external = external.items[1]
	}
	var ok bool
	if p.exposed, ok = r.scalarSpan(exposed); !ok {
		return false
	}
	if p.external, ok = r.scalarSpan(external); !ok {
		return false
	}
	if p.external.protocol != p.exposed.protocol {
		if external.kind == text && strings.Contains(external.str, "/") {
			r.warn(external, fmt.Sprintf("MaestroNG publishes it as %s, as exposed says", p.exposed.protocol), "write the same protocol on both")
		}
		p.external.protocol = p.exposed.protocol
	}
	return true
}

func (r *reader) scalarSpan(v *value) (span, bool) {
	if v.kind != integer && v.kind != text {
		r.problem(v, fmt.Sprintf("%s is not a port", v.python()), portHint)
		return span{}, false
	}
	r.portTrap(v)
	return r.span(v, v.str)
}

var spanForm = regexp.MustCompile(`^(\d+)(?:-(\d+))?(?:/(tcp|udp))?$`)

func (r *reader) span(v *value, s string) (span, bool) {
	m := spanForm.FindStringSubmatch(s)
	if m == nil {
		r.problem(v, fmt.Sprintf("%q is not a port", s), portHint)
		return span{}, false
	}
	out := span{protocol: "tcp"}
	if m[3] != "" {
		out.protocol = m[3]
	}
	out.from, _ = strconv.Atoi(m[1])
	if out.to = out.from; m[2] != "" {
		out.to, _ = strconv.Atoi(m[2])
	}
	switch {
	case min(out.from, out.to) < 1 || max(out.from, out.to) > 65535 || len(m[1]) > 9 || len(m[2]) > 9:
		r.problem(v, fmt.Sprintf("port %s does not exist", strings.TrimSuffix(s, "/"+m[3])), "ports are 1 to 65535")
		return span{}, false
	case out.to < out.from:
		r.problem(v, fmt.Sprintf("%s ends before it begins", s), fmt.Sprintf("write %d-%d", out.to, out.from))
		return span{}, false
	}
	return out, true
}

// matching tells whether the two sides can be published: one port on one, or
// on one of several, or several each on its own.
func (r *reader) matching(p port) bool {
	if p.exposed.ports() == 1 || p.exposed.ports() == p.external.ports() {
		return true
	}
	r.problem(p.at, fmt.Sprintf("%d ports cannot be published on %d", p.exposed.ports(), p.external.ports()), "write as many on both sides")
	return false
}

// resolve gives the ports as Docker takes them. A range on both sides, which
// MaestroNG passes on and Docker refuses, becomes single ports.
func (p port) resolve() []deployer.Port {
	one := deployer.Port{Name: p.name, Container: p.exposed.from, Host: p.external.from, Address: p.address, Protocol: p.exposed.protocol}
	if p.exposed.ports() == 1 {
		if p.external.ports() > 1 {
			one.HostEnd = p.external.to
		}
		return []deployer.Port{one}
	}
	var out []deployer.Port
	for i := range p.exposed.ports() {
		q := one
		q.Name, q.Container, q.Host = fmt.Sprintf("%s-%d", p.name, p.exposed.from+i), p.exposed.from+i, p.external.from+i
		out = append(out, q)
	}
	return out
}
