package jinja

import (
	"slices"
)

// method is a method of a Python value; nil if it has none of the name.
func method(v any, name string) any {
	var f func(r *runtime, args []any, named map[string]any) any
	switch v := v.(type) {
	case string:
		if m := textMethod(name); m != nil {
			f = func(r *runtime, args []any, named map[string]any) any { return m(r, v, args, named) }
		}
	case *array:
		if m := listMethods()[name]; m != nil {
			f = func(r *runtime, args []any, named map[string]any) any { return m(r, v, args, named) }
		}
	case tuple:
		if name == "index" || name == "count" {
			f = func(r *runtime, args []any, named map[string]any) any {
				return listMethods()[name](r, &array{v}, args, named)
			}
		}
	case *dict:
		if m := dictMethods()[name]; m != nil {
			f = func(r *runtime, args []any, _ map[string]any) any { return m(r, v, args) }
		}
	}
	if f == nil {
		return nil
	}
	return function(f)
}

// argument is the nth argument, or otherwise; without one it must be there.
func argument(args []any, n int, otherwise ...any) any {
	switch {
	case n < len(args):
		return bare(args[n])
	case len(otherwise) == 0:
		fail("an argument is missing")
	}
	return otherwise[0]
}

func textArgument(args []any, n int, otherwise ...any) string {
	v := argument(args, n, otherwise...)
	s, ok := v.(string)
	if !ok {
		fail("want a text, have %s", typeName(v))
	}
	return s
}

func wholeArgument(args []any, n int, otherwise ...any) int {
	v := argument(args, n, otherwise...)
	i, ok := integer(v)
	if !ok {
		fail("want a whole number, have %s", typeName(v))
	}
	return i
}

func listMethods() map[string]func(r *runtime, l *array, args []any, named map[string]any) any {
	return map[string]func(r *runtime, l *array, args []any, named map[string]any) any{
		"append": func(_ *runtime, l *array, args []any, _ map[string]any) any {
			l.items = append(grown(l.items), argument(args, 0))
			return nil
		},
		"extend": func(r *runtime, l *array, args []any, _ map[string]any) any {
			l.items = grown(append(l.items, r.iterate(argument(args, 0))...))
			return nil
		},
		"insert": func(r *runtime, l *array, args []any, _ map[string]any) any {
			r.spend(len(l.items))
			l.items = slices.Insert(grown(l.items), clamp(wholeArgument(args, 0), len(l.items)), argument(args, 1))
			return nil
		},
		"pop": func(r *runtime, l *array, args []any, _ map[string]any) any {
			n := wholeArgument(args, 0, -1)
			if n < 0 {
				n += len(l.items)
			}
			if n < 0 || n >= len(l.items) {
				fail("there is nothing to pop")
			}
			v := l.items[n]
			r.spend(len(l.items) - n)
			l.items = slices.Delete(slices.Clip(l.items), n, n+1)
			return v
		},
		"remove": func(r *runtime, l *array, args []any, _ map[string]any) any {
			n := r.find(l.items, argument(args, 0))
			if n < 0 {
				fail("it is not in the list")
			}
			l.items = slices.Delete(l.items, n, n+1)
			return nil
		},
		"index": func(r *runtime, l *array, args []any, _ map[string]any) any {
			n := r.find(l.items, argument(args, 0))
			if n < 0 {
				fail("it is not in the list")
			}
			return n
		},
		"count": func(r *runtime, l *array, args []any, _ map[string]any) any {
			n := 0
			for _, item := range l.items {
				if r.equal(item, argument(args, 0)) {
					n++
				}
			}
			return n
		},
		"reverse": func(_ *runtime, l *array, _ []any, _ map[string]any) any {
			slices.Reverse(l.items)
			return nil
		},
		"sort": func(r *runtime, l *array, _ []any, named map[string]any) any {
			slices.SortStableFunc(l.items, r.compare)
			if truth(named["reverse"]) {
				slices.Reverse(l.items)
			}
			return nil
		},
		"copy":  func(_ *runtime, l *array, _ []any, _ map[string]any) any { return &array{slices.Clone(l.items)} },
		"clear": func(_ *runtime, l *array, _ []any, _ map[string]any) any { l.items = nil; return nil },
	}
}

func clamp(n, length int) int {
	if n < 0 {
		n += length
	}
	return min(max(n, 0), length)
}

func (r *runtime) find(list []any, v any) int {
	return slices.IndexFunc(list, func(item any) bool { return r.equal(item, v) })
}

func dictMethods() map[string]func(r *runtime, d *dict, args []any) any {
	return map[string]func(r *runtime, d *dict, args []any) any{
		"keys": func(_ *runtime, d *dict, _ []any) any { return &array{slices.Clone(d.keys)} },
		"values": func(_ *runtime, d *dict, _ []any) any {
			out := &array{}
			for _, key := range d.keys {
				v, _ := d.get(key)
				out.items = append(out.items, v)
			}
			return out
		},
		"items":     func(_ *runtime, d *dict, _ []any) any { return d.pairs() },
		"iteritems": func(_ *runtime, d *dict, _ []any) any { return d.pairs() }, // Python 2's, which old files use
		"get": func(_ *runtime, d *dict, args []any) any {
			if v, ok := d.get(argument(args, 0)); ok {
				return v
			}
			return argument(args, 1, nil)
		},
		"has_key": func(_ *runtime, d *dict, args []any) any { _, ok := d.get(argument(args, 0)); return ok },
		"pop": func(_ *runtime, d *dict, args []any) any {
			v, ok := d.get(argument(args, 0))
			if !ok {
				if len(args) < 2 {
					fail("there is no key %s", repr(args[0]))
				}
				return args[1]
			}
			d.remove(args[0])
			return v
		},
		"setdefault": func(_ *runtime, d *dict, args []any) any {
			if _, ok := d.get(argument(args, 0)); !ok {
				d.set(args[0], argument(args, 1, nil))
			}
			v, _ := d.get(args[0])
			return v
		},
		"update": func(r *runtime, d *dict, args []any) any { d.update(r, argument(args, 0)); return nil },
		"copy": func(r *runtime, d *dict, _ []any) any {
			out := newDict()
			out.update(r, d)
			return out
		},
		"clear": func(_ *runtime, d *dict, _ []any) any { *d = *newDict(); return nil },
	}
}

func (d *dict) pairs() *array {
	out := &array{}
	for _, key := range d.keys {
		v, _ := d.get(key)
		out.items = append(out.items, tuple{key, v})
	}
	return out
}
