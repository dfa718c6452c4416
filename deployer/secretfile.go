package deployer

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"batuta"
	"batuta/internal/document"
)

// secretFiles are secrets that a container finds as files, by the secret's
// name: a list of names, each then below /run/secrets, or a mapping of names
// to paths or to {target, mode, uid, gid}.
type secretFiles map[string]secretFile

type secretFile struct {
	target   string
	mode     fs.FileMode
	uid, gid int
	path     document.Path
}

const (
	secretDir         = "/run/secrets"
	defaultSecretMode = 0o400
)

func (s *secretFiles) UnmarshalDocument(n document.Node) error {
	if !n.IsList() {
		return n.Decode((*map[string]secretFile)(s))
	}
	var names []text
	if err := n.Decode(&names); err != nil {
		return err
	}
	*s = secretFiles{}
	for _, name := range names {
		(*s)[name.value] = secretFile{mode: defaultSecretMode, path: name.path}
	}
	return nil
}

func (s *secretFile) UnmarshalDocument(n document.Node) error {
	s.path, s.mode = n.Path(), defaultSecretMode
	if target, ok := n.Scalar(); ok {
		s.target = target
		return s.checkTarget()
	}
	var long struct {
		Target string `yaml:"target"`
		Mode   string `yaml:"mode"`
		UID    int    `yaml:"uid"`
		GID    int    `yaml:"gid"`
	}
	if err := n.Decode(&long); err != nil {
		return err
	}
	s.target, s.uid, s.gid = long.Target, long.UID, long.GID
	if long.Mode != "" {
		mode, err := strconv.ParseUint(strings.TrimPrefix(long.Mode, "0o"), 8, 32)
		if err != nil || mode > 0o777 {
			return invalid(fmt.Sprintf("%q is not a file's mode", long.Mode), "write octal digits: 0400, 0440")
		}
		s.mode = fs.FileMode(mode)
	}
	if s.uid < 0 || s.gid < 0 {
		return invalid("uid and gid are numbers from 0", "")
	}
	return s.checkTarget()
}

// checkTarget tells whether the target, if there is one, can be a file.
func (s *secretFile) checkTarget() error {
	if s.target != "" && (!path.IsAbs(s.target) || path.Clean(s.target) == "/") {
		return invalid(fmt.Sprintf("%q is not a path in the container", s.target), "write an absolute path: /run/secrets/db_password")
	}
	return nil
}

// secretFiles gives the files, and the values that must not be shown.
func (r *resolver) secretFiles(at document.Path, files secretFiles) (out []SecretFile, values []string) {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f := files[name]
		where := cmpPath(f.path, at.At("secrets", name))
		value, ok := r.secret(name)
		switch {
		case batuta.CheckName(name) != nil:
			r.error(where, batuta.CheckName(name))
		case !ok:
			r.error(where, unknownSecret(name))
		}
		file := SecretFile{
			Secret: name, Target: path.Clean(cmp.Or(f.target, path.Join(secretDir, name))),
			Mode: cmp.Or(f.mode, defaultSecretMode), UID: f.uid, GID: f.gid, Value: value,
		}
		for _, other := range out {
			if other.Target == file.Target {
				r.problem(where, fmt.Sprintf("%s is the file of secret %q already", file.Target, other.Secret), "")
			}
		}
		out, values = append(out, file), append(values, value)
	}
	slices.SortFunc(out, func(a, b SecretFile) int { return strings.Compare(a.Target, b.Target) })
	return out, values
}

// cmpPath is the first path that is known.
func cmpPath(a, b document.Path) document.Path {
	if a != nil {
		return a
	}
	return b
}
