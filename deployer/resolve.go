package deployer

import (
	"cmp"
	"maps"
	"slices"

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

// Resolve makes the document concrete. It is pure: the same input gives the
// same Spec. The error is batuta.Problems: everything that is wrong with the
// document, by itself and with this input.
func (d *Document) Resolve(in Input) (Spec, error) {
	doc, b := d.read()
	r := newResolver(doc, b, in)
	if b.Ships != nil && !in.OwnShips {
		r.problem(document.Path{"ships"}, "the server's ships are used here, not the document's", "remove ships: and use names of the server's ships")
	}
	spec := Spec{Scope: in.Scope, Release: in.Release, Repair: b.Drift == driftRepair, Services: map[batuta.ServiceName]Service{}}
	r.placeAll()
	for _, name := range slices.Sorted(maps.Keys(b.Services)) {
		instances := r.instances(name, b.Services[name])
		spec.Services[name] = r.treatment(name, b.Services[name], instances)
		spec.Instances = append(spec.Instances, instances...)
	}
	r.twice(spec.Instances)
	r.refused(slices.Concat(spec.Instances, r.strays))
	r.portClashes(spec.Instances)
	r.connections(spec.Instances)
	if err := doc.Err(); err != nil {
		return Spec{}, err
	}
	spec.Bind()
	spec.Waves, spec.Warnings = waves(b.Services), r.warnings(d.file)
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
	body    body
	in      Input
	ships   map[batuta.ShipName]ShipInfo
	order   []ShipInfo // by name
	current map[batuta.InstanceName]batuta.ShipName
	load    map[batuta.ShipName]int // instances of the whole document
	places  map[batuta.ServiceName][]placed
	room    room
	infos   map[batuta.ServiceName]map[string]text
	told    map[string]bool
	matched map[string]matched // by selector
	strays  []Instance         // of services that have none, so that they are checked too
	doubts  []doubt
}

func newResolver(doc *document.Document, b body, in Input) *resolver {
	r := &resolver{
		doc: doc, body: b, in: in, ships: map[batuta.ShipName]ShipInfo{}, current: whereabouts(in.Current),
		load: map[batuta.ShipName]int{}, room: room{taken: map[batuta.ShipName][]Port{}, stays: map[batuta.ShipName]map[batuta.ServiceName][]Port{}},
		places: map[batuta.ServiceName][]placed{}, infos: map[batuta.ServiceName]map[string]text{}, told: map[string]bool{}, matched: map[string]matched{},
	}
	for _, s := range in.Ships {
		r.ships[s.Name] = s
	}
	r.order = slices.SortedFunc(maps.Values(r.ships), func(a, b ShipInfo) int { return cmp.Compare(a.Name, b.Name) })
	return r
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

// pathOf is where an instance's key stands: with the instance, or else with
// its service.
func (r *resolver) pathOf(s batuta.ServiceName, i batuta.InstanceName, key string) document.Path {
	if own := servicePath(s, "instances", string(i), key); r.doc.Has(own) {
		return own
	}
	return servicePath(s, key)
}

// doubt is a warning that waits for its place.
type doubt struct {
	path          document.Path
	message, hint string
}

func (r *resolver) warn(path document.Path, message, hint string) {
	key := "warning\x00" + path.String() + "\x00" + message
	if !r.told[key] {
		r.told[key] = true
		r.doubts = append(r.doubts, doubt{path, message, hint})
	}
}

// warnings gives the doubts in the order of the file.
func (r *resolver) warnings(file string) batuta.Problems {
	var out batuta.Problems
	for _, d := range r.doubts {
		line, column := r.doc.Place(d.path)
		out = append(out, batuta.Problem{File: file, Line: line, Column: column, Path: d.path.String(), Message: d.message, Hint: d.hint})
	}
	slices.SortStableFunc(out, func(a, b batuta.Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Path, b.Path))
	})
	return out
}

// refused reports what the server's policy refuses. Whoever brings ships of
// their own could as well use docker run.
func (r *resolver) refused(instances []Instance) {
	if r.in.OwnShips {
		return
	}
	allow := r.in.Allow
	allow.Hosts = slices.Clip(allow.Hosts)
	for _, s := range r.order {
		allow.Hosts = append(allow.Hosts, s.Address)
	}
	for _, refusal := range allow.Check(r.in.Scope, instances) {
		if refusal.Key != "volumes" && refusal.Key != "labels" { // they are told where they stand
			r.problem(r.pathOf(refusal.Service, refusal.Instance, refusal.Key), refusal.Message, refusal.Hint)
		}
	}
}
