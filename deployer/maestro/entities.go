package maestro

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/internal/document"
)

// service is one entry of services.
type service struct {
	at        *value
	image     string
	omit      bool
	requires  []mention
	implied   []string // services whose instances' volumes it takes, sorted
	wants     []mention
	env       *value // envfile and env are read for each instance
	envfile   *value
	instances []string // sorted
}

// mention is a name, where one thing speaks of another.
type mention struct {
	name string
	at   *value
}

// instance is one entry of a service's instances, without what depends on the
// ships: its address, and its variables.
type instance struct {
	at          *value
	name        string
	service     string
	ship        string
	shipAt      *value
	image       string
	env         map[string]*string // what the document says, service's and instance's; nil: to be unset
	own         map[string]bool    // of env: said by the instance
	ports       []port
	volumes     []deployer.Volume
	sources     map[string]*value // where each volume's source stands
	command     []string
	restart     string
	stopTimeout time.Duration
	settings    deployer.Settings
	hosts       map[string]host // extra_hosts
	checks      map[string][]check
}

var topKeys = []string{"__maestro", "name", "registries", "ship_provider", "ship_defaults", "ships", "services", "audit"}

// document reads the whole.
func (r *reader) document(d *Document, top *value) {
	if top.kind != dict {
		r.problem(top, "want a mapping, have "+top.kind.String(), "begin with name: and services:")
		return
	}
	r.top(top)
	d.schema = r.schema(top.get("__maestro"))
	d.name = r.needed(top, "name", "write name: and the environment's name")
	if p := top.get("ship_provider"); !p.isNull() && p.str != "static" {
		r.problem(p, fmt.Sprintf("no ship provider %q", p.python()), "static is the only one; leave it out")
	}
	d.ships = r.ships(top.get("ships"), top.get("ship_defaults"))
	d.registries = r.registries(top.get("registries"))
	d.audit = r.auditors(top.get("audit"))
	d.services, d.instances = map[string]*service{}, map[string]*instance{}
	r.each(top.get("services"), func(name string, key, v *value) {
		r.name(key, name)
		if r.dict(v) {
			d.services[name] = r.service(d, name, v)
		} else if v.isNull() {
			r.problem(v, "the service has no image", "write image: and instances:")
		}
	})
	r.requirements(d)
}

// top warns of unread keys. Those that begin with _ or hold an anchor are
// there for the others.
func (r *reader) top(top *value) {
	for i, key := range top.keys {
		name := key.python()
		if !slices.Contains(topKeys, name) && !strings.HasPrefix(name, "_") && !top.items[i].anchors() {
			r.warn(key, fmt.Sprintf("MaestroNG does not read %q here", name), document.Suggest(name, topKeys))
		}
	}
}

// anchors tells whether the value or one inside of it defines an anchor.
func (v *value) anchors() bool {
	return v.anchored || slices.ContainsFunc(v.items, (*value).anchors)
}

// schema is 1 if it is the number 1 or not given, and 2 for anything else.
func (r *reader) schema(v *value) int {
	if !r.dict(v) {
		return 1
	}
	r.known(v, []string{"schema"}, nil)
	s := v.get("schema")
	switch {
	case s.isNull(), s.kind != text && (s.str == "1" || s.str == "1.0" || s.str == "True"):
		return 1
	case s.kind != integer || s.str != "2":
		r.warn(s, fmt.Sprintf("MaestroNG takes schema %s for 2, as it takes everything that is not the number 1", s.python()), "write schema: 2")
	}
	return 2
}

func (r *reader) name(at *value, name string) {
	if err := batuta.CheckName(name); err != nil {
		r.problem(at, fmt.Sprintf("%q is not a name", name), "use 1 to 63 letters, digits, '_', '.' and '-', beginning with a letter or digit")
	}
}

var serviceKeys = []string{"image", "instances", "omit", "requires", "wants_info", "env", "envfile", "lifecycle", "limits", "ports"}

func (r *reader) service(d *Document, name string, v *value) *service {
	r.known(v, serviceKeys, serviceHints())
	s := &service{
		at: v, image: r.needed(v, "image", "MaestroNG wants one even if every instance has its own"),
		omit: r.flag(v.get("omit")), env: v.get("env"), envfile: v.get("envfile"),
		requires: r.services(v.get("requires")), wants: r.services(v.get("wants_info")),
	}
	r.image(v.get("image"), s.image)
	in := v.get("instances")
	if in.isNull() {
		r.problem(v, "the service has no instances", "write instances: {"+name+"-1: {ship: NAME}}, or instances: {}")
	}
	r.each(in, func(i string, key, w *value) {
		r.name(key, i)
		if first, taken := d.instances[i]; taken {
			r.problem(key, fmt.Sprintf("service %q has an instance %q too", first.service, i), "instance names are unique in a document, as they are the containers' names")
			return
		}
		d.instances[i] = r.instance(d.schema, name, s, i, w)
		s.instances = append(s.instances, i)
	})
	slices.Sort(s.instances)
	return s
}

// services is a list of names of services.
func (r *reader) services(v *value) []mention {
	var out []mention
	for _, item := range r.list(v) {
		out = append(out, mention{r.text(item), item})
	}
	return out
}

// requirements checks what services and instances say of each other.
func (r *reader) requirements(d *Document) {
	known := slices.Sorted(maps.Keys(d.services))
	for _, name := range known {
		s := d.services[name]
		for _, other := range slices.Concat(s.requires, s.wants) {
			if d.services[other.name] == nil {
				r.problem(other.at, fmt.Sprintf("no service %q", other.name), document.Suggest(other.name, known))
			}
		}
	}
	r.volumesFrom(d)
	r.foreign(d)
	if cycle := d.cycle(); cycle != nil {
		at := d.services[cycle[0]].at
		if q := at.get("requires"); q != nil {
			at = q
		}
		r.problem(at, "the services require each other: "+strings.Join(cycle, " → "), "remove one of these requirements")
	}
}

// foreign warns of links to what the document does not declare: MaestroNG
// takes them for names of containers that somebody else keeps on the ship.
func (r *reader) foreign(d *Document) {
	for _, name := range slices.Sorted(maps.Keys(d.instances)) {
		i := d.instances[name]
		for _, l := range i.settings.Links {
			other := d.instances[string(l.Instance)]
			at := i.at.get("links").get(string(l.Instance))
			switch {
			case other == nil:
				r.warn(at, fmt.Sprintf("no instance %q: a container of this name has to be on ship %s", l.Instance, i.ship), "")
			case other.ship != i.ship:
				r.warn(at, fmt.Sprintf("%s is on ship %s, and %s on %s; Docker links only on one", l.Instance, other.ship, name, i.ship), "use the variables that tell of its address")
			}
		}
	}
}
