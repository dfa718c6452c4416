package deployer

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"batuta"
	"batuta/internal/document"
)

// volume is one entry of volumes: the key is an absolute path of the ship or
// the name of a volume, the value the path in the container, or
// {target: /data, mode: ro}.
type volume struct {
	target   string
	readOnly bool
	path     document.Path
}

func (v *volume) UnmarshalDocument(n document.Node) error {
	v.path = n.Path()
	if target, ok := n.Scalar(); ok {
		v.target = target
	} else {
		var long struct {
			Target string `yaml:"target"`
			Mode   string `yaml:"mode"`
		}
		if err := n.Decode(&long); err != nil {
			return err
		}
		v.target, v.readOnly = long.Target, long.Mode == "ro"
		if long.Mode != "" && long.Mode != "ro" && long.Mode != "rw" {
			return invalid(fmt.Sprintf("%q is not a mode", long.Mode), "write ro or rw")
		}
	}
	if !path.IsAbs(v.target) || path.Clean(v.target) == "/" {
		return invalid(fmt.Sprintf("%q is not a path in the container", v.target), "write an absolute path; {target: /data, mode: ro} for read-only")
	}
	v.target = path.Clean(v.target)
	return nil
}

// checkSource tells whether a key of volumes is a path or a volume's name.
func checkSource(source string) error {
	if path.IsAbs(source) || batuta.CheckName(source) == nil {
		return nil
	}
	return invalid(fmt.Sprintf("%q is neither an absolute path nor a volume's name", source), "write /host/path: /container/path, or name: /container/path")
}

// resolve cleans the source. A named volume belongs to its scope: qa and
// production on one ship do not share their data.
func (v volume) resolve(source string, s Scope) Volume {
	if path.IsAbs(source) {
		source = path.Clean(source)
	} else {
		source = volumePrefix(s) + source
	}
	return Volume{Source: source, Target: v.target, ReadOnly: v.readOnly}
}

// volumePrefix begins the names of a scope's own volumes.
func volumePrefix(s Scope) string {
	if s == (Scope{}) {
		return ""
	}
	if s.App == "" { // without a repository
		return fmt.Sprintf("%s_", s.Environment)
	}
	return fmt.Sprintf("%s_%s_", s.App, s.Environment)
}

// String is the volume as a plan shows it: /srv/files:/data:ro.
func (v Volume) String() string {
	s := v.Source + ":" + v.Target
	switch {
	case v.ReadOnly && v.Options != "":
		s += ":ro," + v.Options
	case v.ReadOnly:
		s += ":ro"
	case v.Options != "":
		s += ":" + v.Options
	}
	return s
}

// volumes resolves the volumes of one instance.
func (r *resolver) volumes(volumes map[string]volume) []Volume {
	var out []Volume
	for _, source := range slices.Sorted(maps.Keys(volumes)) {
		declared := volumes[source]
		v := declared.resolve(source, r.in.Scope)
		if strings.HasPrefix(v.Source, "/") && !r.in.OwnShips && !r.in.Allow.Allows(v.Source) {
			r.problem(declared.path, fmt.Sprintf("the host's %s may not be mounted", v.Source), r.in.Allow.allowed())
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
