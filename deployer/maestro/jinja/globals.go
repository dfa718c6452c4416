package jinja

import (
	"maps"
	"slices"
)

// globals are the names that every template sees.
func (r *runtime) globals() *scope {
	env := newDict()
	for _, name := range slices.Sorted(maps.Keys(r.options.Env)) {
		env.set(name, r.options.Env[name])
	}
	s := newScope(nil)
	s.vars = map[string]any{
		"env":       env,
		"range":     function(rangeOf),
		"dict":      function(dictOf),
		"namespace": function(namespaceOf),
		"cycler":    function(cyclerOf),
		"joiner":    function(joinerOf),
	}
	return s
}

func rangeOf(r *runtime, args []any, _ map[string]any) any {
	n := make([]int, len(args))
	for i, a := range args {
		var ok bool
		if n[i], ok = integer(a); !ok {
			fail("range wants whole numbers, not %s", typeName(a))
		}
	}
	from, to, step := 0, 0, 1
	switch len(n) {
	case 1:
		to = n[0]
	case 2:
		from, to = n[0], n[1]
	case 3:
		from, to, step = n[0], n[1], n[2]
	default:
		fail("range wants one to three numbers")
	}
	if step == 0 {
		fail("a step of 0")
	}
	out := []any{}
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		r.spend(1)
		out = append(grown(out), i)
	}
	return &array{out}
}

func dictOf(r *runtime, args []any, named map[string]any) any {
	d := newDict()
	if len(args) > 0 {
		d.update(r, args[0])
	}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		d.set(name, named[name])
	}
	return d
}

// update takes the keys of another dictionary, or of a list of pairs.
func (d *dict) update(r *runtime, from any) {
	if other, ok := from.(*dict); ok {
		for _, key := range other.keys {
			v, _ := other.get(key)
			d.set(key, v)
		}
		return
	}
	for _, item := range r.iterate(from) {
		pair := r.iterate(item)
		if len(pair) != 2 {
			fail("want pairs of a key and a value")
		}
		d.set(pair[0], pair[1])
	}
}

func namespaceOf(r *runtime, args []any, named map[string]any) any {
	o := &object{name: "namespace", attrs: map[string]any{}}
	for _, a := range args {
		d := newDict()
		d.update(r, a)
		for _, key := range d.keys {
			o.attrs[str(key)], _ = d.get(key)
		}
	}
	maps.Copy(o.attrs, named)
	return o
}

func cyclerOf(_ *runtime, args []any, _ map[string]any) any {
	if len(args) == 0 {
		fail("cycler needs something to go round")
	}
	at := 0
	o := &object{name: "cycler", attrs: map[string]any{"current": args[0]}}
	to := func(n int) {
		at = n % len(args)
		o.attrs["current"] = args[at]
	}
	o.attrs["next"] = function(func(*runtime, []any, map[string]any) any {
		v := args[at]
		to(at + 1)
		return v
	})
	o.attrs["reset"] = function(func(*runtime, []any, map[string]any) any {
		to(0)
		return nil
	})
	return o
}

func joinerOf(_ *runtime, args []any, named map[string]any) any {
	sep, ok := take(args, named, "sep")["sep"]
	if !ok {
		sep = ", "
	}
	used := false
	return function(func(*runtime, []any, map[string]any) any {
		if used {
			return sep
		}
		used = true
		return ""
	})
}
