package jinja

import (
	"github.com/nikolalohinski/gonja/v2/tokens"
)

// macro is one as it was read.
type macro struct {
	name     string
	names    []string
	defaults []expr // nil: there is none
	body     []node
}

func (p *parser) parameters(m *macro) {
	p.need(tokens.LeftParenthesis, `"("`)
	for !p.take(tokens.RightParenthesis) {
		m.names = append(m.names, p.name())
		var otherwise expr
		if p.take(tokens.Assign) {
			otherwise = p.expression()
		}
		m.defaults = append(m.defaults, otherwise)
		if !p.take(tokens.Comma) {
			p.need(tokens.RightParenthesis, `"," or ")"`)
			break
		}
	}
}

func (p *parser) macroStatement() node {
	m := &macro{name: p.name()}
	p.parameters(m)
	p.end()
	m.body, _ = p.body("endmacro")
	p.end()
	return func(_ *runtime, s *scope) { s.vars[m.name] = m.object(s) }
}

// object is the macro as it is called, with the variables of where it stands.
func (m *macro) object(outer *scope) *object {
	call := function(func(r *runtime, args []any, named map[string]any) any {
		s := newScope(outer)
		rest, others := tuple{}, newDict()
		for i, v := range args {
			if i < len(m.names) {
				s.vars[m.names[i]] = v
			} else {
				rest = append(rest, v)
			}
		}
		for name, v := range named {
			s.vars[name] = v
			others.set(name, v)
		}
		for i, name := range m.names {
			others.remove(name)
			if _, given := s.vars[name]; given {
				continue
			}
			s.vars[name] = undefined{name}
			if m.defaults[i] != nil {
				s.vars[name] = m.defaults[i](r, s)
			}
		}
		s.vars["varargs"], s.vars["kwargs"] = rest, others
		if caller, given := named["caller"]; given {
			s.vars["caller"] = caller
		}
		before := r.place
		out := r.captured(func() { r.run(m.body, s) })
		r.place = before
		return out
	})
	return &object{name: "macro", attrs: map[string]any{"name": m.name}, call: call}
}

func (p *parser) callStatement() node {
	caller := &macro{name: "caller"}
	if p.current().Type == tokens.LeftParenthesis {
		p.parameters(caller)
	}
	line := p.here()
	of := p.primary()
	for p.current().Type == tokens.Dot {
		p.next()
		name, from := p.name(), of
		of = at(line, func(r *runtime, s *scope) any { return r.attribute(from(r, s), name) })
	}
	call := p.arguments()
	p.end()
	caller.body, _ = p.body("endcall")
	p.end()
	return func(r *runtime, s *scope) {
		args, named := call(r, s)
		named["caller"] = caller.object(s)
		r.writeValue(r.call(of(r, s), args, named), line)
	}
}
