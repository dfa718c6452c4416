package convert

import (
	"cmp"
	"errors"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"batuta"
	"batuta/internal/document"
)

// place finds where in the file the errors of Compose's reader are, which tells
// paths and values, and lines that are sometimes another's.
func place(file string, data []byte, err error) error {
	var top yaml.Node
	if bad := yaml.NewDecoder(strings.NewReader(string(data))).Decode(&top); bad != nil && !errors.Is(bad, io.EOF) {
		p := batuta.Problem{File: file, Line: 1, Column: 1, Message: "not YAML: " + strings.TrimPrefix(bad.Error(), "yaml: ")}
		if m := yamlLine.FindStringSubmatch(bad.Error()); m != nil {
			p.Line, _ = strconv.Atoi(m[1])
			p.Message = "not YAML: " + m[2]
		}
		return batuta.Problems{p}
	}
	if twice := repeated(file, &top, nil); twice != nil {
		return twice
	}
	var out batuta.Problems
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimSpace(line); line == "" || strings.HasSuffix(line, "following error(s):") {
			continue
		}
		out = append(out, located(file, &top, line))
	}
	return out.Err()
}

var (
	yamlLine   = regexp.MustCompile(`line (\d+): (.*)`)
	inBrackets = regexp.MustCompile(`\[([^\]]+)\]`)
	pathForm   = regexp.MustCompile(`\b(?:services|volumes|networks|secrets|configs|models|jobs)(?:\.[\w-]+|\[[^\]]+\])+`)
	ofService  = regexp.MustCompile(`service "([^"]+)"`)
	quotedForm = regexp.MustCompile(`["']([^"']+)["']`)
)

// located is one error, told where it is as well as it can be found.
func located(file string, top *yaml.Node, message string) batuta.Problem {
	message = strings.TrimSuffix(strings.TrimPrefix(message, "validating "+file+": "), ": invalid compose project")
	p := batuta.Problem{File: file, Line: 1, Column: 1, Message: "Compose refuses this: " + message}
	var path document.Path
	switch found, service := pathForm.FindString(message), ofService.FindStringSubmatch(message); {
	case found != "":
		path = strings.Split(inBrackets.ReplaceAllString(found, ".$1"), ".")
		rest := strings.TrimLeft(strings.Replace(strings.TrimPrefix(message, "error while interpolating "), found, "", 1), "': ")
		p.Message = "Compose refuses this: " + rest
		if strings.HasSuffix(rest, "false schema") {
			p.Message = "Compose knows no such key"
		}
	case service != nil:
		path = document.Path{"services", service[1]}
	}
	at, depth := follow(top, path)
	if depth == len(path) && path != nil {
		p.Path = path.String()
	}
	if value := mentioned(at, message); value != nil && (path == nil || depth == len(path)) {
		at = value
	}
	if at.Line > 0 {
		p.Line, p.Column = at.Line, at.Column
	}
	return p
}

// follow goes down a path as far as there is something.
func follow(n *yaml.Node, path []string) (at *yaml.Node, depth int) {
	for n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
		n = n.Content[0]
	}
	at = n
	for _, part := range path {
		if n.Kind == yaml.AliasNode {
			n = n.Alias
		}
		next := (*yaml.Node)(nil)
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == part {
				at, next = n.Content[i], n.Content[i+1]
			}
		}
		if i, err := strconv.Atoi(part); err == nil && n.Kind == yaml.SequenceNode && i >= 0 && i < len(n.Content) {
			at, next = n.Content[i], n.Content[i]
		}
		if next == nil {
			return at, depth
		}
		n, depth = next, depth+1
	}
	if n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode {
		return cmp.Or(under(at, n), at), depth
	}
	return at, depth
}

// under is the key with its value below it, so that both are looked through.
func under(key, value *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Line: key.Line, Column: key.Column, Content: []*yaml.Node{key, value}}
}

// mentioned is the first value that the message tells.
func mentioned(in *yaml.Node, message string) *yaml.Node {
	var words []string
	for _, m := range quotedForm.FindAllStringSubmatch(message, -1) {
		words = append(words, m[1])
	}
	slices.Reverse(words)
	if at := strings.LastIndex(message, ": "); at >= 0 {
		words = append(words, message[at+2:])
	}
	for word := range strings.FieldsSeq(message) {
		if strings.Contains(word, "/") {
			words = append(words, filepath.Base(strings.Trim(word, `"':,`)))
		}
	}
	for _, word := range words {
		if n := holding(in, word); n != nil {
			return n
		}
	}
	return nil
}

// holding is the first scalar that has a text in it.
func holding(n *yaml.Node, text string) *yaml.Node {
	if n.Kind == yaml.ScalarNode && text != "" && n.Line > 0 && strings.Contains(n.Value, text) {
		return n
	}
	for _, c := range n.Content {
		if found := holding(c, text); found != nil {
			return found
		}
	}
	return nil
}

// repeated finds all keys that stand twice.
func repeated(file string, n *yaml.Node, path document.Path) (out batuta.Problems) {
	seen := map[string]int{}
	for i, c := range n.Content {
		at := path
		switch {
		case n.Kind == yaml.MappingNode && i%2 == 0:
			if first, twice := seen[c.Value]; twice && c.Value != "<<" {
				out = append(out, batuta.Problem{
					File: file, Line: c.Line, Column: c.Column, Path: path.At(c.Value).String(),
					Message: "the key stands twice (the first is on line " + strconv.Itoa(first) + ")", Hint: "remove one",
				})
			}
			seen[c.Value] = c.Line
			continue
		case n.Kind == yaml.MappingNode:
			at = path.At(n.Content[i-1].Value)
		case n.Kind == yaml.SequenceNode:
			at = path.At(strconv.Itoa(i))
		}
		out = append(out, repeated(file, c, at)...)
	}
	return out
}
