package jinja

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/nikolalohinski/gonja/v2/config"
	"github.com/nikolalohinski/gonja/v2/tokens"
)

// parser reads the tokens of one template.
type parser struct {
	r      *runtime
	file   string
	lines  []string // of the template
	tokens []*tokens.Token
	at     int
	depth  int
	blocks map[string][]node // by name
}

// template is one that is parsed.
type template struct {
	body   []node
	blocks map[string][]node
}

// parse reads a template's text.
func (r *runtime) parse(file, text string) *template {
	r.place = Place{file, 1, 1}
	p := &parser{r: r, file: file, blocks: map[string][]node{}}
	p.lex(text)
	body, _ := p.body()
	return &template{body: body, blocks: p.blocks}
}

// lex finds the tokens, and cuts the white space that a - asks to cut.
func (p *parser) lex(text string) {
	begins := 0
	p.lines = strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\n") // as the lexer has them
	for s := tokens.LexAll(text, config.New()); ; s.Next() {
		t := s.Current()
		if t.Type == tokens.Error {
			p.r.place = p.begin(t.Pos)
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
	p.columns()
	begin := []tokens.Type{tokens.BlockBegin, tokens.VariableBegin, tokens.CommentBegin}
	end := []tokens.Type{tokens.BlockEnd, tokens.VariableEnd, tokens.CommentEnd}
	for i, t := range p.tokens {
		if t.Type != tokens.Data {
			continue
		}
		if i > 0 && slices.Contains(end, p.tokens[i-1].Type) && strings.HasPrefix(p.tokens[i-1].Val, "-") {
			rest := strings.TrimLeft(t.Val, " \t\n\r\v\f")
			if cut := t.Val[:len(t.Val)-len(rest)]; strings.Contains(cut, "\n") {
				t.Line, t.Col = t.Line+strings.Count(cut, "\n"), len(cut)-strings.LastIndexByte(cut, '\n')
			} else {
				t.Col += len(cut)
			}
			t.Val = rest
		}
		if i+1 < len(p.tokens) && slices.Contains(begin, p.tokens[i+1].Type) && strings.HasSuffix(p.tokens[i+1].Val, "-") {
			t.Val = strings.TrimRight(t.Val, " \t\n\r\v\f")
		}
	}
}

// begin is the place of a byte of the template.
func (p *parser) begin(offset int) Place {
	for i, line := range p.lines {
		if offset <= len(line) {
			return Place{p.file, i + 1, 1 + utf8.RuneCountInString(line[:max(offset, 0)])}
		}
		offset -= len(line) + 1
	}
	return Place{p.file, len(p.lines), 1}
}

// columns counts the columns of the tokens in characters, where the lexer counts
// bytes.
func (p *parser) columns() {
	line, bytes, characters := 0, 0, 0
	for _, t := range p.tokens {
		if t.Line < 1 || t.Line > len(p.lines) {
			continue
		}
		if t.Line != line {
			line, bytes, characters = t.Line, 0, 0
		}
		if from := p.lines[line-1]; t.Col-1 > bytes && t.Col-1 <= len(from) {
			characters += utf8.RuneCountInString(from[bytes : t.Col-1])
			bytes = t.Col - 1
		}
		t.Col = characters + 1
	}
}

// placeOf is where a token stands.
func (p *parser) placeOf(t *tokens.Token) *Place {
	if t.Line < 1 || t.Line > len(p.lines) {
		return &Place{p.file, p.r.place.Line, p.r.place.Column}
	}
	return &Place{p.file, t.Line, t.Col}
}

func (p *parser) here() *Place { return p.placeOf(p.current()) }

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
	p.r.place = *p.placeOf(t)
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
	p.r.place = *p.placeOf(t)
	have := "the end of the template"
	if t.Type != tokens.EOF {
		have = Quote(t.Val)
	}
	fail("want %s, have %s", want, have)
}

func (p *parser) name() string { return p.need(tokens.Name, "a name").Val }
