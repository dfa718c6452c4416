package jinja

import (
	"slices"
	"strings"

	"github.com/nikolalohinski/gonja/v2/tokens"
)

// postfix reads what may follow a value: .name, [key], [a:b], (arguments).
func (p *parser) postfix(e expr) expr {
	for {
		t := p.current()
		of := e
		switch t.Type {
		case tokens.Dot:
			p.next()
			if p.current().Type == tokens.Integer {
				e = p.item(of, p.primary(), p.placeOf(t))
				continue
			}
			if p.current().Type == tokens.String || p.current().Val == "" {
				p.unexpected("a name")
			}
			name := p.next().Val
			e = at(p.placeOf(t), func(r *runtime, s *scope) any { return r.attribute(of(r, s), name) })
		case tokens.LeftBracket:
			p.next()
			e = p.subscript(of, p.placeOf(t))
		case tokens.LeftParenthesis:
			call := p.arguments()
			e = at(p.placeOf(t), func(r *runtime, s *scope) any {
				args, named := call(r, s)
				return r.call(of(r, s), args, named)
			})
		default:
			return e
		}
	}
}

func (p *parser) item(of, key expr, place *Place) expr {
	return at(place, func(r *runtime, s *scope) any { return r.item(of(r, s), key(r, s)) })
}

func (p *parser) subscript(of expr, place *Place) expr {
	var parts [3]expr
	n := 0
	for ; n < 3; n++ {
		if t := p.current().Type; t != tokens.Colon && t != tokens.RightBracket {
			if parts[n] = p.expression(); n == 0 && p.current().Type == tokens.Comma {
				p.unexpected(`"]"`)
			}
		}
		if !p.take(tokens.Colon) {
			break
		}
	}
	p.need(tokens.RightBracket, `"]"`)
	if n == 0 {
		if parts[0] == nil {
			fail("there is nothing between the brackets")
		}
		return p.item(of, parts[0], place)
	}
	return at(place, func(r *runtime, s *scope) any {
		var bounds [3]any
		for i, e := range parts {
			if e != nil {
				bounds[i] = e(r, s)
			}
		}
		return r.slice(of(r, s), bounds)
	})
}

// arguments reads (a, b, name=c, *list, **mapping).
func (p *parser) arguments() func(*runtime, *scope) ([]any, map[string]any) {
	p.need(tokens.LeftParenthesis, `"("`)
	type argument struct {
		name  string // or * or **
		value expr
	}
	var all []argument
	for !p.take(tokens.RightParenthesis) {
		a := argument{}
		switch {
		case p.take(tokens.Multiply):
			a.name = "*"
		case p.take(tokens.Power):
			a.name = "**"
		case p.current().Type == tokens.Name && p.peek().Type == tokens.Assign:
			a.name = p.next().Val
			p.next()
		}
		a.value = p.expression()
		all = append(all, a)
		if !p.take(tokens.Comma) {
			p.need(tokens.RightParenthesis, `"," or ")"`)
			break
		}
	}
	return func(r *runtime, s *scope) ([]any, map[string]any) {
		var args []any
		named := map[string]any{}
		for _, a := range all {
			switch v := a.value(r, s); a.name {
			case "":
				args = append(args, v)
			case "*":
				args = append(args, r.iterate(v)...)
			case "**":
				d, ok := v.(*dict)
				if !ok {
					fail("want a mapping after **, have %s", typeName(v))
				}
				for _, key := range d.keys {
					named[str(key)], _ = d.get(key)
				}
			default:
				named[a.name] = v
			}
		}
		return args, named
	}
}

// filters reads | name(arguments) and is tests, which follow a value closely.
func (p *parser) filters(e expr) expr {
	for {
		of := e
		switch {
		case p.current().Type == tokens.Pipe:
			p.next()
			e = p.filter(of)
		case p.isWord("is"):
			p.next()
			e = p.test(of)
		case p.current().Type == tokens.LeftParenthesis:
			return p.filters(p.postfix(of))
		default:
			return e
		}
	}
}

func (p *parser) filter(of expr) expr {
	t := p.need(tokens.Name, "the name of a filter")
	if filters()[t.Val] == nil {
		fail("no filter %q", t.Val)
	}
	call := p.optional()
	return at(p.placeOf(t), func(r *runtime, s *scope) any {
		v := of(r, s)
		args, named := call(r, s)
		return r.apply(t.Val, append([]any{v}, args...), named)
	})
}

func (p *parser) optional() func(*runtime, *scope) ([]any, map[string]any) {
	if p.current().Type != tokens.LeftParenthesis {
		return func(*runtime, *scope) ([]any, map[string]any) { return nil, nil }
	}
	return p.arguments()
}

// test reads the name of a test, and its argument, which needs no parentheses.
func (p *parser) test(of expr) expr {
	negated := p.word("not")
	t := p.next()
	test := tests()[t.Val]
	if test == nil {
		fail("no test %q", t.Val)
	}
	call := p.optional()
	arguments := func(r *runtime, s *scope) []any {
		args, _ := call(r, s)
		return args
	}
	switch p.current().Type {
	case tokens.String, tokens.Integer, tokens.Float, tokens.LeftBracket, tokens.LeftBrace, tokens.Name:
		if !p.isWord("else") && !p.isWord("if") && !p.isWord("recursive") {
			argument := p.postfix(p.primary())
			arguments = func(r *runtime, s *scope) []any { return []any{argument(r, s)} }
		}
	}
	return at(p.placeOf(t), func(r *runtime, s *scope) any {
		v := of(r, s)
		if t.Val != "escaped" {
			v = bare(v)
		}
		return test(r, v, allBare(arguments(r, s))) != negated
	})
}

// attribute is v.name: a method or an attribute, or else an item.
func (r *runtime) attribute(v any, name string) any {
	switch o := v.(type) {
	case undefined:
		fail("%q is undefined", o.name)
	case *object:
		if a, ok := o.attrs[name]; ok {
			return a
		}
		return undefined{name}
	case group:
		if part, ok := map[string]any{"grouper": o.grouper, "list": o.list}[name]; ok {
			return part
		}
	}
	v = bare(v)
	if m := method(v, name); m != nil {
		return m
	}
	if d, ok := v.(*dict); ok {
		if item, ok := d.get(name); ok {
			return item
		}
	}
	return undefined{name}
}

// item is v[key]: an item, or else an attribute.
func (r *runtime) item(v, key any) any {
	if name, ok := key.(string); ok {
		if _, isGroup := v.(group); isGroup {
			return r.attribute(v, name)
		}
	}
	v, key = bare(v), bare(key)
	if d, ok := v.(*dict); ok {
		if item, ok := d.get(key); ok {
			return item
		}
	}
	if n, ok := integer(key); ok {
		list, isList := items(v)
		if s, isText := v.(string); isText {
			list, isList = r.iterate(s), true
		}
		if isList {
			if n < 0 {
				n += len(list)
			}
			if n >= 0 && n < len(list) {
				return list[n]
			}
			return undefined{str(key)}
		}
	}
	if u, ok := v.(undefined); ok {
		fail("%q is undefined", u.name)
	}
	if name, ok := key.(string); ok {
		return r.attribute(v, name)
	}
	return undefined{str(key)}
}

// call calls a value.
func (r *runtime) call(v any, args []any, named map[string]any) (out any) {
	f, ok := v.(function)
	if o, isObject := v.(*object); isObject {
		f, ok = o.call, o.call != nil
	}
	if u, isUndefined := v.(undefined); isUndefined {
		fail("%q is undefined", u.name)
	}
	if !ok {
		fail("%s cannot be called", typeName(v))
	}
	r.deeper(func() { out = f(r, args, named) })
	return out
}

// slice is v[from:to:step].
func (r *runtime) slice(v any, bounds [3]any) any {
	v = bare(v)
	list, isList := items(v)
	text, isText := v.(string)
	if isText {
		list = r.iterate(text)
	} else if !isList {
		fail("%s cannot be cut", typeName(v))
	}
	picked := []any{}
	for _, i := range indices(len(list), bounds) {
		r.spend(1)
		picked = append(picked, list[i])
	}
	switch v.(type) {
	case string:
		var s strings.Builder
		for _, c := range picked {
			s.WriteString(c.(string))
		}
		return s.String()
	case tuple:
		return tuple(picked)
	}
	return &array{picked}
}

// indices are the places that from:to:step picks of n, as Python does.
func indices(n int, bounds [3]any) []int {
	step := 1
	if bounds[2] != nil {
		step, _ = integer(bounds[2])
	}
	if step == 0 {
		fail("a step of 0")
	}
	from, to := 0, n
	if step < 0 {
		from, to = n-1, -1
	}
	bound := func(v any, otherwise int) int {
		if v == nil {
			return otherwise
		}
		i, ok := integer(v)
		if !ok {
			fail("%s is no place in a list", typeName(v))
		}
		if i < 0 {
			i += n
		}
		if step < 0 {
			return min(max(i, -1), n-1)
		}
		return min(max(i, 0), n)
	}
	from, to = bound(bounds[0], from), bound(bounds[1], to)
	var out []int
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		out = append(out, i)
	}
	return out
}

// take gives the arguments by their names, for a function that has them.
func take(args []any, named map[string]any, names ...string) map[string]any {
	out := map[string]any{}
	for i, a := range args {
		if i >= len(names) {
			fail("too many arguments")
		}
		out[names[i]] = a
	}
	for name, v := range named {
		if !slices.Contains(names, name) {
			fail("no argument %q", name)
		}
		out[name] = v
	}
	return out
}
