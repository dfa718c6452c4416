package maestro

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"batuta"
	"batuta/deployer"
	"batuta/internal/document"
)

// Resolve makes the document concrete. It is pure: the same input gives the
// same Spec. The document's own ships are used if OwnShips is set and there are
// no others; else its instances must be on ships of the input. Without
// OwnShips, that is on a server, the policy holds, and no command of the
// document runs where Batuta does. The error is batuta.Problems.
func (d *Document) Resolve(in deployer.Input) (deployer.Spec, error) {
	r := &resolver{reader: reader{file: d.file, options: Options{Strict: d.strict}, lines: d.lines}, d: d, in: in, ships: map[string]deployer.ShipInfo{}}
	if err := d.problems.Err(); err != nil {
		return deployer.Spec{}, err
	}
	for _, s := range in.Ships {
		r.ships[string(s.Name)] = s
	}
	if in.OwnShips && in.Ships == nil {
		for name, s := range d.ships {
			r.ships[name] = deployer.ShipInfo{Name: batuta.ShipName(name), Address: s.ip}
		}
	}
	if len(d.ships) > 0 && !in.OwnShips {
		r.remark("ships", "the server's ships are used here, not the document's")
	}
	spec := deployer.Spec{Scope: in.Scope, Release: in.Release, Waves: d.waves(), Services: map[batuta.ServiceName]deployer.Service{}}
	for name, s := range d.services {
		spec.Services[batuta.ServiceName(name)] = s.resolve()
	}
	for _, wave := range spec.Waves {
		for _, service := range wave {
			for _, name := range d.services[string(service)].instances {
				spec.Instances = append(spec.Instances, r.instance(d.instances[name]))
			}
		}
	}
	r.clashes(spec.Instances)
	r.granted(spec.Instances)
	spec.Bind()
	problems, warnings := r.outcome()
	if err := problems.Err(); err != nil {
		return deployer.Spec{}, err
	}
	spec.Warnings = r.sorted(slices.Concat(d.warnings, warnings))
	return spec, nil
}

type resolver struct {
	reader
	d     *Document
	in    deployer.Input
	ships map[string]deployer.ShipInfo
}

func (s *service) resolve() deployer.Service {
	out := deployer.Service{Omit: s.omit}
	for _, other := range s.needs() {
		out.Requires = append(out.Requires, batuta.ServiceName(other))
	}
	return out
}

// instance resolves one instance.
func (r *resolver) instance(i *instance) deployer.Instance {
	ship, known := r.ships[i.ship]
	if !known && i.shipAt != nil {
		r.problem(i.shipAt, fmt.Sprintf("no ship %q", i.ship), document.Suggest(i.ship, slices.Sorted(maps.Keys(r.ships))))
	}
	out := deployer.Instance{
		Name: batuta.InstanceName(i.name), Service: batuta.ServiceName(i.service), Ship: batuta.ShipName(i.ship),
		Called: i.name, Command: i.command, Restart: i.restart, StopTimeout: i.stopTimeout, Settings: i.settings,
		Env: r.variables(i), Volumes: slices.Clone(i.volumes),
	}
	out.Image, out.Reference = r.image(i)
	for _, p := range i.ports {
		out.Ports = append(out.Ports, p.resolve()...)
	}
	slices.SortFunc(out.Ports, func(a, b deployer.Port) int { return strings.Compare(a.Name, b.Name) })
	out.ExtraHosts = r.extraHosts(i)
	out.Checks = r.checks(i, running, ship.Address)
	out.Lifecycle = deployer.Lifecycle{
		PreStart: r.checks(i, preStart, ship.Address),
		PreStop:  r.checks(i, preStop, ship.Address),
		Stopped:  r.checks(i, stopped, ship.Address),
	}
	out.Seal(r.in.Key)
	return out
}

// image is what the instance runs: by digest if it is known.
func (r *resolver) image(i *instance) (batuta.Image, string) {
	if image, pinned := pinnedImage(i.image); pinned {
		return image, ""
	}
	image, ok := r.in.Pins[i.image]
	switch {
	case ok:
		return image, ""
	case r.in.Unpinned:
		return batuta.Image{}, i.image
	}
	r.problem(i.at, fmt.Sprintf("the digest of %q is not known", i.image), "check that the registry has it, or write repository@sha256:…")
	return batuta.Image{}, ""
}

func (r *resolver) address(ship string) string { return r.ships[ship].Address }

// variables are all that the container is given, in MaestroNG's order: what
// the service and the instance say, with the names of both among it, and over
// them what tells of the services that it may speak to.
func (r *resolver) variables(i *instance) []deployer.Variable {
	env := map[string]*string{}
	own := map[string]*string{}
	for name, value := range i.env {
		if i.own[name] {
			own[name] = value
		} else {
			env[name] = value
		}
	}
	merge(env, map[string]string{"MAESTRO_ENVIRONMENT_NAME": r.d.name, "SERVICE_NAME": i.service})
	maps.Copy(env, own)
	merge(env, map[string]string{
		"CONTAINER_NAME": i.name, "CONTAINER_HOST_ADDRESS": r.address(i.ship),
		"DOCKER_IMAGE": i.image, "DOCKER_TAG": ImageTag(i.image),
	})
	s := r.d.services[i.service]
	injected := map[string]string{} // by whom
	r.inject(env, injected, i, i.service, true)
	others := r.d.required(i.service)
	for _, other := range s.wants {
		others = append(others, other.name)
	}
	for _, other := range others {
		r.inject(env, injected, i, other, false)
	}
	var out []deployer.Variable
	for _, name := range slices.Sorted(maps.Keys(env)) {
		v := deployer.Variable{Name: name, Unset: env[name] == nil}
		if !v.Unset {
			v.Value = *env[name]
		}
		out = append(out, v)
	}
	return out
}

// inject puts the variables that tell of a service over those that are there,
// and warns of what they hide: MaestroNG says nothing.
func (r *resolver) inject(env map[string]*string, injected map[string]string, i *instance, service string, internal bool) {
	peers := r.peers(service)
	links := LinkVariables(service, peers, internal)
	for _, name := range slices.Sorted(maps.Keys(links)) {
		before, there := env[name]
		by := injected[name]
		injected[name] = service
		switch {
		case !there || by == service || before != nil && *before == links[name]:
		case by != "":
			r.warn(i.at, fmt.Sprintf("%s tells of %s, and hides the variable of that name that tells of %s", name, service, by), "give one of their services or instances another name")
		default:
			r.warn(i.at, fmt.Sprintf("MaestroNG sets %s to tell of %s, over the document's own", name, service), "choose another name")
		}
	}
	for _, p := range peers {
		if service == i.service && p.Instance < i.name && VariableName(p.Instance) == VariableName(i.name) {
			r.warn(i.at, fmt.Sprintf("%s and %s are told of by the same variables: only one of them can be found", p.Instance, i.name), "give one of them another name")
		}
	}
	merge(env, links)
}

func (r *resolver) peers(service string) []Peer {
	var out []Peer
	for _, name := range r.d.services[service].instances {
		i := r.d.instances[name]
		p := Peer{Instance: name, Host: r.address(i.ship)}
		for _, q := range i.ports {
			p.Ports = append(p.Ports, PeerPort{Name: q.name, External: q.external.String(), Internal: q.exposed.String()})
		}
		out = append(out, p)
	}
	return out
}

func (r *resolver) extraHosts(i *instance) []string {
	var out []string
	for name, h := range i.hosts {
		address := h.address
		if h.ship != "" {
			if _, known := r.ships[h.ship]; !known {
				r.problem(h.at, fmt.Sprintf("no ship %q", h.ship), document.Suggest(h.ship, slices.Sorted(maps.Keys(r.ships))))
			}
			address = r.address(h.ship)
		}
		out = append(out, name+":"+address)
	}
	slices.Sort(out)
	return out
}

func (r *resolver) checks(i *instance, state, address string) []deployer.Check {
	var out []deployer.Check
	for _, c := range i.checks[state] {
		d := c.resolve(i, state, address)
		if !r.in.OwnShips && c.host != "" && c.host != address {
			r.problem(c.at, "a server asks nobody but the container", "remove host")
		}
		out = append(out, d)
	}
	return out
}

// granted holds the instances within what the server's policy allows.
func (r *resolver) granted(instances []deployer.Instance) {
	if r.in.OwnShips {
		return
	}
	for _, refused := range r.in.Allow.Check(r.in.Scope, instances) {
		r.problem(r.d.instances[string(refused.Instance)].place(refused.Key, refused.Item), refused.Message, refused.Hint)
	}
}

// place is where the instance asks for something.
func (i *instance) place(key, item string) *value {
	for _, v := range i.volumes {
		if key == "volumes" && (v.Target == item || v.Source == item) {
			return i.sources[v.Source]
		}
	}
	if v := i.at.get(key); v != nil {
		return v
	}
	return i.at
}

// remark warns of the top of the document.
func (r *resolver) remark(path, message string) {
	r.warnings = append(r.warnings, batuta.Problem{File: r.file, Path: path, Message: message})
}

// clashes finds host ports that two instances want on one ship. Without pins
// nothing is deployed yet, and only some of the instances may be started.
func (r *resolver) clashes(instances []deployer.Instance) {
	type holder struct {
		deployer.Port
		by batuta.InstanceName
	}
	taken := map[string][]holder{}
	for _, i := range instances {
		for _, p := range i.Ports {
			key := fmt.Sprintf("%s:%d/%s", i.Ship, p.Host, p.Protocol)
			for _, h := range taken[key] {
				apart := h.Address != p.Address && h.Address != anyAddress && p.Address != anyAddress
				if h.HostEnd != 0 || p.HostEnd != 0 || apart {
					continue
				}
				tell := r.problem
				if r.in.Unpinned {
					tell = r.warn
				}
				tell(r.d.instances[string(i.Name)].at, fmt.Sprintf("%s and %s both want host port %d of %s", h.by, i.Name, p.Host, i.Ship), "give them different ships or ports")
			}
			taken[key] = append(taken[key], holder{p, i.Name})
		}
	}
}
