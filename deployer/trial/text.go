package trial

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// xmlText is the text of an XML file as UTF-8 and without its declaration, so
// that a decoder takes what tools write: other encodings, XML 1.1, and the
// characters that XML has no room for, such as the colours of a terminal in a
// message. Those are taken out, and any other such character becomes U+FFFD.
//
// An encoding that is not known here is read as ASCII is: tags and attributes
// have no other characters, and each other one becomes U+FFFD.
func xmlText(content io.Reader) io.Reader {
	in := decoded(bufio.NewReader(content))
	head, _ := in.Peek(mostDeclaration)
	_, _ = in.Discard(len(declaration.Find(head))) // it was peeked at
	text := &legalText{in: in}
	return &runes{next: text.next}
}

// mostDeclaration is how many bytes of a file can be its XML declaration.
const mostDeclaration = 512

// declaration is what an XML file may begin with.
// https://www.w3.org/TR/xml/#sec-prolog-dtd
var (
	declaration = regexp.MustCompile(`^\s*<\?xml\s[^>]*\?>`)
	encoding    = regexp.MustCompile(`\sencoding\s*=\s*["']([A-Za-z0-9._:-]+)["']`)
)

// decoded is a file as UTF-8, without a byte order mark. Its first bytes tell
// how it is encoded, and if they do not, its declaration.
// https://www.w3.org/TR/xml/#sec-guessing
func decoded(in *bufio.Reader) *bufio.Reader {
	start, _ := in.Peek(4)
	switch {
	case bytes.HasPrefix(start, []byte("\xef\xbb\xbf")):
		_, _ = in.Discard(3) // it was peeked at
	case bytes.HasPrefix(start, []byte("\xff\xfe")), bytes.Equal(start, []byte("<\x00?\x00")):
		return fromUTF16(in, binary.LittleEndian)
	case bytes.HasPrefix(start, []byte("\xfe\xff")), bytes.Equal(start, []byte("\x00<\x00?")):
		return fromUTF16(in, binary.BigEndian)
	}
	head, _ := in.Peek(mostDeclaration)
	named := encoding.FindSubmatch(declaration.Find(head))
	if named == nil {
		return in
	}
	switch strings.ToLower(string(named[1])) {
	case "iso-8859-1", "latin1", "windows-1252", "cp1252", "iso-8859-15", "latin9":
		latin9 := bytes.HasSuffix(named[1], []byte("15")) || bytes.HasSuffix(named[1], []byte("9"))
		return bufio.NewReader(&runes{next: func() (rune, error) {
			b, err := in.ReadByte()
			return western(b, latin9), err
		}})
	}
	return in // also UTF-16 that is declared and, as the declaration could be read, is not there
}

// fromUTF16 reads UTF-16 up to its last whole character.
func fromUTF16(in *bufio.Reader, order binary.ByteOrder) *bufio.Reader {
	unit := func() (rune, error) {
		var pair [2]byte
		if _, err := io.ReadFull(in, pair[:]); err != nil {
			return 0, io.EOF
		}
		return rune(order.Uint16(pair[:])), nil
	}
	all := bufio.NewReader(&runes{next: func() (rune, error) {
		first, err := unit()
		if err != nil || !utf16.IsSurrogate(first) {
			return first, err
		}
		second, err := unit()
		return utf16.DecodeRune(first, second), err
	}})
	if mark, _, err := all.ReadRune(); err == nil && mark != '\ufeff' {
		_ = all.UnreadRune() // it was just read
	}
	return all
}

// windows1252 is what the bytes from 0x80 to 0x9f are there, in the place of
// the control characters that ISO-8859-1 has and nobody writes.
// https://encoding.spec.whatwg.org/#windows-1252
var windows1252 = []rune("€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ")

// western is the character of a byte in windows-1252, with which ISO-8859-1 is
// read, too, or with the eight that are others in ISO-8859-15.
func western(b byte, latin9 bool) rune {
	if b >= 0x80 && b < 0xa0 {
		return windows1252[b-0x80]
	}
	if latin9 {
		switch b {
		case 0xa4:
			return '€'
		case 0xa6:
			return 'Š'
		case 0xa8:
			return 'š'
		case 0xb4:
			return 'Ž'
		case 0xb8:
			return 'ž'
		case 0xbc:
			return 'Œ'
		case 0xbd:
			return 'œ'
		case 0xbe:
			return 'Ÿ'
		}
	}
	return rune(b)
}

// numbered is a character by its number, after the ampersand; colour is how a
// terminal is told of one, after the ESC.
var (
	numbered = regexp.MustCompile(`^#(x[0-9a-fA-F]+|[0-9]+);`)
	colour   = regexp.MustCompile(`^\[[0-9;?]*[@-~]`)
)

// mostTag is how many characters a tag may have: a decoder keeps them all.
const mostTag = 1 << 20

// legalText is the text of an XML file with what XML has room for.
type legalText struct {
	in    *bufio.Reader
	until string // what ends the tag, the comment or the like that is being read; empty outside
	quote rune   // what ends the value of an attribute; 0 outside
	size  int    // of the tag up to here
}

// next is the next character that XML has room for.
func (l *legalText) next() (rune, error) {
	for {
		c, _, err := l.in.ReadRune()
		if err != nil {
			return 0, err
		}
		if c == '&' && (l.until == "" || l.until == ">") {
			c = l.reference()
		}
		if c == '\x1b' {
			next, _ := l.in.Peek(24)
			if n := len(colour.Find(next)); n > 0 {
				_, _ = l.in.Discard(n) // it was peeked at
				continue
			}
		}
		if !legal(c) {
			c = utf8.RuneError
		}
		return c, l.follow(c)
	}
}

// follow knows where in the file the reading is, and that no tag is too long.
func (l *legalText) follow(c rune) error {
	l.size++
	switch {
	case l.until == "":
		if c == '<' {
			l.until, l.size = l.begun(), 0
		}
	case l.quote != 0:
		if c == l.quote {
			l.quote = 0
		}
	case l.until == ">" && (c == '"' || c == '\''):
		l.quote = c
	case strings.HasPrefix(l.until, string(c)):
		if next, _ := l.in.Peek(len(l.until) - 1); string(next) == l.until[1:] {
			l.until = ""
		}
	}
	if l.until == ">" && l.size > mostTag {
		return fmt.Errorf("a tag has more than %d characters", mostTag)
	}
	return nil
}

// begun is what ends that which a < begins.
func (l *legalText) begun() string {
	next, _ := l.in.Peek(8)
	switch {
	case string(next) == "![CDATA[":
		return "]]>"
	case bytes.HasPrefix(next, []byte("!--")):
		return "-->"
	case bytes.HasPrefix(next, []byte("?")):
		return "?>"
	}
	return ">"
}

// reference is the character that a number stands for if XML has no room for
// it, and else the ampersand before that.
func (l *legalText) reference() rune {
	next, _ := l.in.Peek(16)
	found := numbered.FindSubmatch(next)
	if found == nil {
		return '&'
	}
	text, base := string(found[1]), 10
	if hex, is := strings.CutPrefix(text, "x"); is {
		text, base = hex, 16
	}
	n, err := strconv.ParseInt(text, base, 32)
	if err != nil {
		n = math.MaxInt32
	}
	if legal(rune(n)) {
		return '&'
	}
	_, _ = l.in.Discard(len(found[0])) // it was peeked at
	return rune(n)
}

// legal tells whether XML has room for a character.
// https://www.w3.org/TR/xml/#charsets
func legal(c rune) bool {
	return c == '\t' || c == '\n' || c == '\r' || c >= ' ' && c <= 0xd7ff || c >= 0xe000 && c <= 0xfffd || c >= 0x10000 && c <= utf8.MaxRune
}

// runes is characters one by one, as a reader of UTF-8.
type runes struct {
	next func() (rune, error)
	buf  [utf8.UTFMax]byte
	rest []byte // of buf, that is still to be read
}

// Read reads what there is room for.
func (r *runes) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(r.rest) == 0 {
			c, err := r.next()
			if err != nil {
				return n, err
			}
			r.rest = utf8.AppendRune(r.buf[:0], c)
		}
		k := copy(p[n:], r.rest)
		r.rest, n = r.rest[k:], n+k
	}
	return n, nil
}
