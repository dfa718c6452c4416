package jinja

import (
	"slices"

	"github.com/nikolalohinski/gonja/v2/tokens"
)

// page is a template that is rendered with those that it extends.
type page struct {
	chains map[string][][]node // each block's bodies, the one that counts first
	parent *template
}

// render writes a template, or rather the one that it extends in the end.
func (r *runtime) render(t *template, s *scope) {
	before := r.page
	r.page = &page{chains: map[string][][]node{}}
	for {
		for name, body := range t.blocks {
			r.page.chains[name] = append(r.page.chains[name], body)
		}
		r.page.parent = nil
		out := r.collected(func() { r.run(t.body, s) })
		if r.page.parent == nil {
			r.splice(out)
			break
		}
		r.deeper(func() { t = r.page.parent })
		r.spend(1000) // templates that extend each other come to an end
	}
	r.page = before
}

func (p *parser) extendsStatement() node {
	name := p.expression()
	p.end()
	return func(r *runtime, s *scope) { r.page.parent = r.load(str(name(r, s))) }
}

func (p *parser) blockStatement() node {
	name := p.name()
	for p.current().Type == tokens.Name { // scoped, required
		p.next()
	}
	p.end()
	body, _ := p.body("endblock")
	if p.current().Type == tokens.Name {
		p.next()
	}
	p.end()
	if _, twice := p.blocks[name]; twice {
		fail("block %q stands twice", name)
	}
	p.blocks[name] = body
	return func(r *runtime, s *scope) {
		if r.page.parent == nil {
			r.block(r.page.chains[name], s)
		}
	}
}

// block runs the body that counts; super() gives what the next one writes.
func (r *runtime) block(chain [][]node, s *scope) {
	inner := newScope(s)
	inner.vars["super"] = function(func(r *runtime, _ []any, _ map[string]any) any {
		if len(chain) < 2 {
			fail("there is no block above this one")
		}
		return r.captured(func() { r.block(chain[1:], s) })
	})
	if len(chain) > 0 {
		r.deeper(func() { r.run(chain[0], inner) })
	}
}

// context reads the words that say which variables another template sees, and
// whether it sees these.
func (p *parser) context(otherwise bool) bool {
	for _, word := range []string{"with", "without"} {
		if p.isWord(word) && p.peek().Val == "context" {
			p.next()
			p.next()
			return word == "with"
		}
	}
	return otherwise
}

func (p *parser) includeStatement() node {
	name := p.expression()
	optional := false
	if p.isWord("ignore") && p.peek().Val == "missing" {
		p.next()
		p.next()
		optional = true
	}
	shared := p.context(true)
	p.end()
	return func(r *runtime, s *scope) {
		t := r.first(name(r, s), optional)
		if t == nil {
			return
		}
		if !shared {
			s = r.globals()
		}
		before := r.place
		r.deeper(func() { r.render(t, newScope(s)) })
		r.place = before
	}
}

// first loads the first of some templates that is there. Nil only if none has
// to be.
func (r *runtime) first(names any, optional bool) *template {
	list, many := items(names)
	if !many {
		list = []any{names}
	}
	for i, name := range list {
		if r.options.Load != nil && (optional || i+1 < len(list)) {
			if _, err := r.options.Load(str(name)); err != nil {
				continue
			}
		}
		return r.load(str(name))
	}
	return nil
}

// module is a template as import sees it: what it sets, and its macros.
func (r *runtime) module(name any, shared bool, s *scope) *object {
	if !shared {
		s = r.globals()
	}
	inner := newScope(s)
	before := r.place
	t := r.load(str(name))
	r.deeper(func() { r.captured(func() { r.render(t, inner) }) })
	r.place = before
	return &object{name: "module", attrs: inner.vars}
}

func (p *parser) importStatement() node {
	name := p.expression()
	if !p.word("as") {
		p.unexpected(`"as"`)
	}
	as := p.name()
	shared := p.context(false)
	p.end()
	return func(r *runtime, s *scope) { s.vars[as] = r.module(name(r, s), shared, s) }
}

func (p *parser) fromStatement() node {
	from := p.expression()
	if !p.word("import") {
		p.unexpected(`"import"`)
	}
	var names, as []string
	for p.current().Type == tokens.Name && (p.peek().Val != "context" || !slices.Contains([]string{"with", "without"}, p.current().Val)) {
		names = append(names, p.name())
		as = append(as, names[len(names)-1])
		if p.word("as") {
			as[len(as)-1] = p.name()
		}
		if !p.take(tokens.Comma) {
			break
		}
	}
	shared := p.context(false)
	p.end()
	return func(r *runtime, s *scope) {
		m := r.module(from(r, s), shared, s)
		for i, name := range names {
			v, ok := m.attrs[name]
			if !ok {
				v = undefined{name}
			}
			s.vars[as[i]] = v
		}
	}
}
