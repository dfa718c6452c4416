package jinja

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
)

// filterAttr is v.name without a look at the items.
func filterAttr(r *runtime, args []any, named map[string]any) any {
	given := take(args, named, "obj", "name")
	name, _ := given["name"].(string)
	switch v := given["obj"].(type) {
	case undefined:
		fail("%q is undefined", v.name)
	case *object, group:
		return r.attribute(v, name)
	default:
		if m := method(v, name); m != nil {
			return m
		}
	}
	return undefined{name}
}

// filterGroupBy sorts items by an attribute and puts those together that have
// the same.
func filterGroupBy(r *runtime, args []any, named map[string]any) any {
	given := take(args, named, "value", "attribute", "default", "case_sensitive")
	key := func(item any) any {
		v := r.path(item, given["attribute"])
		if _, missing := v.(undefined); missing && given["default"] != nil {
			v = given["default"]
		}
		return v
	}
	folded := func(item any) any {
		v := key(item)
		if s, ok := v.(string); ok && !truth(given["case_sensitive"]) {
			return strings.ToLower(s)
		}
		return v
	}
	list := slices.Clone(r.iterate(given["value"]))
	slices.SortStableFunc(list, func(a, b any) int { return r.compare(folded(a), folded(b)) })
	out := &array{}
	for _, item := range list {
		if n := len(out.items); n > 0 {
			last := out.items[n-1].(group).list.(*array)
			if r.equal(folded(last.items[0]), folded(item)) {
				last.items = append(last.items, item)
				continue
			}
		}
		out.items = append(out.items, group{key(item), &array{[]any{item}}})
	}
	return out
}

// filterRandom picks an item. It is the same one whenever the same template is
// rendered: what a person was shown is what is deployed.
func filterRandom(r *runtime, args []any, _ map[string]any) any {
	list := r.iterate(args[0])
	if len(list) == 0 {
		return undefined{"there is no item to pick"}
	}
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, r.root, r.picked) // a hash takes all
	r.picked++
	sum := h.Sum64()
	return list[(sum^sum>>32)%uint64(len(list))]
}

// filterSlice cuts a list into so many lists.
func filterSlice(r *runtime, args []any, named map[string]any) any {
	given := take(args, named, "value", "slices", "fill_with")
	list := r.iterate(given["value"])
	n, ok := integer(given["slices"])
	if !ok || n == 0 || n > maxItems {
		fail("slice wants how many lists there are to be")
	}
	out := &array{}
	for at, i := 0, 0; i < n; i++ {
		size := len(list) / n
		if i < len(list)%n {
			size++
		}
		part := slices.Clone(list[at : at+size])
		if fill := given["fill_with"]; fill != nil && i >= len(list)%n {
			part = append(part, fill)
		}
		out.items = append(out.items, &array{part})
		at += size
	}
	return out
}

var sizes = []string{"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"}

func filterFileSize(_ *runtime, args []any, named map[string]any) any {
	given := take(args, named, "value", "binary")
	size, ok := number(given["value"])
	if s, isText := given["value"].(string); isText {
		f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		size, ok = f, err == nil
	}
	if !ok {
		fail("%s is no number of bytes", typeName(given["value"]))
	}
	base, infix := 1000.0, ""
	if truth(given["binary"]) {
		base, infix = 1024, "i"
	}
	switch {
	case size == 1:
		return "1 Byte"
	case size < base:
		return fmt.Sprintf("%d Bytes", int(size))
	}
	unit := base * base
	for i, name := range sizes {
		if infix != "" {
			name = strings.ToUpper(name[:1]) + infix + name[1:]
		}
		if size < unit || i == len(sizes)-1 {
			return fmt.Sprintf("%.1f %s", base*size/unit, name)
		}
		unit *= base
	}
	return nil
}
