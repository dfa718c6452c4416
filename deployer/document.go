// Package deployer brings an environment to what its document declares. It is
// the last room on a push's way: the pipeline hands it the document of a
// release and the images by digest; Parse and Resolve make a Spec of them, Diff
// compares that with what runs and gives a Plan, and Fleet.Apply follows the
// plan on the ships, each of which package deployer/docker reaches.
package deployer

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"batuta"
	"batuta/internal/document"
)

// Document is an environment document: environments/qa.yml. It is immutable;
// what it declares becomes concrete with Resolve.
type Document struct {
	file string
	data []byte
	body body
}

// body is the format batuta: 1.
type body struct {
	Batuta    string                         `yaml:"batuta"`
	Name      string                         `yaml:"name"` // informational
	Drift     string                         `yaml:"drift"`
	LostAfter time.Duration                  `yaml:"lost_after"`
	Update    update                         `yaml:"update"`
	Ships     map[batuta.ShipName]ship       `yaml:"ships"`
	Services  map[batuta.ServiceName]service `yaml:"services"`
}

// What is done about drift.
const (
	driftReport = "report"
	driftRepair = "repair"
)

type service struct {
	traits `yaml:",inline"`

	Build     batuta.ImageName                 `yaml:"build"`
	Count     *count                           `yaml:"count"`
	On        selector                         `yaml:"on"`
	Spread    string                           `yaml:"spread"` // a label whose values are filled evenly
	Instances map[batuta.InstanceName]instance `yaml:"instances"`
	Requires  []batuta.ServiceName             `yaml:"requires"`
	WantsInfo []batuta.ServiceName             `yaml:"wants_info"`
	Omit      bool                             `yaml:"omit"`
	LostAfter *time.Duration                   `yaml:"lost_after"`
	Update    update                           `yaml:"update"`
	Hooks     hooks                            `yaml:"hooks"`
	Routes    unserved                         `yaml:"routes"`
	EnvFile   unread                           `yaml:"envfile"`
}

// instance is what one named instance has of its own.
type instance struct {
	traits `yaml:",inline"`

	Ship    batuta.ShipName `yaml:"ship"`
	EnvFile unread          `yaml:"envfile"`
}

// unserved is a key whose time has not come.
type unserved struct{}

func (*unserved) UnmarshalDocument(document.Node) error {
	return invalid("nothing routes host names to services yet", "publish a port, and point a proxy at it")
}

// unread is MaestroNG's key of files with variables: a document is one text.
type unread struct{}

func (*unread) UnmarshalDocument(document.Node) error {
	return invalid("a document is read without the files beside it", "write the variables under env:, and secrets as ${secret:NAME}")
}

// text is a value that remembers where it stands.
type text struct {
	value string
	path  document.Path
}

func (t *text) UnmarshalDocument(n document.Node) error {
	t.path = n.Path()
	return n.Decode(&t.value)
}

// Parse reads an environment document. File is the name that problems carry.
// The error is batuta.Problems: everything that is wrong with the document by
// itself. The document is given even then, so that Resolve can report what is
// wrong with it on these ships in the same list.
func Parse(file string, data []byte) (*Document, error) {
	d := &Document{file: file, data: slices.Clone(data)}
	doc, b := d.read()
	d.body = b
	return d, doc.Err()
}

// Validate reports everything that can be wrong without knowing the ships. If
// images is not nil, they are the images that batuta.yml builds.
func (d *Document) Validate(images []batuta.ImageName) error {
	doc, b := d.read()
	if images != nil {
		for name, s := range b.Services {
			if s.Build != "" && !slices.Contains(images, s.Build) {
				doc.Problem(unknownBuild(name, s.Build, images))
			}
		}
	}
	return doc.Err()
}

// read decodes and checks the document anew, so that each use has its own list
// of problems.
func (d *Document) read() (*document.Document, body) {
	var b body
	doc := document.Read(d.file, d.data, &b)
	validator{doc, b}.run()
	return doc, b
}

// References lists, sorted, the image references that name no digest: each
// needs a pin to be resolved.
func (d *Document) References() []string {
	refs := map[string]bool{}
	for _, s := range d.body.Services {
		refs[s.Image] = true
		for _, i := range s.Instances {
			refs[i.Image] = true
		}
		s.eachHook("", func(_ string, _ int, _ batuta.InstanceName, h hook) { refs[h.Image] = true })
	}
	maps.DeleteFunc(refs, func(ref string, _ bool) bool {
		_, pinned := parseDigested(ref)
		return ref == "" || pinned
	})
	return slices.Sorted(maps.Keys(refs))
}

// unknownBuild is the problem of a build that names no image of batuta.yml.
func unknownBuild(s batuta.ServiceName, image batuta.ImageName, known []batuta.ImageName) (path document.Path, message, hint string) {
	return servicePath(s, "build"), fmt.Sprintf("no image %q is built", image), document.Suggest(string(image), words(known))
}

func servicePath(s batuta.ServiceName, keys ...string) document.Path {
	return document.Path{"services", string(s)}.At(keys...)
}

// words turns names into the sorted list that a suggestion is made from.
func words[T ~string](in []T) []string {
	out := names(in)
	slices.Sort(out)
	return out
}

// ours finds the key batuta at the top level. A document that cannot be read
// as YAML has to be told apart, too, to be told what is wrong with it.
var ours = regexp.MustCompile(`(?m)^["']?batuta["']?[ \t]*:`)

// Ours tells whether the text is a document of the format batuta: 1. Any other
// is MaestroNG's, which package deployer/maestro reads.
func Ours(data []byte) bool { return ours.Match(data) }
