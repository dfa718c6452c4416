package webhooks

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"batuta"
)

const (
	maxKept = 64 << 10 // bytes of a payload that are kept

	// margin is how many bytes more are looked at, and then cut away: what is
	// cut in two is not known for a secret any more.
	margin = 8 << 10

	// asRead is how many bytes of a text a forge's file passes on. It is cut to
	// its own length once its secrets are blanked.
	asRead = 4 << 10
)

// hidden is written in place of a secret.
const hidden = "[redacted]"

// Censor knows the secrets of the apps.
type Censor interface {
	// Blank is a text without the secrets of an app, in whatever way they are
	// written in it.
	Blank(app batuta.AppName, text string) string
	// Opens tells whether a text has a secret that opens an app's webhook or
	// its repository.
	Opens(app batuta.AppName, text string) bool
}

// door is the Censor that knows the webhooks' own secrets, as they stand.
type door struct{ Apps }

// Blank writes a mark over each.
func (d door) Blank(app batuta.AppName, text string) string {
	secrets, _ := d.Webhook(app)
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, hidden)
		}
	}
	return text
}

// Opens looks for them.
func (d door) Opens(app batuta.AppName, text string) bool { return d.Blank(app, text) != text }

// pen writes down what is said about an app, without its secrets, without what
// is called a secret, a token, a key or a password, and without the logins of
// URLs.
type pen struct {
	Censor
	app batuta.AppName
}

// line is a text as it can be shown, in at most limit bytes.
func (p pen) line(text string, limit int) string {
	if text == "" {
		return ""
	}
	return clean(hideLogins(hideNamed(p.Blank(p.app, text))), limit)
}

// id is a delivery's own, or made of the content where it has none that can be
// kept.
func (p pen) id(given string, body []byte) string {
	if given != "" && len(given) <= 100 && printable(given) && p.line(given, 100) == given {
		return given
	}
	sum := sha256.Sum256(body)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// payload is one as it can be shown, cut to 64 KiB. A form is shown as the
// JSON that it has, and no character is escaped that need not be.
func (p pen) payload(body []byte) string {
	body = unwrapped(body)
	text := hideLogins(hideNamed(p.Blank(p.app, unescaped(string(body[:min(len(body), maxKept+margin)])))))
	if len(body) > maxKept+margin {
		text = text[:max(len(text)-margin, 0)]
	}
	return strings.ToValidUTF8(text[:min(len(text), maxKept)], "")
}

// move is one without secrets. A ref has to be written down as it is for a run
// to fetch it, so that one which has a secret that opens a door starts none.
func (p pen) move(m Move) Move {
	push := &m.Push
	if m.Ignored == "" && (p.Opens(p.app, push.Ref) || push.Pull != nil && p.Opens(p.app, push.Pull.Target)) {
		m.Ignored = "its ref has a secret of the app's webhook or repository, which the run would show"
	}
	if m.Ignored != "" {
		push.Ref, m.Ignored = p.line(push.Ref, asRead), p.line(m.Ignored, 500)
	}
	if pull := push.Pull; pull != nil && m.Ignored != "" {
		push.Pull = &batuta.PullRequest{Number: pull.Number, Fork: pull.Fork, Source: p.line(pull.Source, asRead), Target: p.line(pull.Target, asRead)}
	}
	if m.Delivery != "" {
		m.Delivery = p.id(m.Delivery, []byte(m.Delivery))
	}
	push.Sender, push.Message, m.Event = p.line(push.Sender, 100), p.line(push.Message, 500), p.line(m.Event, 100)
	m.Paths = slices.Clone(m.Paths)
	for n, path := range m.Paths {
		m.Paths[n] = p.line(path, 500)
	}
	return m
}

// named is what secrets are called, or the end of it. Who has Docker Hub's
// callback_url can answer it.
const named = `(?:secret|token|password|passwd|passphrase|authorization|credential|jwt|callback_url|` +
	`(?:api|private|secret|access|ssh|deploy|signing|encryption)[_-]?key)`

// What a name has in JSON: a text, which may be cut off, a number or several of
// them; in JSON that is a text of JSON; and in the query of a URL, which may be
// within another.
var (
	inObject = regexp.MustCompile(`(?i)("[a-z0-9_. -]*` + named + `"\s*:\s*)(?:"(?:[^"\\]|\\.)*"?|-?[0-9][0-9.e+-]*|\[(?:"(?:[^"\\]|\\.)*"|[^"\[\]{}])*\]?)`)
	inText   = regexp.MustCompile(`(?i)(\\"[a-z0-9_. -]*` + named + `\\"\s*:\s*)\\"[^"\\]*(?:\\")?`)
	inQuery  = regexp.MustCompile(`(?i)((?:[?&;#]|%3f|%26)(?:[a-z0-9_.-]*(?:` + named + `|signature|auth)|sig|key|pwd)(?:=|%3d))[^&#\s"'\\<>]+`)
)

// hideNamed blanks what is called a secret. Most texts have nothing of that
// kind, so that this is looked at first.
func hideNamed(text string) string {
	if !mayName(text) {
		return text
	}
	text = inObject.ReplaceAllString(text, `${1}"`+hidden+`"`)
	text = inText.ReplaceAllString(text, `${1}\"`+hidden+`\"`)
	return inQuery.ReplaceAllString(text, `${1}`+hidden)
}

// mayName tells whether a text may have a name of a secret, before the quote or
// the = that ends it.
func mayName(text string) bool {
	for at := 1; at < len(text); at++ {
		if c := text[at]; c != '"' && c != '=' && c != '%' {
			continue
		}
		name := strings.TrimSuffix(text[max(at-len(`authorization\`), 0):at], `\`)
		if name == "" {
			continue
		}
		for _, end := range ends(name[len(name)-1] | ' ') { // in lower case
			if len(name) >= len(end) && strings.EqualFold(name[len(name)-len(end):], end) {
				return true
			}
		}
	}
	return false
}

// ends are the ends, with that letter, of what secrets are called.
func ends(letter byte) []string {
	switch letter {
	case 't':
		return []string{"secret", "jwt"}
	case 'n':
		return []string{"token", "authorization"}
	case 'd':
		return []string{"password", "passwd", "pwd"}
	case 'e':
		return []string{"passphrase", "signature"}
	case 'l':
		return []string{"credential", "callback_url"}
	case 'y':
		return []string{"_key", "-key", "ikey", "ekey", "tkey", "skey", "hkey", "ykey", "gkey", "nkey", "?key", "&key", ";key", "#key", "fkey", "6key"}
	case 'g':
		return []string{"sig"}
	case 'h':
		return []string{"auth"}
	}
	return nil
}

// unwrapped is the JSON of a payload that was sent as a form, or what it is.
func unwrapped(payload []byte) []byte {
	if !bytes.HasPrefix(payload, []byte("payload=")) {
		return payload
	}
	form, err := url.ParseQuery(string(payload))
	if err != nil {
		return payload
	}
	return []byte(form.Get("payload"))
}

// unescaped is JSON without the escapes that it need not have, \/ and \u0041,
// which would hide what a text is.
func unescaped(text string) string {
	if !strings.Contains(text, `\/`) && !strings.Contains(text, `\u00`) {
		return text
	}
	var out strings.Builder
	for {
		at := strings.IndexByte(text, '\\')
		if at < 0 || at+1 == len(text) {
			return out.String() + text
		}
		out.WriteString(text[:at])
		text = text[at:]
		means, length := text[:2], 2
		if text[1] == '/' {
			means = "/"
		} else if code, err := strconv.ParseUint(text[2:min(len(text), 6)], 16, 8); text[1] == 'u' && len(text) > 5 && err == nil && code >= ' ' && code <= '~' && code != '"' && code != '\\' {
			means, length = string(rune(code)), 6
		}
		out.WriteString(means)
		text = text[length:]
	}
}

// hideLogins blanks the user and password of each URL that has them, and the
// user alone where that is a token: git@ is none.
func hideLogins(text string) string {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, "://")
		if !found {
			break
		}
		out.WriteString(before + "://")
		authority := after
		if end := strings.IndexAny(after, "/?# \"\\"); end >= 0 {
			authority = after[:end]
		}
		if at := strings.LastIndexByte(authority, '@'); at >= 0 && (strings.IndexByte(authority[:at], ':') >= 0 || strings.HasSuffix(before, "http") || strings.HasSuffix(before, "https")) {
			out.WriteString(hidden)
			after = after[at:]
		}
		text = after
	}
	return out.String() + text
}
