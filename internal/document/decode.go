package document

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"batuta"
)

// Node is one value of a document.
type Node struct {
	d    *Document
	y    *yaml.Node
	path Path
}

// Unmarshaler is a type that reads itself, because it has more than one form
// or a syntax of its own. The error it returns becomes a problem at the node's
// place; what it reports through the node itself needs no error.
type Unmarshaler interface {
	UnmarshalDocument(n Node) error
}

// Path is where the node stands.
func (n Node) Path() Path { return n.path }

// Scalar is the text of the node, and whether it is a single value other than
// null. The text is as written: 010 stays 010.
func (n Node) Scalar() (string, bool) {
	y := resolve(n.y)
	return y.Value, y.Kind == yaml.ScalarNode && y.Tag != "!!null"
}

// IsMap tells whether the node is a mapping.
func (n Node) IsMap() bool { return resolve(n.y).Kind == yaml.MappingNode }

// IsList tells whether the node is a sequence.
func (n Node) IsList() bool { return resolve(n.y).Kind == yaml.SequenceNode }

// Problem records what is wrong with the node.
func (n Node) Problem(message, hint string) {
	n.d.add(n.y.Line, n.y.Column, n.path, message, hint)
}

var errReported = errors.New("reported")

// Decode reads the node into what into points to and returns an error if that
// had problems, which are then recorded in the document.
//
// Struct fields are named by their yaml tag; a field without one is not read,
// and the keys of a struct tagged ",inline" stand beside the others.
// Strings take any scalar as written, booleans true and false, durations
// Go's notation (1m30s). A null leaves the value as it is. Types that
// implement Unmarshaler read themselves.
func (n Node) Decode(into any) error {
	before := len(n.d.problems)
	n.decode(reflect.ValueOf(into).Elem())
	if len(n.d.problems) > before {
		return errReported
	}
	return nil
}

func (n Node) decode(v reflect.Value) {
	y := resolve(n.y)
	if y.Kind == yaml.ScalarNode && y.Tag == "!!null" {
		return
	}
	if u, ok := reflect.TypeAssert[Unmarshaler](v.Addr()); ok {
		if err := u.UnmarshalDocument(n); err != nil && !errors.Is(err, errReported) {
			n.problem(err)
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		n.decode(v.Elem())
	case reflect.Struct:
		n.decodeStruct(v)
	case reflect.Map:
		n.decodeMap(v)
	case reflect.Slice:
		n.decodeList(v)
	default:
		n.decodeScalar(v)
	}
}

// problem turns an error into a problem here, with its hint if it has one.
func (n Node) problem(err error) {
	if e, ok := errors.AsType[*batuta.Error](err); ok {
		n.Problem(e.Error(), e.Hint)
		return
	}
	n.Problem(err.Error(), "")
}

func (n Node) decodeStruct(v reflect.Value) {
	fields := fieldsOf(v.Type())
	n.each(func(key string, place, value Node) {
		i, ok := fields[key]
		if !ok {
			place.Problem(fmt.Sprintf("unknown key %q", key), Suggest(key, slices.Sorted(maps.Keys(fields))))
			return
		}
		value.decode(v.FieldByIndex(i))
	})
}

// fieldsOf gives the fields that a mapping's keys name, by key, with those of
// the structs that are tagged as inline.
func fieldsOf(t reflect.Type) map[string][]int {
	fields := map[string][]int{}
	for f := range t.Fields() {
		name, option, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case name != "":
			fields[name] = f.Index
		case option == "inline":
			for inner, index := range fieldsOf(f.Type) {
				fields[inner] = append(slices.Clone(f.Index), index...)
			}
		}
	}
	return fields
}

func (n Node) decodeMap(v reflect.Value) {
	out := reflect.MakeMap(v.Type())
	n.each(func(key string, place, value Node) {
		k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		if k.Kind() != reflect.String {
			panic("document: map keys are strings")
		}
		k.SetString(key)
		if c, ok := reflect.TypeAssert[interface{ Check() error }](k); ok {
			if err := c.Check(); err != nil {
				place.problem(err)
				return
			}
		}
		value.decode(e)
		out.SetMapIndex(k, e)
	})
	v.Set(out)
}

// each walks a mapping in the order of the file. Repeated keys are problems;
// a merge key (<<) brings in the keys that the mapping does not have itself.
func (n Node) each(visit func(key string, place, value Node)) {
	y := resolve(n.y)
	if y.Kind != yaml.MappingNode {
		n.Problem("want a mapping, have "+kindOf(y), "write `key: value` lines")
		return
	}
	seen := map[string]int{}
	var merges []Node
	for i := 0; i+1 < len(y.Content); i += 2 {
		k, value := y.Content[i], y.Content[i+1]
		place := Node{n.d, k, n.path.At(k.Value)}
		switch first, again := seen[k.Value]; {
		case k.Kind != yaml.ScalarNode:
			place.Problem("a key must be a single value", "")
		case k.Tag == "!!merge":
			merges = append(merges, Node{n.d, value, n.path})
		case again:
			place.Problem(fmt.Sprintf("key %q stands twice", k.Value), fmt.Sprintf("the first is on line %d", first))
		default:
			seen[k.Value] = k.Line
			visit(k.Value, place, Node{n.d, value, place.path})
		}
	}
	for _, m := range merges {
		m.each(func(key string, place, value Node) {
			if _, own := seen[key]; !own {
				seen[key] = value.y.Line
				visit(key, place, value)
			}
		})
	}
}

func (n Node) decodeList(v reflect.Value) {
	y := resolve(n.y)
	if y.Kind != yaml.SequenceNode {
		n.Problem("want a list, have "+kindOf(y), "write `- value` lines or [a, b]")
		return
	}
	out := reflect.MakeSlice(v.Type(), len(y.Content), len(y.Content))
	for i, c := range y.Content {
		Node{n.d, c, n.path.At(strconv.Itoa(i))}.decode(out.Index(i))
	}
	v.Set(out)
}

func (n Node) decodeScalar(v reflect.Value) {
	text, ok := n.Scalar()
	if !ok {
		n.Problem("want a single value, have "+kindOf(resolve(n.y)), "")
		return
	}
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		if d, err := time.ParseDuration(text); err == nil && d >= 0 {
			v.SetInt(int64(d))
			return
		}
		n.Problem(fmt.Sprintf("%q is not a duration", text), "write a number and a unit: 500ms, 30s, 5m, 1h")
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Bool:
		if text != "true" && text != "false" {
			n.Problem(fmt.Sprintf("%q is not true or false", text), "write true or false")
			return
		}
		v.SetBool(text == "true")
	case v.CanInt():
		i, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			n.Problem(fmt.Sprintf("%q is not a whole number", text), "")
			return
		}
		v.SetInt(i)
	case v.CanFloat():
		f, err := strconv.ParseFloat(text, v.Type().Bits())
		if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			n.Problem(fmt.Sprintf("%q is not a number", text), "")
			return
		}
		v.SetFloat(f)
	default:
		panic("document: no form for " + v.Type().String())
	}
}

func kindOf(y *yaml.Node) string {
	switch y.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	if y.Tag == "!!null" {
		return "nothing"
	}
	return fmt.Sprintf("%q", y.Value)
}
