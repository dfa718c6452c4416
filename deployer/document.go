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
	Batuta   string                         `yaml:"batuta"`
	Name     string                         `yaml:"name"` // informational
	Ships    map[batuta.ShipName]ship       `yaml:"ships"`
	Services map[batuta.ServiceName]service `yaml:"services"`
}

type ship struct {
	Address  string            `yaml:"address"`
	Endpoint string            `yaml:"endpoint"`
	Labels   map[string]string `yaml:"labels"`
}

type service struct {
	Image       string                           `yaml:"image"`
	Build       batuta.ImageName                 `yaml:"build"`
	Instances   map[batuta.InstanceName]instance `yaml:"instances"`
	Count       *int                             `yaml:"count"`
	On          selector                         `yaml:"on"`
	Ports       map[string]port                  `yaml:"ports"`
	Env         map[string]text                  `yaml:"env"`
	Volumes     map[string]volume                `yaml:"volumes"`
	Command     command                          `yaml:"command"`
	Lifecycle   lifecycle                        `yaml:"lifecycle"`
	Requires    []batuta.ServiceName             `yaml:"requires"`
	Restart     string                           `yaml:"restart"`
	StopTimeout *time.Duration                   `yaml:"stop_timeout"`
	StopFirst   bool                             `yaml:"stop_first"`
}

// instance is what one named instance has of its own. Ports, env and volumes
// are merged over the service's by key, checks are added to the service's, the
// rest replaces.
type instance struct {
	Ship      batuta.ShipName   `yaml:"ship"`
	Image     string            `yaml:"image"`
	Ports     map[string]port   `yaml:"ports"`
	Env       map[string]text   `yaml:"env"`
	Volumes   map[string]volume `yaml:"volumes"`
	Command   command           `yaml:"command"`
	Lifecycle lifecycle         `yaml:"lifecycle"`
}

type lifecycle struct {
	Running []check `yaml:"running"`
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
	}
	maps.DeleteFunc(refs, func(ref string, _ bool) bool {
		_, pinned := parseDigested(ref)
		return ref == "" || pinned
	})
	return slices.Sorted(maps.Keys(refs))
}

// DocumentShip is a ship that a document declares itself, for use without a
// server.
type DocumentShip struct {
	Name     batuta.ShipName
	Address  string // where its published ports answer
	Endpoint string // of its Docker Engine: unix:///…, tcp://…, ssh://user@host
	Labels   map[string]string
	Reach    Reach
}

// Ships lists the document's own ships, sorted by name.
func (d *Document) Ships() []DocumentShip {
	var ships []DocumentShip
	for _, name := range slices.Sorted(maps.Keys(d.body.Ships)) {
		s := d.body.Ships[name]
		ships = append(ships, DocumentShip{Name: name, Address: s.Address, Endpoint: s.Endpoint, Labels: s.Labels})
	}
	return ships
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
