// Package maestro reads MaestroNG's environment documents by MaestroNG's own
// rules: a Jinja2 template that renders to YAML 1.1, of schema 1 or 2. What it
// reads becomes a deployer.Spec, as a document of the format batuta: 1 does;
// package deployer takes it from there. Where MaestroNG's reading is a trap,
// its value is kept, and a warning says where it stands and what to write.
package maestro

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"regexp"
	"slices"
	"strings"

	"batuta"
	"batuta/deployer"
)

// Options say what a document may see of the place where it is read.
type Options struct {
	Env    map[string]string // what {{ env.X }} sees; nil: nothing
	Dir    string            // includes, envfiles and imports are below it; empty: there are none, and asking for one is a problem
	Strict bool              // what would be a warning is a problem
}

// Document is what a MaestroNG file declares. It is immutable.
type Document struct {
	file     string
	strict   bool // what is warned of is a problem
	problems batuta.Problems
	warnings batuta.Problems
	lines    *lines // of its template; nil: it is none

	name       string
	schema     int
	ships      map[string]ship
	services   map[string]*service
	instances  map[string]*instance // all of them, by their names
	registries []Registry
	audit      []Auditor
}

// Read reads a MaestroNG document. File is the name that problems carry. The
// error is batuta.Problems: everything that is wrong with it, in terms of the
// file's own lines where they can be told. The document is given even then;
// Validate and Resolve repeat the problems.
func Read(file string, data []byte, o Options) (*Document, error) {
	r := &reader{file: file, options: o}
	d := &Document{file: file, strict: o.Strict, schema: 1}
	text, ok := r.render(data)
	if ok {
		if top, ok := r.parse(text); ok {
			r.document(d, top)
		}
	}
	d.problems, d.warnings = r.outcome()
	d.lines = r.lines
	return d, d.problems.Err()
}

// Warnings are where MaestroNG's reading is probably not what was meant, in
// the order of the file.
func (d *Document) Warnings() batuta.Problems { return slices.Clone(d.warnings) }

// Name is the environment's name as written.
func (d *Document) Name() string { return d.name }

// Schema is 1 or 2. They differ in the direction of volumes.
func (d *Document) Schema() int { return d.schema }

var notLabel = regexp.MustCompile(`[^a-z0-9]+`)

// Scope is whose containers the document's are, without a server: no app, and
// an environment of the document's name. A name that is no label is made one,
// with a part of its hash, so that two names never mean one scope.
func (d *Document) Scope() deployer.Scope {
	label := d.name
	if batuta.CheckLabel(label) != nil {
		sum := sha256.Sum256([]byte(d.name))
		stem := strings.Trim(notLabel.ReplaceAllString(strings.ToLower(d.name), "-"), "-")
		stem = strings.TrimRight(stem[:min(len(stem), 31)], "-")
		label = cmp.Or(stem, "environment") + "-" + hex.EncodeToString(sum[:4])
	}
	return deployer.Scope{Environment: batuta.EnvironmentName(label)}
}

// Ships lists the document's own ships, sorted by name.
func (d *Document) Ships() []deployer.DocumentShip {
	var out []deployer.DocumentShip
	for _, name := range slices.Sorted(maps.Keys(d.ships)) {
		out = append(out, d.ships[name].reachable(name))
	}
	return out
}

// Validate repeats what is wrong with the document by itself. MaestroNG's
// format cannot name an image that batuta.yml builds.
func (d *Document) Validate([]batuta.ImageName) error { return d.problems.Err() }

// References lists, sorted, the image references that name no digest.
func (d *Document) References() []string {
	refs := map[string]bool{}
	for _, i := range d.instances {
		if _, pinned := pinnedImage(i.image); !pinned {
			refs[i.image] = true
		}
	}
	return slices.Sorted(maps.Keys(refs))
}

// Registries lists the document's registries, sorted by name.
func (d *Document) Registries() []Registry { return slices.Clone(d.registries) }

// Audit lists who is to be told of what is done, in the order of the document.
func (d *Document) Audit() []Auditor { return slices.Clone(d.audit) }
