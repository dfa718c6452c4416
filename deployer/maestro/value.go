package maestro

import (
	"encoding/json"
	"strings"

	"batuta/internal/document"
)

// kind is what PyYAML makes of a value.
type kind int

const (
	null kind = iota
	boolean
	integer
	float
	moment // a date, with or without a time
	text
	list
	dict
)

func (k kind) String() string {
	return [...]string{"nothing", "a truth value", "a whole number", "a number", "a date", "a text", "a list", "a mapping"}[k]
}

// value is one value of a document: where it stands and what MaestroNG, that
// is Python, makes of it.
type value struct {
	kind    kind
	str     string // of a scalar: Python's str() of it
	repr    string // of a scalar: Python's repr() of it, as it appears inside of another
	written string // of a scalar: as it stands in the document
	quoted  bool   // of a scalar: it is a text whatever it looks like

	items []*value // of a list; of a dict its values, beside their keys
	keys  []*value

	line, column int // in the rendered document
	path         document.Path
	anchored     bool // it defines an anchor
}

// get is the value of a key; nil if there is none.
func (v *value) get(key string) *value {
	if v == nil {
		return nil
	}
	for i, k := range v.keys {
		if k.str == key && k.kind != null {
			return v.items[i]
		}
	}
	return nil
}

// isNull tells whether there is no value, or null.
func (v *value) isNull() bool { return v == nil || v.kind == null }

// truth is Python's bool() of the value.
func (v *value) truth() bool {
	switch {
	case v == nil:
		return false
	case v.kind == list || v.kind == dict:
		return len(v.items) > 0
	case v.kind == boolean:
		return v.str == "True"
	case v.kind == integer, v.kind == float:
		return strings.Trim(v.str, "-0.") != ""
	case v.kind == text:
		return v.str != ""
	}
	return v.kind == moment
}

// python is Python's str() of the value, whatever it is.
func (v *value) python() string {
	switch v.kind {
	case null:
		return "None"
	case list, dict:
		return v.pythonRepr()
	}
	return v.str
}

func (v *value) pythonRepr() string {
	var parts []string
	for i, item := range v.items {
		part := item.pythonRepr()
		if v.kind == dict {
			part = v.keys[i].pythonRepr() + ": " + part
		}
		parts = append(parts, part)
	}
	switch v.kind {
	case list:
		return "[" + strings.Join(parts, ", ") + "]"
	case dict:
		return "{" + strings.Join(parts, ", ") + "}"
	case null:
		return "None"
	}
	return v.repr
}

// plain is the value as encoding/json writes it.
func (v *value) plain() any {
	if v.isNull() {
		return nil
	}
	switch v.kind {
	case list:
		out := make([]any, len(v.items))
		for i, item := range v.items {
			out[i] = item.plain()
		}
		return out
	case dict:
		out := map[string]any{}
		for i, key := range v.keys {
			out[key.python()] = v.items[i].plain()
		}
		return out
	case boolean:
		return v.truth()
	case integer, float:
		if n := json.Number(v.str); json.Valid([]byte(n)) {
			return n
		}
	}
	return v.str
}
