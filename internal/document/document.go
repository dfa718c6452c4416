// Package document reads the YAML files that people write, strictly: unknown
// and repeated keys, wrong types and missing values are all found in one pass,
// each with its place and a way out. What only the reader's owner can judge
// (an unknown ship, a cycle) is reported afterwards with Document.Problem, in
// the same form.
//
// Every room that reads a file of its own uses it: batuta.yml (pipeline),
// environments/*.yml (deployer), server.yml (internal/config).
package document

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"batuta"
)

// The bounds of a document. They are far above what people write and far
// below what would hurt the server.
const (
	MaxBytes = 1 << 20
	maxNodes = 100_000
	maxDepth = 50
)

// Path leads from the top of a document to a value: keys, and list indices as
// decimal numbers. It is not a string, as a key may hold a dot.
type Path []string

// At is the path of a child.
func (p Path) At(keys ...string) Path { return append(slices.Clip(slices.Clone(p)), keys...) }

// String joins the path with dots, for people.
func (p Path) String() string { return strings.Join(p, ".") }

// Document is one file that was read.
type Document struct {
	file     string
	root     *yaml.Node
	problems batuta.Problems
}

// Read decodes the single YAML document in data into the struct that into
// points to, by the rules of Node.Decode. File is the name that problems carry.
// The document is usable for placing further problems even if it has some.
func Read(file string, data []byte, into any) *Document {
	d := &Document{file: file}
	if d.root = d.parse(data); d.root != nil {
		n := Node{d, d.root, nil}
		if d.bounded(n) {
			_ = n.Decode(into) // its problems are the document's
		}
	}
	return d
}

// parse gives the top value of the only document in data, or nil with the
// problem recorded.
func (d *Document) parse(data []byte) *yaml.Node {
	if len(data) > MaxBytes {
		d.add(1, 1, nil, fmt.Sprintf("the file has %d bytes", len(data)), fmt.Sprintf("at most %d are read", MaxBytes))
		return nil
	}
	dec := yaml.NewDecoder(strings.NewReader(string(data)))
	var doc yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		d.add(1, 1, nil, "the file is empty", "")
		return nil
	case err != nil:
		d.syntax(err, data)
		return nil
	}
	if err := dec.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		d.add(secondDocument(data, doc.Content[0].Line), 1, nil, "here a second YAML document begins, and a file holds one", "remove this line and what follows, or put it into a file of its own")
		return nil
	}
	return doc.Content[0]
}

// syntax records what makes a file no YAML. What is wrong with a tab the YAML
// library does not say, and the line is near the one it names.
func (d *Document) syntax(err error, data []byte) {
	line, message := yamlError(err)
	lines := strings.Split(string(data), "\n")
	for at := max(line-1, 1); at <= min(line+1, len(lines)); at++ {
		indent := lines[at-1][:len(lines[at-1])-len(strings.TrimLeft(lines[at-1], " \t"))]
		if column := strings.IndexByte(indent, '\t'); column >= 0 {
			d.add(at, column+1, nil, "the line is indented with a tab", "indent with spaces: YAML takes no tabs there")
			return
		}
	}
	d.add(line, 1, nil, message, "look at the indentation, the brackets and the quotes here and on the line before")
}

// secondDocument is the line that ends the first document of a file, whose
// value begins on some line.
func secondDocument(data []byte, first int) int {
	for i, line := range strings.Split(string(data), "\n") {
		if i >= first && (strings.HasPrefix(line, "---") || strings.HasPrefix(line, "...")) {
			return i + 1
		}
	}
	return first
}

var yamlLine = regexp.MustCompile(`line (\d+): (.*)`)

// yamlError finds the line in the text of a syntax error, the only place where
// the YAML library keeps it.
func yamlError(err error) (int, string) {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ := strconv.Atoi(m[1])
		return line, "not YAML: " + m[2]
	}
	return 1, "not YAML: " + text
}

// bounded refuses documents that aliases or nesting blow up.
func (d *Document) bounded(n Node) bool {
	count := 0
	var walk func(y *yaml.Node, depth int) bool
	walk = func(y *yaml.Node, depth int) bool {
		if count++; count > maxNodes || depth > maxDepth {
			return false
		}
		if y.Kind == yaml.AliasNode {
			return walk(y.Alias, depth+1)
		}
		return !slices.ContainsFunc(y.Content, func(c *yaml.Node) bool { return !walk(c, depth+1) })
	}
	if walk(n.y, 0) {
		return true
	}
	d.add(1, 1, nil, "the document is nested or aliased beyond reason", fmt.Sprintf("at most %d values and %d levels are read", maxNodes, maxDepth))
	return false
}

// Problem records what is wrong with the value at path, or with the nearest
// value above it that the document has. Of a document that could not be read
// nothing else is told.
func (d *Document) Problem(path Path, message, hint string) {
	if d.root == nil {
		return // what it is to say is not known
	}
	line, column := d.Place(path)
	d.add(line, column, path, message, hint)
}

// Has tells whether the document itself has a value at path, not by way of a
// merge key.
func (d *Document) Has(path Path) bool { return d.find(path) != nil }

// Scalar is the text of the value at path, and whether the document itself has
// a single one there that is not null.
func (d *Document) Scalar(path Path) (string, bool) {
	y := d.find(path)
	if y == nil {
		return "", false
	}
	return Node{d, y, path}.Scalar()
}

// Err is all problems found so far, in the order of the file; nil if none.
func (d *Document) Err() error { return d.Problems().Err() }

// Problems is all problems found so far, in the order of the file.
func (d *Document) Problems() batuta.Problems {
	slices.SortStableFunc(d.problems, func(a, b batuta.Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), strings.Compare(a.Path, b.Path))
	})
	return slices.CompactFunc(d.problems, func(a, b batuta.Problem) bool { return a == b })
}

func (d *Document) add(line, column int, path Path, message, hint string) {
	d.problems = append(d.problems, batuta.Problem{
		File: d.file, Line: line, Column: column, Path: path.String(), Message: message, Hint: hint,
	})
}

// Place is where the value at path stands, or the nearest above it.
func (d *Document) Place(path Path) (line, column int) {
	for n := len(path); n >= 0; n-- {
		if y := d.find(path[:n]); y != nil {
			return y.Line, y.Column
		}
	}
	return 1, 1
}

// find gives the value at path, or nil.
func (d *Document) find(path Path) *yaml.Node {
	y := d.root
	for _, key := range path {
		if y == nil {
			return nil
		}
		y = child(resolve(y), key)
	}
	return y
}

func child(y *yaml.Node, key string) *yaml.Node {
	switch y.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(y.Content); i += 2 {
			if y.Content[i].Value == key {
				return y.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(key); err == nil && i >= 0 && i < len(y.Content) {
			return y.Content[i]
		}
	}
	return nil
}

func resolve(y *yaml.Node) *yaml.Node {
	for y.Kind == yaml.AliasNode {
		y = y.Alias
	}
	return y
}
