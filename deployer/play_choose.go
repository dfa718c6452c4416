package deployer

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"batuta"
	"batuta/internal/document"
)

// NewPlay chooses the instances that an order means and works out their order.
// It is pure. The error is Invalid: nothing or nobody by such a name, a glob
// that cannot be read, services or everything where the order does not allow
// them, instances that need each other in a circle.
func NewPlay(spec Spec, o Order) (Play, error) {
	c := chooser{spec: spec, order: o}
	if err := c.allowed(); err != nil {
		return Play{}, err
	}
	chosen, err := c.chosen()
	if err != nil {
		return Play{}, err
	}
	if !o.IgnoreDependencies && (o.WithDependencies || len(o.Things) == 0) {
		chosen = c.withDependencies(chosen)
	}
	if chosen, err = c.narrowed(chosen); err != nil {
		return Play{}, err
	}
	p := Play{order: o, spec: spec}
	for _, i := range spec.Instances {
		if chosen[i.Name] {
			p.parts = append(p.parts, &part{Instance: i})
		}
	}
	if !o.IgnoreDependencies {
		p.bind()
	}
	return p, p.number()
}

type chooser struct {
	spec  Spec
	order Order
}

type choice map[batuta.InstanceName]bool

// allowed guards against stopping more than was meant.
func (c chooser) allowed() error {
	o := c.order
	if !o.Verb.backward() || o.All {
		return nil
	}
	if len(o.Things) == 0 {
		return invalid(fmt.Sprintf("%s of everything has to be asked for", o.Verb), "name instances, or add --all")
	}
	if o.ExpandServices {
		return nil
	}
	for _, thing := range o.Things {
		if !c.isInstance(thing) && len(c.of(thing)) > 0 {
			return invalid(fmt.Sprintf("%s is a service: %s of all its instances has to be asked for", thing, o.Verb), "name instances, or add --expand-services")
		}
	}
	return nil
}

func (c chooser) isInstance(thing string) bool {
	return slices.ContainsFunc(c.spec.Instances, func(i Instance) bool { return string(i.Name) == thing })
}

// of gives the instances of a service.
func (c chooser) of(service string) []batuta.InstanceName {
	var out []batuta.InstanceName
	for _, i := range c.spec.Instances {
		if string(i.Service) == service {
			out = append(out, i.Name)
		}
	}
	return out
}

// chosen gives what the things are. A status without things shows what is
// omitted, too.
func (c chooser) chosen() (choice, error) {
	out := choice{}
	if len(c.order.Things) == 0 {
		for _, i := range c.spec.Instances {
			if c.order.Verb == PlayStatus || !c.spec.Services[i.Service].Omit {
				out[i.Name] = true
			}
		}
		return out, nil
	}
	for _, thing := range c.order.Things {
		if c.isInstance(thing) {
			out[batuta.InstanceName(thing)] = true
			continue
		}
		instances := c.of(thing)
		if _, known := c.spec.Services[batuta.ServiceName(thing)]; !known && len(instances) == 0 {
			return nil, invalid(fmt.Sprintf("%s is neither a service nor an instance", thing), document.Suggest(thing, c.spec.Words()))
		}
		for _, i := range instances {
			out[i] = true
		}
	}
	return out, nil
}

// Words are the names of the services and instances, sorted.
func (s Spec) Words() []string {
	var out []string
	for service := range s.Services {
		out = append(out, string(service))
	}
	for _, i := range s.Instances {
		out = append(out, string(i.Service), string(i.Name))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// withDependencies adds what the chosen require or, of the verbs that go
// backward, what requires them; and so on.
func (c chooser) withDependencies(chosen choice) choice {
	for grown := true; grown; {
		grown = false
		for _, a := range c.spec.Instances {
			for _, b := range c.spec.Instances {
				one, other := a, b
				if c.order.Verb.backward() {
					one, other = b, a
				}
				if chosen[one.Name] && !chosen[other.Name] && c.spec.requires(a, b) {
					chosen[other.Name], grown = true, true
				}
			}
		}
	}
	return chosen
}

// requires tells whether a must not run before b does: by its service, or
// because it takes something of b's own.
func (s Spec) requires(a, b Instance) bool {
	if a.Name == b.Name {
		return false
	}
	return slices.Contains(s.Services[a.Service].Requires, b.Service) || a.needs(b.Name)
}

// narrowed keeps what the globs match, whatever was chosen and why. Nothing at
// all is rather a slip than what somebody wanted.
func (c chooser) narrowed(chosen choice) (choice, error) {
	out := choice{}
	var instances, ships []string
	for _, i := range c.spec.Instances {
		instances, ships = append(instances, string(i.Name)), append(ships, string(i.Ship))
	}
	if err := matchesSome(c.order.Containers, "instance", instances); err != nil {
		return nil, err
	}
	if err := matchesSome(c.order.Ships, "ship that has an instance", ships); err != nil {
		return nil, err
	}
	for _, i := range c.spec.Instances {
		named, err := glob(c.order.Containers, string(i.Name))
		if err != nil {
			return nil, err
		}
		there, err := glob(c.order.Ships, string(i.Ship))
		if err != nil {
			return nil, err
		}
		if chosen[i.Name] && named && there {
			out[i.Name] = true
		}
	}
	if len(out) == 0 && len(chosen) > 0 {
		return nil, invalid("the filters leave nothing of what was named", "remove a filter, or name something else; status shows what is where")
	}
	return out, nil
}

// matchesSome refuses a glob that matches none of the names.
func matchesSome(pattern, what string, names []string) error {
	for _, name := range names {
		if ok, err := glob(pattern, name); err != nil || ok {
			return err
		}
	}
	if pattern == "" || len(names) == 0 {
		return nil
	}
	return invalid(fmt.Sprintf("%q matches no %s", pattern, what), document.Suggest(pattern, sorted(names)))
}

func glob(pattern, name string) (bool, error) {
	if pattern == "" {
		return true, nil
	}
	ok, err := path.Match(pattern, name)
	if err != nil {
		return false, invalid(fmt.Sprintf("%q is not a glob", pattern), "write * for any text, ? for a letter, [abc] for one of some")
	}
	return ok, nil
}

// bind has each part know what it needs of the others, directly or through
// services that are not in the play.
func (p Play) bind() {
	behind := p.spec.behind()
	for _, a := range p.parts {
		for _, b := range p.parts {
			if p.spec.requires(a.Instance, b.Instance) || a.Service != b.Service && behind[a.Service][b.Service] {
				a.needs, b.needed = append(a.needs, b), append(b.needed, a)
			}
		}
	}
}

// behind are the services that each service requires, directly or not.
func (s Spec) behind() map[batuta.ServiceName]map[batuta.ServiceName]bool {
	out := map[batuta.ServiceName]map[batuta.ServiceName]bool{}
	var visit func(of, at batuta.ServiceName)
	visit = func(of, at batuta.ServiceName) {
		for _, r := range s.Services[at].Requires {
			if !out[of][r] {
				out[of][r] = true
				visit(of, r)
			}
		}
	}
	for name := range s.Services {
		out[name] = map[batuta.ServiceName]bool{}
		visit(name, name)
	}
	return out
}

// number puts the parts in the order in which they go, as far as they depend
// on each other.
func (p *Play) number() error {
	var ordered []*part
	placed := map[*part]bool{}
	for rest := p.parts; len(rest) > 0; {
		var wait []*part
		for _, q := range rest {
			if slices.ContainsFunc(q.before(p.order.Verb), func(b *part) bool { return !placed[b] }) {
				wait = append(wait, q)
				continue
			}
			q.number, placed[q] = len(ordered), true
			ordered = append(ordered, q)
		}
		if len(wait) == len(rest) {
			var circle []string
			for _, q := range wait {
				circle = append(circle, string(q.Name))
			}
			return invalid("instances need each other in a circle: "+strings.Join(circle, ", "), "remove one of their requires, volumes_from, links or net")
		}
		rest = wait
	}
	p.parts = ordered
	return nil
}

// before are the parts that go before this one.
func (p *part) before(v Verb) []*part {
	if v.backward() {
		return p.needed
	}
	return p.needs
}
