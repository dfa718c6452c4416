package jinja

import (
	"slices"
	"strings"

	"github.com/nikolalohinski/gonja/v2/config"
	"github.com/nikolalohinski/gonja/v2/tokens"
)

// parser reads the tokens of one template.
type parser struct {
	r      *runtime
	tokens []*tokens.Token
	at     int
	depth  int
	blocks map[string][]node // by name
}

// template is one that is parsed.
type template struct {
	file   string
	body   []node
	blocks map[string][]node
}

// parse reads a template's text.
func (r *runtime) parse(file, text string) *template {
	r.file, r.line = file, 1
	p := &parser{r: r, blocks: map[string][]node{}}
	p.lex(text)
	body, _ := p.body()
	return &template{file: file, body: body, blocks: p.blocks}
}

// lex finds the tokens, and cuts the white space that a - asks to cut.
func (p *parser) lex(text string) {
	begins := 0
	for s := tokens.LexAll(text, config.New()); ; s.Next() {
		t := s.Current()
		if t.Type == tokens.Error {
			p.r.line = p.lastLine()
			fail("%s", lexError(t.Val))
		}
		if t.Type == tokens.BlockBegin {
			begins++
		}
		p.tokens = append(p.tokens, t)
		if t.Type == tokens.EOF {
			break
		}
	}
	if begins > maxBlocks {
		fail("the template has more than %d blocks", maxBlocks)
	}
	begin := []tokens.Type{tokens.BlockBegin, tokens.VariableBegin, tokens.CommentBegin}
	end := []tokens.Type{tokens.BlockEnd, tokens.VariableEnd, tokens.CommentEnd}
	for i, t := range p.tokens {
		if t.Type != tokens.Data {
			continue
		}
		if i > 0 && slices.Contains(end, p.tokens[i-1].Type) && strings.HasPrefix(p.tokens[i-1].Val, "-") {
			t.Val = strings.TrimLeft(t.Val, " \t\n\r\v\f")
		}
		if i+1 < len(p.tokens) && slices.Contains(begin, p.tokens[i+1].Type) && strings.HasSuffix(p.tokens[i+1].Val, "-") {
			t.Val = strings.TrimRight(t.Val, " \t\n\r\v\f")
		}
	}
}

func (p *parser) lastLine() int {
	if len(p.tokens) == 0 {
		return 1
	}
	return p.tokens[len(p.tokens)-1].Line
}

// lexError is what the lexer found, which gives the rest of the template for
// an open quote.
func lexError(s string) string {
	if strings.HasPrefix(s, "Un") || strings.HasPrefix(s, "un") {
		return s
	}
	line, _, _ := strings.Cut(s, "\n")
	return "a quote is open, or a character is none of a template's: " + line[:min(len(line), 40)]
}

func (p *parser) current() *tokens.Token { return p.tokens[min(p.at, len(p.tokens)-1)] }

func (p *parser) peek() *tokens.Token { return p.tokens[min(p.at+1, len(p.tokens)-1)] }

func (p *parser) next() *tokens.Token {
	t := p.current()
	p.at++
	if t.Line > 0 {
		p.r.line = t.Line
	}
	return t
}

// take consumes the token if it is of the type.
func (p *parser) take(t tokens.Type) bool {
	if p.current().Type == t {
		p.next()
		return true
	}
	return false
}

// word consumes the token if it is the word, which the lexer may have made an
// operator.
func (p *parser) word(w string) bool {
	if p.isWord(w) {
		p.next()
		return true
	}
	return false
}

func (p *parser) isWord(w string) bool {
	t := p.current()
	return t.Val == w && t.Type != tokens.String && t.Type != tokens.Data
}

func (p *parser) need(t tokens.Type, what string) *tokens.Token {
	if p.current().Type != t {
		p.unexpected(what)
	}
	return p.next()
}

func (p *parser) unexpected(want string) {
	t := p.current()
	if t.Line > 0 {
		p.r.line = t.Line
	}
	have := "the end of the template"
	if t.Type != tokens.EOF {
		have = Quote(t.Val)
	}
	fail("want %s, have %s", want, have)
}

func (p *parser) name() string { return p.need(tokens.Name, "a name").Val }
