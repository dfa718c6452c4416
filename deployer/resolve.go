package deployer

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"batuta"
	"batuta/internal/document"
)

// Input is what a document is resolved with: all facts that it does not have
// itself.
type Input struct {
	Scope    Scope
	Release  batuta.ReleaseNumber
	Images   map[batuta.ImageName]batuta.Image // what the release built
	Pins     map[string]batuta.Image           // what each of Document.References means, as written
	Ships    []ShipInfo                        // those that the environment may use
	OwnShips bool                              // Ships are the document's own; a server leaves it false and refuses them
	Allow    Policy
	Secret   func(name string) (value string, ok bool) // nil: there are none
	Key      []byte                                    // keys the hashes of secret values
	Unpinned bool                                      // references without a pin stay as written, in Instance.Reference
	Current  []Container                               // what runs, so that counted instances stay where they are
}

// ShipInfo is what resolving needs to know of a ship.
type ShipInfo struct {
	Name    batuta.ShipName
	Address string // where its published ports answer
	Labels  map[string]string

	Cordoned bool // counted instances stay, and no other comes
	Leaving  bool // counted instances go elsewhere: it is being drained, or is lost
}

// Spec is an environment as it is meant to be: everything resolved.
type Spec struct {
	Scope     Scope                  `json:"scope"`
	Release   batuta.ReleaseNumber   `json:"release"`
	Instances []Instance             `json:"instances"` // in the order in which they start
	Waves     [][]batuta.ServiceName `json:"waves"`     // each wave's services require only services of earlier waves

	Services map[batuta.ServiceName]Service `json:"services,omitempty"`

	// Own are the repositories whose images may be removed from the ships
	// after a deployment, except those of this specification and those in
	// Keep: what the releases to roll back to run.
	Own  []string       `json:"-"`
	Keep []batuta.Image `json:"-"`

	// Repair tells that drift is to be repaired without asking anybody.
	Repair bool `json:"repair,omitempty"`
	// Warnings are what a person should look at, and may leave as it is.
	Warnings batuta.Problems `json:"-"`
}

// builtMark begins the reference of an image that a build makes, where nobody
// asks which one that is.
const builtMark = "build: "

const defaultStopTimeout = 10 * time.Second

// Resolve makes the document concrete. It is pure: the same input gives the
// same Spec. The error is batuta.Problems: everything that is wrong with the
// document, by itself and with this input.
func (d *Document) Resolve(in Input) (Spec, error) {
	doc, b := d.read()
	r := &resolver{doc: doc, in: in, ships: map[batuta.ShipName]ShipInfo{}, current: whereabouts(in.Current), told: map[string]bool{}}
	for _, s := range in.Ships {
		r.ships[s.Name] = s
	}
	if b.Ships != nil && !in.OwnShips {
		r.problem(document.Path{"ships"}, "the server's ships are used here, not the document's", "remove ships: and use names of the server's ships")
	}
	spec := Spec{Scope: in.Scope, Release: in.Release, Services: map[batuta.ServiceName]Service{}}
	for _, name := range slices.Sorted(maps.Keys(b.Services)) {
		places := r.place(name, b.Services[name])
		spec.Services[name] = Service{Requires: slices.Sorted(slices.Values(b.Services[name].Requires)), Counted: b.Services[name].Count != nil}
		for _, p := range places {
			spec.Instances = append(spec.Instances, r.instance(name, b.Services[name], p))
		}
		if len(places) == 0 { // what is wrong with it is told all the same
			r.instance(name, b.Services[name], placed{name: counted(name, 1)})
		}
	}
	r.portClashes(spec.Instances)
	if err := doc.Err(); err != nil {
		return Spec{}, err
	}
	spec.Waves = waves(b.Services)
	spec.sort()
	return spec, nil
}

// sort puts the instances in the order of waves, services and names.
func (s Spec) sort() {
	wave := s.waveOf()
	slices.SortStableFunc(s.Instances, func(a, b Instance) int {
		return cmp.Or(cmp.Compare(wave[a.Service], wave[b.Service]), cmp.Compare(a.Service, b.Service), compareNames(a.Name, b.Name))
	})
}

// waveOf gives each service's wave, from 1.
func (s Spec) waveOf() map[batuta.ServiceName]int {
	out := map[batuta.ServiceName]int{}
	for n, wave := range s.Waves {
		for _, service := range wave {
			out[service] = n + 1
		}
	}
	return out
}

type resolver struct {
	doc     *document.Document
	in      Input
	ships   map[batuta.ShipName]ShipInfo
	current map[batuta.InstanceName]batuta.ShipName
	told    map[string]bool
}

// problem records what is wrong, once however many instances have it.
func (r *resolver) problem(path document.Path, message, hint string) {
	key := path.String() + "\x00" + message
	if !r.told[key] {
		r.told[key] = true
		r.doc.Problem(path, message, hint)
	}
}

// error records an error that invalid made.
func (r *resolver) error(path document.Path, err error) {
	message, hint := explain(err)
	r.problem(path, message, hint)
}

func (r *resolver) suggestShip(s batuta.ShipName) string {
	return document.Suggest(string(s), words(slices.Collect(maps.Keys(r.ships))))
}

// shipTexts lists the ships with their labels, for a hint.
func (r *resolver) shipTexts() string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(r.ships)) {
		var labels []string
		for _, l := range slices.Sorted(maps.Keys(r.ships[name].Labels)) {
			labels = append(labels, l+"="+r.ships[name].Labels[l])
		}
		out = append(out, fmt.Sprintf("%s (%s)", name, cmp.Or(strings.Join(labels, ", "), "no labels")))
	}
	return cmp.Or(strings.Join(out[:min(len(out), 10)], ", "), "none")
}

// instance resolves one instance: the service's settings under its own.
func (r *resolver) instance(name batuta.ServiceName, s service, p placed) Instance {
	i := Instance{
		Name: p.name, Service: name, Ship: p.ship,
		Command:     slices.Clone(s.Command),
		Ports:       r.ports(over(s.Ports, p.own.Ports)),
		Volumes:     r.volumes(over(s.Volumes, p.own.Volumes)),
		Restart:     cmp.Or(s.Restart, "unless-stopped"),
		StopTimeout: or(s.StopTimeout, defaultStopTimeout),
		StopFirst:   s.StopFirst,
	}
	if i.Image = r.image(name, s, p); i.Image == (batuta.Image{}) && r.in.Unpinned {
		i.Reference = cmp.Or(p.own.Image, s.Image, builtMark+string(s.Build))
	}
	i.Env, i.secrets = r.env(over(s.Env, p.own.Env))
	if len(p.own.Command) > 0 {
		i.Command = slices.Clone(p.own.Command)
	}
	if len(i.Command) == 0 {
		i.Command = nil
	}
	for _, c := range slices.Concat(s.Lifecycle.Running, p.own.Lifecycle.Running) {
		check, err := c.resolve(i.Ports)
		if err != nil {
			r.error(c.path, err)
		}
		i.Checks = append(i.Checks, check)
	}
	i.seal(r.in.Key)
	return i
}

// over is the service's map with the instance's on top.
func over[V any](service, own map[string]V) map[string]V {
	out := map[string]V{}
	maps.Copy(out, service)
	maps.Copy(out, own)
	return out
}

func (r *resolver) image(name batuta.ServiceName, s service, p placed) batuta.Image {
	ref, path := s.Image, servicePath(name, "image")
	if p.own.Image != "" {
		ref, path = p.own.Image, servicePath(name, "instances", string(p.name), "image")
	}
	if ref == "" {
		image, ok := r.in.Images[s.Build]
		if !ok && s.Build != "" && !r.in.Unpinned {
			r.problem(unknownBuild(name, s.Build, slices.Collect(maps.Keys(r.in.Images))))
		}
		return image
	}
	if image, pinned := parseDigested(ref); pinned {
		return image
	}
	image, ok := r.in.Pins[ref]
	if !ok && !r.in.Unpinned && imageForm.MatchString(ref) {
		r.problem(path, fmt.Sprintf("the digest of %q is not known", ref), "check that the registry has it, or write repository@sha256:…")
	}
	return image
}

// env gives the variables, and the secrets in their values.
func (r *resolver) env(env map[string]text) (out []Variable, secrets []string) {
	secret := r.in.Secret
	if secret == nil {
		secret = func(string) (string, bool) { return "", false }
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		value, used, err := expand(env[name].value, secret)
		if err != nil {
			r.error(env[name].path, err)
		}
		out = append(out, Variable{Name: name, Value: value, Secret: len(used) > 0})
		secrets = append(secrets, used...)
	}
	return out, secrets
}

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

func (r *resolver) volumes(volumes map[string]volume) []Volume {
	var out []Volume
	for _, source := range slices.Sorted(maps.Keys(volumes)) {
		declared := volumes[source]
		v := declared.resolve(source, r.in.Scope)
		if strings.HasPrefix(v.Source, "/") && !r.in.Allow.allows(v.Source) {
			r.problem(declared.path, fmt.Sprintf("the host's %s may not be mounted", v.Source), r.allowedPaths())
		}
		for _, w := range out {
			if w.Target == v.Target {
				r.problem(declared.path, fmt.Sprintf("%s is mounted from %s already", v.Target, w.Source), "")
			}
		}
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b Volume) int { return strings.Compare(a.Target, b.Target) })
	return out
}

func (r *resolver) allowedPaths() string {
	if len(r.in.Allow.Paths) == 0 {
		return "server.yml allows this app no host path; a named volume needs no permission"
	}
	return "server.yml allows " + strings.Join(r.in.Allow.Paths, ", ")
}

// portClashes finds host ports that two instances want on one ship.
func (r *resolver) portClashes(instances []Instance) {
	type holder struct {
		Port
		by batuta.InstanceName
	}
	taken := map[string][]holder{}
	for _, i := range instances {
		for _, p := range i.Ports {
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
