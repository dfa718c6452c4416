package jinja

import (
	"math"
	"slices"
	"strings"
	"unicode"
)

func filterText(f func(string) string) filter {
	return func(_ *runtime, args []any, _ map[string]any) any { return f(str(args[0])) }
}

// titled begins each word with a capital; unlike Python's str.title, only white
// space, brackets and hyphens begin a word.
func titled(s string) string {
	start := true
	return strings.Map(func(c rune) rune {
		was := start
		if start = unicode.IsSpace(c) || strings.ContainsRune("-({[<", c); was {
			return unicode.ToUpper(c)
		}
		return unicode.ToLower(c)
	}, s)
}

func filterAbs(_ *runtime, args []any, _ map[string]any) any {
	if n, ok := integer(args[0]); ok {
		return max(n, -n)
	}
	f, ok := number(args[0])
	if !ok {
		fail("%s is no number", typeName(args[0]))
	}
	return math.Abs(f)
}

func filterBatch(r *runtime, args []any, named map[string]any) any {
	given := take(args, named, "value", "linecount", "fill_with")
	n, _ := integer(given["linecount"])
	if n < 1 || n > maxItems {
		fail("batch wants how many there are in one")
	}
	out := &array{}
	for part := range slices.Chunk(r.iterate(given["value"]), n) {
		part = slices.Clone(part)
		if fill, ok := given["fill_with"]; ok && fill != nil {
			for len(part) < n {
				part = append(part, fill)
			}
		}
		out.items = append(out.items, &array{part})
	}
	return out
}

func filterFirst(r *runtime, args []any, _ map[string]any) any {
	if list := r.iterate(args[0]); len(list) > 0 {
		return list[0]
	}
	return undefined{"there is no first item"}
}

func filterLast(r *runtime, args []any, _ map[string]any) any {
	if list := r.iterate(args[0]); len(list) > 0 {
		return list[len(list)-1]
	}
	return undefined{"there is no last item"}
}

func filterFormat(_ *runtime, args []any, named map[string]any) any {
	if len(named) > 0 {
		d := newDict()
		for name, v := range named {
			d.set(name, v)
		}
		return percent(str(args[0]), d)
	}
	return percent(str(args[0]), tuple(args[1:]))
}

func filterItems(_ *runtime, args []any, _ map[string]any) any {
	switch v := args[0].(type) {
	case *dict:
		return v.pairs()
	case undefined:
		return &array{}
	}
	fail("items wants a mapping, not %s", typeName(args[0]))
	return nil
}

func filterList(r *runtime, args []any, _ map[string]any) any {
	return &array{slices.Clone(r.iterate(args[0]))}
}

func filterReplace(_ *runtime, args []any, _ map[string]any) any {
	return replace(str(args[0]), str(argument(args, 1)), str(argument(args, 2)), wholeArgument(args, 3, -1))
}

func filterTrim(_ *runtime, args []any, _ map[string]any) any {
	return strip(str(args[0]), args[1:], true, true)
}

// filterMap takes an attribute of each item, or puts each through a filter.
func filterMap(r *runtime, args []any, named map[string]any) any {
	out := &array{}
	for _, item := range r.iterate(args[0]) {
		r.spend(1)
		if a, ok := named["attribute"]; ok {
			v := r.path(item, a)
			if _, missing := v.(undefined); missing && named["default"] != nil {
				v = named["default"]
			}
			out.items = append(out.items, v)
			continue
		}
		name := textArgument(args, 1)
		if filters()[name] == nil {
			fail("no filter %q", name)
		}
		out.items = append(out.items, r.apply(name, append([]any{item}, args[2:]...), named))
	}
	return out
}

// filterSelect keeps the items that pass a test, or those that do not; of each
// item, or of an attribute of it.
func filterSelect(keep, byAttribute bool) filter {
	return func(r *runtime, args []any, _ map[string]any) any {
		list, rest := r.iterate(args[0]), args[1:]
		var attribute any
		if byAttribute {
			attribute, rest = argument(rest, 0), rest[1:]
		}
		test := func(_ *runtime, v any, _ []any) bool { return truth(v) }
		if len(rest) > 0 {
			name := textArgument(rest, 0)
			if test = tests()[name]; test == nil {
				fail("no test %q", name)
			}
			rest = rest[1:]
		}
		out := &array{}
		for _, item := range list {
			v := item
			if byAttribute {
				v = r.path(item, attribute)
			}
			if r.spend(1); test(r, v, rest) == keep {
				out.items = append(out.items, item)
			}
		}
		return out
	}
}
