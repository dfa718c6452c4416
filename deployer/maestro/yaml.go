package maestro

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"batuta/internal/document"
)

// The bounds of a document, template and rendered text alike.
const (
	maxBytes  = 1 << 20
	maxValues = 100_000
	maxDepth  = 50
)

// parse reads the only YAML document in the text as PyYAML's safe loader does,
// with duplicate keys refused as MaestroNG refuses them. Merge keys, which
// MaestroNG does not take, are taken.
func (r *reader) parse(data string) (*value, bool) {
	dec := yaml.NewDecoder(strings.NewReader(data))
	var doc yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		r.add(1, 1, nil, "the document is empty", "")
		return nil, false
	case err != nil:
		line, message := yamlError(err)
		r.add(line, 1, nil, message, "")
		return nil, false
	}
	if err := dec.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		r.add(1, 1, nil, "the file holds more than one YAML document", "keep one; remove what follows the second ---")
		return nil, false
	}
	c := converter{reader: r}
	return c.value(doc.Content[0], nil, 0), !c.full
}

var yamlLine = regexp.MustCompile(`line (\d+): (.*)`)

// yamlError finds the line in the text of a syntax error, the only place where
// the YAML library keeps it.
func yamlError(err error) (int, string) {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		line, _ := strconv.Atoi(m[1])
		return line, "not YAML: " + m[2]
	}
	return 1, "not YAML: " + message
}

// converter turns YAML nodes into values, each alias into a value of its own.
type converter struct {
	*reader
	count int
	full  bool
}

func (c *converter) value(y *yaml.Node, path document.Path, depth int) *value {
	if c.count++; (c.count > maxValues || depth > maxDepth) && !c.full {
		c.full = true
		c.add(1, 1, nil, "the document is nested or aliased beyond reason", fmt.Sprintf("at most %d values and %d levels are read", maxValues, maxDepth))
	}
	v := &value{line: y.Line, column: y.Column, path: path, anchored: y.Anchor != ""}
	if c.full {
		return v
	}
	switch y.Kind {
	case yaml.AliasNode:
		return c.value(y.Alias, path, depth+1)
	case yaml.SequenceNode:
		v.kind = list
		for i, item := range y.Content {
			v.items = append(v.items, c.value(item, path.At(strconv.Itoa(i)), depth+1))
		}
	case yaml.MappingNode:
		v.kind = dict
		c.pairs(v, y, depth)
	default:
		c.scalar(v, y)
	}
	return v
}

// pairs reads a mapping: its own keys, then those of what it merges.
func (c *converter) pairs(v *value, y *yaml.Node, depth int) {
	var merged []*yaml.Node
	for i := 0; i+1 < len(y.Content); i += 2 {
		name, item := y.Content[i], y.Content[i+1]
		if name.Value == "<<" && name.Kind == yaml.ScalarNode && name.Style == 0 {
			merged = append(merged, item)
			continue
		}
		key := c.value(name, v.path, depth+1)
		key.path = v.path.At(key.python())
		if key.kind == list || key.kind == dict {
			c.problem(key, "a key cannot be "+key.kind.String(), "")
			continue
		}
		c.trap(key)
		if first := slices.IndexFunc(v.keys, key.same); first >= 0 {
			c.problem(key, fmt.Sprintf("key %q stands twice (the first is on %s)", key.python(), c.sourceLine(v.keys[first])), "remove one")
			continue
		}
		v.keys = append(v.keys, key)
		v.items = append(v.items, c.value(item, key.path, depth+1))
	}
	for _, from := range merged {
		c.merge(v, c.value(from, v.path, depth+1))
	}
}

func (c *converter) merge(into, from *value) {
	switch from.kind {
	case dict:
		for i, key := range from.keys {
			if !slices.ContainsFunc(into.keys, key.same) {
				into.keys, into.items = append(into.keys, key), append(into.items, from.items[i])
			}
		}
	case list:
		for _, item := range from.items {
			c.merge(into, item)
		}
	default:
		c.problem(from, "only a mapping can be merged", "write <<: *anchor")
	}
}

// same tells whether two keys are one to Python.
func (v *value) same(w *value) bool {
	return v.str == w.str && (v.kind == w.kind || v.kind != text && w.kind != text)
}

// tagged are the kinds that an explicit tag gives a scalar.
var tagged = map[string]kind{"!!str": text, "!": text, "!!int": integer, "!!float": float, "!!bool": boolean, "!!null": null, "!!timestamp": moment}

func (c *converter) scalar(v *value, y *yaml.Node) {
	v.written = y.Value
	k := implicit(y.Value)
	const quotes = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	if v.quoted = y.Style&quotes != 0; v.quoted {
		k = text
	}
	if y.Style&yaml.TaggedStyle != 0 {
		t, known := tagged[y.Tag]
		switch {
		case known:
			k, v.quoted = t, true
		case y.Tag == "!!binary":
			decoded, err := pythonBinary(y.Value)
			if err != nil {
				c.problem(v, "not base64: "+err.Error(), "")
			}
			k, v.written, v.quoted = text, decoded, true
		default:
			c.problem(v, fmt.Sprintf("tag %s is not known", y.Tag), "remove it")
		}
	}
	if err := v.construct(k); err != nil {
		c.problem(v, fmt.Sprintf("PyYAML takes %q for %s, which it is not", y.Value, k), "put it in quotes")
		_ = v.construct(text) // cannot fail
	}
	if v.kind == text && !v.quoted && (y.Value == "=" || y.Value == "<<") {
		c.problem(v, fmt.Sprintf("PyYAML does not take %q for a text", y.Value), "put it in quotes")
	}
}
