package jinja

import (
	"slices"
	"strings"

	"github.com/nikolalohinski/gonja/v2/tokens"
)

// node is a part of a template: it writes something, or changes a scope.
type node func(r *runtime, s *scope)

func (r *runtime) run(body []node, s *scope) {
	for _, n := range body {
		n(r, s)
	}
}

// body reads nodes up to one of the ends, and gives which it was.
func (p *parser) body(ends ...string) (body []node, end string) {
	for {
		t := p.current()
		switch t.Type {
		case tokens.EOF:
			if len(ends) > 0 {
				p.unexpected("{% " + strings.Join(ends, " %} or {% ") + " %}")
			}
			return body, ""
		case tokens.Data:
			p.next()
			place := p.placeOf(t)
			body = append(body, func(r *runtime, _ *scope) { r.step(nil); r.write(t.Val, place, true) })
		case tokens.CommentBegin:
			for !p.take(tokens.CommentEnd) {
				if p.next().Type == tokens.EOF {
					p.unexpected("#}")
				}
			}
		case tokens.VariableBegin:
			p.next()
			e, place := p.list(), p.placeOf(t)
			p.need(tokens.VariableEnd, `"}}"`)
			body = append(body, func(r *runtime, s *scope) {
				r.step(place)
				r.last = nil
				r.writeValue(e(r, s), place)
			})
		case tokens.BlockBegin:
			p.next()
			if slices.Contains(ends, p.current().Val) {
				return body, p.next().Val
			}
			body = append(body, p.statement(p.placeOf(t)))
		default:
			p.unexpected("text, {{ or {%")
		}
	}
}

func (p *parser) end() { p.need(tokens.BlockEnd, `"%}"`) }

// statement reads what follows a {%.
func (p *parser) statement(place *Place) node {
	name := p.next()
	parse := map[string]func() node{
		"if": p.ifStatement, "for": p.forStatement, "set": p.setStatement, "with": p.withStatement, "raw": p.rawStatement,
		"macro": p.macroStatement, "call": p.callStatement, "filter": p.filterStatement, "block": p.blockStatement,
		"extends": p.extendsStatement, "include": p.includeStatement, "import": p.importStatement, "from": p.fromStatement,
		"autoescape": p.autoescapeStatement,
	}[name.Val]
	switch {
	case parse != nil:
	case name.Val == "do" || name.Val == "break" || name.Val == "continue":
		fail("MaestroNG's Jinja2 does not know {%% %s %%}", name.Val)
	default:
		fail("no tag %q", name.Val)
	}
	if p.depth++; p.depth > maxDepth {
		fail("blocks are nested more than %d deep", maxDepth)
	}
	n := parse()
	p.depth--
	return func(r *runtime, s *scope) {
		r.step(place)
		n(r, s)
	}
}

func (p *parser) ifStatement() node {
	type branch struct {
		condition expr // nil: else
		body      []node
	}
	var branches []branch
	for end := "if"; end != "endif"; {
		b := branch{}
		if end != "else" {
			b.condition = p.list()
		}
		p.end()
		if end == "else" {
			b.body, end = p.body("endif")
		} else {
			b.body, end = p.body("elif", "else", "endif")
		}
		branches = append(branches, b)
	}
	p.end()
	return func(r *runtime, s *scope) {
		for _, b := range branches {
			if b.condition == nil || truth(b.condition(r, s)) {
				r.run(b.body, s)
				return
			}
		}
	}
}

// target is what is assigned to: names, in any nesting, or an attribute of a
// namespace.
type target struct {
	name  string
	attr  string
	parts []target
}

func (p *parser) targets(end func() bool) target {
	first := p.target()
	if p.current().Type != tokens.Comma {
		return first
	}
	out := target{parts: []target{first}}
	for p.take(tokens.Comma) {
		if end() {
			break
		}
		out.parts = append(out.parts, p.target())
	}
	return out
}

func (p *parser) target() target {
	if p.take(tokens.LeftParenthesis) {
		if p.depth++; p.depth > maxDepth {
			fail("brackets are nested more than %d deep", maxDepth)
		}
		out := p.targets(func() bool { return p.current().Type == tokens.RightParenthesis })
		p.need(tokens.RightParenthesis, `")"`)
		p.depth--
		return out
	}
	out := target{name: p.name()}
	if p.take(tokens.Dot) {
		out.attr = p.name()
	}
	return out
}

func (t target) assign(r *runtime, s *scope, v any) {
	switch {
	case t.parts != nil:
		list := r.iterate(v)
		if len(list) != len(t.parts) {
			fail("%d values for %d names", len(list), len(t.parts))
		}
		for i, part := range t.parts {
			part.assign(r, s, list[i])
		}
	case t.attr != "":
		o, ok := s.get(t.name).(*object)
		if !ok || o.name != "namespace" {
			fail("only a namespace's attributes can be set")
		}
		o.attrs[t.attr] = v
	default:
		s.vars[t.name] = v
	}
}

func (p *parser) setStatement() node {
	to := p.targets(func() bool { return p.current().Type == tokens.Assign })
	if p.take(tokens.Assign) {
		value := p.list()
		p.end()
		return func(r *runtime, s *scope) { to.assign(r, s, value(r, s)) }
	}
	filtered := p.filters(func(_ *runtime, s *scope) any { return s.get("") })
	p.end()
	body, _ := p.body("endset")
	p.end()
	return func(r *runtime, s *scope) {
		inner := newScope(s)
		inner.vars[""] = r.captured(func() { r.run(body, newScope(s)) })
		to.assign(r, s, filtered(r, inner))
	}
}

func (p *parser) withStatement() node {
	var names []target
	var values []expr
	for p.current().Type != tokens.BlockEnd {
		names = append(names, p.target())
		p.need(tokens.Assign, `"="`)
		values = append(values, p.expression())
		if !p.take(tokens.Comma) {
			break
		}
	}
	p.end()
	body, _ := p.body("endwith")
	p.end()
	return func(r *runtime, s *scope) {
		inner := newScope(s)
		for i, v := range evalAll(r, s, values) {
			names[i].assign(r, inner, v)
		}
		r.run(body, inner)
	}
}

func (p *parser) rawStatement() node {
	p.end()
	text, place := "", p.here()
	if t := p.current(); t.Type == tokens.Data {
		text = p.next().Val
	}
	p.need(tokens.BlockBegin, "{% endraw %}")
	p.next()
	p.end()
	return func(r *runtime, _ *scope) { r.write(text, place, true) }
}

func (p *parser) filterStatement() node {
	of := expr(func(_ *runtime, s *scope) any { return s.get("") })
	filtered, place := p.filters(p.filter(of)), p.here()
	p.end()
	body, _ := p.body("endfilter")
	p.end()
	return func(r *runtime, s *scope) {
		inner := newScope(s)
		inner.vars[""] = r.captured(func() { r.run(body, newScope(s)) })
		r.write(str(filtered(r, inner)), place, false)
	}
}

// autoescapeStatement reads what is nothing to a text that is no HTML.
func (p *parser) autoescapeStatement() node {
	p.expression()
	p.end()
	body, _ := p.body("endautoescape")
	p.end()
	return func(r *runtime, s *scope) { r.run(body, newScope(s)) }
}
