package jinja

import "strings"

// number gives a value as a float, if it is a number.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case int:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// integer gives a value as a whole number, if it is one.
func integer(v any) (int, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case int:
		return v, true
	}
	return 0, false
}

// equal is Python's ==.
func (r *runtime) equal(a, b any) bool {
	r.spend(1)
	a, b = bare(a), bare(b)
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && x == y
	}
	switch a := a.(type) {
	case string:
		b, ok := b.(string)
		return ok && a == b
	case nil:
		return b == nil
	case undefined:
		_, ok := b.(undefined)
		return ok
	case tuple:
		b, ok := b.(tuple)
		return ok && r.equalItems(a, b)
	case *array:
		b, ok := b.(*array)
		return ok && (a == b || r.equalItems(a.items, b.items))
	case *dict:
		b, ok := b.(*dict)
		if !ok || len(a.keys) != len(b.keys) {
			return false
		}
		for _, key := range a.keys {
			x, _ := a.get(key)
			if y, ok := b.get(key); !ok || !r.equal(x, y) {
				return false
			}
		}
		return true
	case *object:
		return a == b
	}
	return false
}

func (r *runtime) equalItems(a, b []any) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !r.equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// compare orders two values as Python does: numbers, texts, and lists of them.
func (r *runtime) compare(a, b any) int {
	r.spend(1)
	a, b = bare(a), bare(b)
	if x, ok := number(a); ok {
		if y, ok := number(b); ok {
			switch {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return 0
		}
	}
	if x, ok := a.(string); ok {
		if y, ok := b.(string); ok {
			return strings.Compare(x, y)
		}
	}
	x, isList := items(a)
	y, isOther := items(b)
	if !isList || !isOther {
		fail("%s and %s cannot be ordered", typeName(a), typeName(b))
	}
	for i := range min(len(x), len(y)) {
		if c := r.compare(x[i], y[i]); c != 0 {
			return c
		}
	}
	return len(x) - len(y)
}

// items are what a list or a tuple holds.
func items(v any) ([]any, bool) {
	switch v := bare(v).(type) {
	case *array:
		return v.items, true
	case tuple:
		return v, true
	}
	return nil, false
}

// iterate gives what a for loop goes through.
func (r *runtime) iterate(v any) []any {
	if list, ok := items(v); ok {
		return list
	}
	var out []any
	switch v := bare(v).(type) {
	case undefined:
	case *dict:
		out = append(out, v.keys...)
	case string:
		for _, c := range v {
			out = append(out, string(c))
		}
	default:
		fail("%s cannot be gone through", typeName(v))
	}
	r.spend(len(out))
	return out
}

// contains is Python's in.
func (r *runtime) contains(in, what any) bool {
	what = bare(what)
	switch in := bare(in).(type) {
	case string:
		s, ok := what.(string)
		if !ok {
			fail("only a text is in a text, not %s", typeName(what))
		}
		return strings.Contains(in, s)
	case *dict:
		_, ok := in.get(what)
		return ok
	}
	for _, item := range r.iterate(in) {
		if r.equal(item, what) {
			return true
		}
	}
	return false
}
