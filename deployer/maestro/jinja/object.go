package jinja

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// The values of a template are nil, bool, int, float64, string, and these.
type (
	// undefined is a variable that is not there: nothing when written, an
	// error when something is asked of it.
	undefined struct{ name string }
	// array is a Python list: all who hold it see it grow.
	array struct{ items []any }
	// tuple is a list that does not change.
	tuple []any
	// dict is a Python dictionary: it keeps the order of its keys.
	dict struct {
		keys   []any
		values map[any]any // by hashable keys
	}
	// function is anything that can be called.
	function func(r *runtime, args []any, named map[string]any) any
	// object has attributes: loop, a namespace, an imported template.
	object struct {
		name  string
		attrs map[string]any
		call  function
	}
)

func newDict() *dict { return &dict{values: map[any]any{}} }

func (d *dict) get(key any) (any, bool) {
	v, ok := d.values[hashable(key)]
	return v, ok
}

func (d *dict) set(key, value any) {
	h := hashable(key)
	if _, had := d.values[h]; !had {
		d.keys = append(d.keys, key)
	}
	d.values[h] = value
}

func (d *dict) remove(key any) {
	h := hashable(key)
	delete(d.values, h)
	d.keys = slices.DeleteFunc(d.keys, func(k any) bool { return hashable(k) == h })
}

// hashable is the key under which a dictionary keeps a value: 1, 1.0 and True
// are one, as in Python.
func hashable(v any) any {
	switch v := bare(v).(type) {
	case bool:
		if v {
			return 1
		}
		return 0
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int(v)
		}
		return v
	case tuple:
		return "\x00tuple" + repr(v)
	case nil, int, string, undefined:
		return v
	}
	fail("%s cannot be a key", typeName(v))
	return nil
}

func typeName(v any) string {
	switch bare(v).(type) {
	case nil:
		return "None"
	case undefined:
		return "an undefined value"
	case bool:
		return "a truth value"
	case int:
		return "a whole number"
	case float64:
		return "a number"
	case string:
		return "a text"
	case *array:
		return "a list"
	case tuple:
		return "a tuple"
	case *dict:
		return "a mapping"
	}
	return "an object"
}

// truth is Python's bool().
func truth(v any) bool {
	switch v := bare(v).(type) {
	case nil, undefined:
		return false
	case bool:
		return v
	case int:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case *array:
		return len(v.items) > 0
	case tuple:
		return len(v) > 0
	case *dict:
		return len(v.keys) > 0
	}
	return true
}

// str is Python's str(): what {{ v }} writes.
func str(v any) string {
	switch v := bare(v).(type) {
	case string:
		return v
	case undefined:
		return ""
	}
	return repr(v)
}

func repr(v any) string {
	var b strings.Builder
	writeRepr(&b, v, 0)
	return b.String()
}

func writeRepr(b *strings.Builder, v any, depth int) {
	if depth > maxDepth || b.Len() > maxOutput {
		fail("a value is too big or too deep to be written")
	}
	if m, ok := v.(markup); ok {
		b.WriteString("Markup(" + Quote(string(m)) + ")")
		return
	}
	switch v := bare(v).(type) {
	case nil:
		b.WriteString("None")
	case undefined:
		b.WriteString("Undefined")
	case bool:
		b.WriteString(map[bool]string{true: "True", false: "False"}[v])
	case int:
		b.WriteString(strconv.Itoa(v))
	case float64:
		b.WriteString(Float(v))
	case string:
		b.WriteString(Quote(v))
	case *array:
		writeItems(b, "[", v.items, "]", depth)
	case tuple:
		end := ")"
		if len(v) == 1 {
			end = ",)"
		}
		writeItems(b, "(", v, end, depth)
	case *dict:
		b.WriteString("{")
		for i, key := range v.keys {
			if i > 0 {
				b.WriteString(", ")
			}
			writeRepr(b, key, depth+1)
			b.WriteString(": ")
			writeRepr(b, v.values[hashable(key)], depth+1)
		}
		b.WriteString("}")
	case *object:
		b.WriteString("<" + v.name + ">")
	default:
		b.WriteString("<function>")
	}
}

func writeItems(b *strings.Builder, begin string, items []any, end string, depth int) {
	b.WriteString(begin)
	for i, item := range items {
		if i > 0 {
			b.WriteString(", ")
		}
		writeRepr(b, item, depth+1)
	}
	b.WriteString(end)
}

// Float is Python's repr() of a float: the shortest digits that read back,
// with an exponent below 1e-4 and from 1e16 on.
func Float(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 0):
		return strings.TrimPrefix(strings.ToLower(fmt.Sprint(f)), "+")
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	_, exponent, _ := strings.Cut(s, "e")
	if e, _ := strconv.Atoi(exponent); e >= -4 && e < 16 {
		s = strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
	}
	return s
}

// Quote is Python's repr() of a text.
func Quote(s string) string {
	q := `'`
	if strings.Contains(s, `'`) && !strings.Contains(s, `"`) {
		q = `"`
	}
	var b strings.Builder
	b.WriteString(q)
	for _, c := range s {
		switch {
		case string(c) == q, c == '\\':
			b.WriteString(`\` + string(c))
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(c):
			b.WriteRune(c)
		case c < 0x100:
			fmt.Fprintf(&b, `\x%02x`, c)
		case c < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			fmt.Fprintf(&b, `\U%08x`, c)
		}
	}
	return b.String() + q
}
