package jinja

import "github.com/nikolalohinski/gonja/v2/tokens"

// forLoop is a {% for %} as it was read.
type forLoop struct {
	to        target
	over      expr
	condition expr // nil: all
	recursive bool
	body      []node
	otherwise []node
}

func (p *parser) forStatement() node {
	l := &forLoop{to: p.targets(func() bool { return p.isWord("in") })}
	if !p.word("in") {
		p.unexpected(`"in"`)
	}
	l.over = p.iterable()
	if p.word("if") {
		l.condition = p.expression()
	}
	l.recursive = p.word("recursive")
	p.end()
	body, end := p.body("else", "endfor")
	l.body = body
	if end == "else" {
		p.end()
		l.otherwise, _ = p.body("endfor")
	}
	p.end()
	return func(r *runtime, s *scope) { l.run(r, s, l.over(r, s), 0) }
}

// iterable is an expression without a condition: the if of a loop is its own.
func (p *parser) iterable() expr {
	first := p.or()
	if p.current().Type != tokens.Comma {
		return first
	}
	all := []expr{first}
	for p.take(tokens.Comma) {
		all = append(all, p.or())
	}
	return func(r *runtime, s *scope) any { return tuple(evalAll(r, s, all)) }
}

func (l *forLoop) run(r *runtime, outer *scope, over any, depth int) {
	list := r.iterate(over)
	if l.condition != nil {
		var picked []any
		for _, item := range list {
			s := newScope(outer)
			l.to.assign(r, s, item)
			if r.spend(1); truth(l.condition(r, s)) {
				picked = append(picked, item)
			}
		}
		list = picked
	}
	if len(list) == 0 {
		r.run(l.otherwise, newScope(outer))
		return
	}
	state := &loop{of: l, outer: outer, list: list, depth: depth}
	o := &object{name: "loop", attrs: map[string]any{}, call: state.again}
	for i, item := range list {
		r.step(nil)
		s := newScope(outer)
		s.vars["loop"] = o
		state.at(o, i)
		l.to.assign(r, s, item)
		r.run(l.body, s)
	}
}

// loop is one that runs: what the template sees as loop.
type loop struct {
	of      *forLoop
	outer   *scope
	list    []any
	depth   int
	changed any
	asked   bool
}

// at sets the attributes for the item's turn.
func (l *loop) at(o *object, i int) {
	n := len(l.list)
	neighbour := func(j int) any {
		if j < 0 || j >= n {
			return undefined{"there is no such item"}
		}
		return l.list[j]
	}
	o.attrs = map[string]any{
		"index": i + 1, "index0": i, "revindex": n - i, "revindex0": n - i - 1, "first": i == 0, "last": i == n-1, "length": n,
		"depth": l.depth + 1, "depth0": l.depth, "previtem": neighbour(i - 1), "nextitem": neighbour(i + 1),
		"cycle": function(func(_ *runtime, args []any, _ map[string]any) any {
			if len(args) == 0 {
				fail("cycle needs something to go round")
			}
			return args[i%len(args)]
		}),
		"changed": function(func(r *runtime, args []any, _ map[string]any) any {
			same := l.asked && r.equal(l.changed, tuple(args))
			l.changed, l.asked = tuple(args), true
			return !same
		}),
	}
}

// again is loop(items) in a recursive loop.
func (l *loop) again(r *runtime, args []any, _ map[string]any) any {
	if !l.of.recursive || len(args) != 1 {
		fail("only a recursive loop can be called, with what it is to go through")
	}
	return r.captured(func() { l.of.run(r, l.outer, args[0], l.depth+1) })
}
