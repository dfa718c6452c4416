package deployer

import (
	"fmt"
	"path"
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
		source = strings.TrimPrefix(fmt.Sprintf("%s_%s_%s", s.App, s.Environment, source), "_")
	}
	return Volume{Source: source, Target: v.target, ReadOnly: v.readOnly}
}

// String is the volume as a plan shows it: /srv/files:/data:ro.
func (v Volume) String() string {
	s := v.Source + ":" + v.Target
	if v.ReadOnly {
		s += ":ro"
	}
	return s
}

// Policy is what server.yml lets an app have on its ships. The zero value
// allows nothing of the host.
type Policy struct {
	// Paths are the host directories that may be mounted, with all that is
	// below them. Links cannot be followed from here: allow no directory in
	// which a container can make a link to where it must not go.
	Paths []string
}

// allows tells whether a cleaned absolute path may be mounted.
func (p Policy) allows(source string) bool {
	for _, allowed := range p.Paths {
		allowed = path.Clean(allowed)
		if source == allowed || strings.HasPrefix(source, strings.TrimSuffix(allowed, "/")+"/") {
			return true
		}
	}
	return false
}
