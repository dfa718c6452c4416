package jinja

import (
	"strconv"
	"strings"

	"github.com/nikolalohinski/gonja/v2/tokens"
)

// expr computes a value in a scope.
type expr func(r *runtime, s *scope) any

// at makes an expression tell its place before it is computed.
func at(place *Place, e expr) expr {
	return func(r *runtime, s *scope) any {
		r.step(place)
		return e(r, s)
	}
}

// list reads expressions with commas between them: one is itself, more, or one
// with a comma after it, are a tuple.
func (p *parser) list() expr {
	first := p.expression()
	if p.current().Type != tokens.Comma {
		return first
	}
	all := []expr{first}
	for p.take(tokens.Comma) {
		if t := p.current().Type; t == tokens.VariableEnd || t == tokens.BlockEnd || t == tokens.RightParenthesis || p.isWord("if") || p.isWord("recursive") {
			break
		}
		all = append(all, p.expression())
	}
	return func(r *runtime, s *scope) any { return tuple(evalAll(r, s, all)) }
}

func evalAll(r *runtime, s *scope, all []expr) []any {
	out := make([]any, len(all))
	for i, e := range all {
		out[i] = e(r, s)
	}
	return out
}

// expression reads one with its condition: a if b else c.
func (p *parser) expression() expr {
	if p.depth++; p.depth > maxDepth {
		fail("brackets are nested more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	value := p.or()
	for p.word("if") {
		condition, yes := p.or(), value
		no := expr(func(*runtime, *scope) any { return undefined{"else"} })
		if p.word("else") {
			no = p.expression()
		}
		value = func(r *runtime, s *scope) any {
			if truth(condition(r, s)) {
				return yes(r, s)
			}
			return no(r, s)
		}
	}
	return value
}

func (p *parser) or() expr {
	left := p.and()
	for p.word("or") {
		a, b := left, p.and()
		left = func(r *runtime, s *scope) any {
			if v := a(r, s); truth(v) {
				return v
			}
			return b(r, s)
		}
	}
	return left
}

func (p *parser) and() expr {
	left := p.not()
	for p.word("and") {
		a, b := left, p.not()
		left = func(r *runtime, s *scope) any {
			if v := a(r, s); !truth(v) {
				return v
			}
			return b(r, s)
		}
	}
	return left
}

func (p *parser) not() expr {
	negated := false
	for p.isWord("not") {
		p.next()
		negated = !negated
		if !negated && p.isWord("not") {
			continue
		}
	}
	e := p.comparison()
	if !negated {
		return e
	}
	return func(r *runtime, s *scope) any { return !truth(e(r, s)) }
}

// comparison reads a chain: a < b <= c, a in b, a not in b.
func (p *parser) comparison() expr {
	first := p.sum()
	type link struct {
		operator string
		right    expr
	}
	var chain []link
	for {
		operator := p.current().Val
		switch {
		case p.current().Type == tokens.String:
			operator = ""
		case operator == "not" && p.peek().Val == "in":
			p.next()
			operator = "not in"
		}
		if !comparisons[operator] {
			break
		}
		p.next()
		chain = append(chain, link{operator, p.sum()})
	}
	if chain == nil {
		return first
	}
	return func(r *runtime, s *scope) any {
		left := first(r, s)
		for _, l := range chain {
			right := l.right(r, s)
			if !r.holds(left, l.operator, right) {
				return false
			}
			left = right
		}
		return true
	}
}

var comparisons = map[string]bool{"==": true, "!=": true, "<": true, ">": true, "<=": true, ">=": true, "in": true, "not in": true}

func (r *runtime) holds(a any, operator string, b any) bool {
	switch operator {
	case "==":
		return r.equal(a, b)
	case "!=":
		return !r.equal(a, b)
	case "in":
		return r.contains(b, a)
	case "not in":
		return !r.contains(b, a)
	case "<":
		return r.compare(a, b) < 0
	case ">":
		return r.compare(a, b) > 0
	case "<=":
		return r.compare(a, b) <= 0
	}
	return r.compare(a, b) >= 0
}

func (p *parser) sum() expr    { return p.binary(p.join, "+", "-") }
func (p *parser) join() expr   { return p.binary(p.factor, "~") }
func (p *parser) factor() expr { return p.binary(p.power, "*", "/", "//", "%") }

// binary reads operators of one rank, from the left.
func (p *parser) binary(operand func() expr, operators ...string) expr {
	left := operand()
	for {
		t := p.current()
		found := ""
		for _, o := range operators {
			if t.Val == o && t.Type != tokens.String {
				found = o
			}
		}
		if found == "" {
			return left
		}
		p.next()
		a, b := left, operand()
		left = at(p.placeOf(t), func(r *runtime, s *scope) any { return r.operate(a(r, s), found, b(r, s)) })
	}
}

func (p *parser) power() expr {
	left := p.unary(true)
	for p.current().Type == tokens.Power {
		t := p.next()
		a, b := left, p.unary(true)
		left = at(p.placeOf(t), func(r *runtime, s *scope) any { return r.operate(a(r, s), "**", b(r, s)) })
	}
	return left
}

// unary reads a value with its sign, and, outside of one, its filters.
func (p *parser) unary(outside bool) expr {
	var e expr
	switch t := p.current(); t.Type {
	case tokens.Subtraction, tokens.Addition:
		p.next()
		e = p.signed(t)
	default:
		e = p.postfix(p.primary())
	}
	if outside {
		e = p.filters(e)
	}
	return e
}

func (p *parser) signed(t *tokens.Token) expr {
	if p.depth++; p.depth > maxDepth {
		fail("there are more than %d signs", maxDepth)
	}
	e := p.unary(false)
	p.depth--
	sign := 1
	if t.Type == tokens.Subtraction {
		sign = -1
	}
	return at(p.placeOf(t), func(r *runtime, s *scope) any { return r.operate(sign, "*", e(r, s)) })
}

// primary reads a value: a literal, a name, or what is in brackets.
func (p *parser) primary() expr {
	t := p.current()
	switch t.Type {
	case tokens.String:
		var s strings.Builder
		for p.current().Type == tokens.String {
			s.WriteString(unescape(p.next().Val))
		}
		return constant(s.String())
	case tokens.Integer:
		p.next()
		n, err := strconv.ParseInt(strings.ReplaceAll(t.Val, "_", ""), 0, strconv.IntSize)
		if err != nil {
			fail("%q is not a whole number", t.Val)
		}
		return constant(int(n))
	case tokens.Float:
		p.next()
		f, err := strconv.ParseFloat(strings.ReplaceAll(t.Val, "_", ""), 64)
		if err != nil {
			fail("%q is not a number", t.Val)
		}
		return constant(f)
	case tokens.LeftBracket:
		all := p.items(tokens.LeftBracket, tokens.RightBracket)
		return func(r *runtime, s *scope) any { return &array{evalAll(r, s, all)} }
	case tokens.LeftParenthesis:
		return p.parentheses()
	case tokens.LeftBrace:
		return p.braces()
	case tokens.Name:
		p.next()
		switch t.Val {
		case "true", "True":
			return constant(true)
		case "false", "False":
			return constant(false)
		case "none", "None":
			return constant(nil)
		}
		return at(p.placeOf(t), func(_ *runtime, s *scope) any { return s.get(t.Val) })
	}
	p.unexpected("a value")
	return nil
}

func constant(v any) expr { return func(*runtime, *scope) any { return v } }

func (p *parser) items(begin, end tokens.Type) []expr {
	p.need(begin, "a bracket")
	var all []expr
	for !p.take(end) {
		all = append(all, p.expression())
		if !p.take(tokens.Comma) {
			p.need(end, "a comma or the end of the brackets")
			break
		}
	}
	return all
}

func (p *parser) parentheses() expr {
	p.next()
	if p.take(tokens.RightParenthesis) {
		return constant(tuple{})
	}
	e := p.list()
	p.need(tokens.RightParenthesis, `")"`)
	return e
}

func (p *parser) braces() expr {
	p.next()
	var keys, values []expr
	for !p.take(tokens.RightBrace) {
		keys = append(keys, p.expression())
		p.need(tokens.Colon, `":"`)
		values = append(values, p.expression())
		if !p.take(tokens.Comma) {
			p.need(tokens.RightBrace, `"}"`)
			break
		}
	}
	return func(r *runtime, s *scope) any {
		d := newDict()
		for i := range keys {
			d.set(keys[i](r, s), values[i](r, s))
		}
		return d
	}
}

// unescape reads the escapes of a text as Python does.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch c := s[i]; c {
		case '\\', '\'', '"':
			b.WriteByte(c)
		case '\n':
		case 'x', 'u', 'U':
			digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
			n, err := strconv.ParseUint(s[i+1:min(i+1+digits, len(s))], 16, 32)
			if err != nil || i+digits >= len(s) {
				b.WriteString(`\` + string(c))
				continue
			}
			b.WriteRune(rune(n))
			i += digits
		default:
			if n := strings.IndexByte("abfnrtv", c); n >= 0 {
				b.WriteByte("\a\b\f\n\r\t\v"[n])
			} else {
				b.WriteString(`\` + string(c))
			}
		}
	}
	return b.String()
}
