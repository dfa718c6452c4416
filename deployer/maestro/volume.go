package maestro

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"batuta"
	"batuta/deployer"
	"batuta/internal/document"
)

// volumes reads what is mounted. Schema 1 writes container: host, schema 2
// writes host: container or host: {target: …, mode: …}.
func (r *reader) volumes(schema int, i *instance, v *value) {
	bySource := map[string]deployer.Volume{}
	i.sources = map[string]*value{}
	r.each(v, func(name string, key, item *value) {
		volume, ok := deployer.Volume{Source: name}, true
		if schema == 1 {
			volume.Source, volume.Target = r.text(item), name
			if item.kind != text {
				r.problem(item, fmt.Sprintf("%s is not a path of the ship", item.python()), "write /container/path: /host/path, or schema: 2 and /host/path: /container/path")
				return
			}
		} else {
			volume, ok = r.target(volume, item)
		}
		if !ok || !r.mountable(volume, key, item) {
			return
		}
		if other, twice := bySource[volume.Source]; twice {
			r.warn(item, fmt.Sprintf("%s is mounted at %s too; MaestroNG mounts it only where it is said last", volume.Source, other.Target), "mount it once")
		}
		bySource[volume.Source] = volume
		i.sources[volume.Source] = key
	})
	for _, source := range slices.Sorted(maps.Keys(bySource)) {
		i.volumes = append(i.volumes, bySource[source])
	}
	slices.SortFunc(i.volumes, func(a, b deployer.Volume) int {
		return strings.Compare(a.Target+"\x00"+a.Source, b.Target+"\x00"+b.Source)
	})
	for n := 1; n < len(i.volumes); n++ {
		if i.volumes[n].Target == i.volumes[n-1].Target {
			r.problem(i.sources[i.volumes[n].Source], fmt.Sprintf("%s is mounted from %s already", i.volumes[n].Target, i.volumes[n-1].Source), "")
		}
	}
}

// target reads the container's side of schema 2.
func (r *reader) target(volume deployer.Volume, v *value) (deployer.Volume, bool) {
	switch {
	case v.kind == text:
		volume.Target = v.str
	case v.kind == dict && v.get("target") != nil:
		r.known(v, []string{"target", "mode"}, nil)
		volume.Target = r.text(v.get("target"))
		var options []string
		for word := range strings.SplitSeq(r.text(v.get("mode")), ",") {
			switch word {
			case "ro":
				volume.ReadOnly = true
			case "rw", "":
			default:
				options = append(options, word)
			}
		}
		volume.Options = strings.Join(options, ",")
	default:
		r.problem(v, fmt.Sprintf("%s is not a path in the container", v.python()), "write /host/path: /container/path, or {target: /container/path, mode: ro}")
		return volume, false
	}
	return volume, true
}

// mountable tells whether Docker can mount it: a path or a volume's name, at an
// absolute path.
func (r *reader) mountable(v deployer.Volume, key, item *value) bool {
	if !path.IsAbs(v.Source) && batuta.CheckName(v.Source) != nil {
		r.problem(key, fmt.Sprintf("%q is neither an absolute path nor a volume's name", v.Source), "")
		return false
	}
	if !path.IsAbs(v.Target) || path.Clean(v.Target) == "/" {
		r.problem(item, fmt.Sprintf("%q is not a path in the container", v.Target), "write an absolute path")
		return false
	}
	return true
}

// anonymous reads container_volumes, which must not be where something else is
// mounted.
func (r *reader) anonymous(i *instance, v *value) {
	out := r.texts(v)
	slices.Sort(out)
	i.settings.AnonymousVolumes = slices.Compact(out)
	for _, volume := range i.volumes {
		if slices.Contains(out, volume.Target) {
			r.problem(v, fmt.Sprintf("%s is mounted from %s already", volume.Target, volume.Source), "keep one of them")
		}
	}
}

// volumesFrom checks from whom instances take volumes, and lets the services
// of these be started first. A service does not wait for itself.
func (r *reader) volumesFrom(d *Document) {
	known := slices.Sorted(maps.Keys(d.instances))
	for _, name := range known {
		i := d.instances[name]
		at := i.at.get("volumes_from")
		for _, from := range i.settings.VolumesFrom {
			other := d.instances[string(from)]
			switch {
			case other == nil:
				r.problem(at, fmt.Sprintf("no instance %q to take volumes from", from), document.Suggest(string(from), known))
				continue
			case other == i:
				r.problem(at, "an instance cannot take volumes from itself", "")
				continue
			case other.ship != i.ship:
				r.problem(at, fmt.Sprintf("%s is on ship %s, and %s on %s", from, other.ship, name, i.ship), "put them on one ship")
			}
			if both := both(i.targets(), other.targets()); len(both) > 0 {
				r.problem(at, fmt.Sprintf("%s and %s both have %s", name, from, strings.Join(both, ", ")), "keep one of them")
			}
			if s := d.services[i.service]; other.service != i.service && !slices.Contains(s.implied, other.service) {
				s.implied = append(s.implied, other.service)
				slices.Sort(s.implied)
			}
		}
	}
}

// targets are the paths of the container's own volumes.
func (i *instance) targets() []string {
	out := slices.Clone(i.settings.AnonymousVolumes)
	for _, v := range i.volumes {
		out = append(out, v.Target)
	}
	slices.Sort(out)
	return out
}

func both(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return !slices.Contains(b, s) })
}
