package webhooks

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// maxKept is how many bytes are kept of a payload.
const maxKept = 64 << 10

// hidden is written in place of a secret.
const hidden = "[redacted]"

// curtain hides the app's own secrets: as they are, in Base64, also of
// something of which they are a part, in URLs, and with the escapes of JSON.
type curtain struct {
	secrets []string
	forms   [][]byte
}

func newCurtain(secrets []string) curtain {
	c := curtain{secrets: slices.DeleteFunc(slices.Clone(secrets), func(s string) bool { return s == "" })}
	for _, s := range c.secrets {
		forms := []string{s, url.QueryEscape(s), url.PathEscape(s)}
		if len(s) >= shortSecret {
			forms = append(forms, inBase64(base64.RawStdEncoding, s)...)
			forms = append(forms, inBase64(base64.RawURLEncoding, s)...)
		}
		slices.Sort(forms)
		for _, form := range slices.Compact(forms) {
			c.forms = append(c.forms, []byte(form))
		}
	}
	slices.SortFunc(c.forms, func(a, b []byte) int { return len(b) - len(a) })
	return c
}

// shortSecret is below what a secret's Base64 would be found where it is not.
const shortSecret = 6

// inBase64 are the characters that are a value's own in the Base64 of something
// of which it is a part: one form for each place at which it may begin.
func inBase64(alphabet *base64.Encoding, value string) []string {
	var own []string
	for before := range 3 {
		text := alphabet.EncodeToString(append(make([]byte, before), value...))
		own = append(own, text[(8*before+5)/6:8*(before+len(value))/6])
	}
	return own
}

// hide blanks the secrets, and what URLs have of logins and tokens.
func (c curtain) hide(text []byte) []byte {
	text = replaced(text, []byte(`\/`), []byte("/")) // the same to JSON
	for _, form := range c.forms {
		text = replaced(text, form, []byte(hidden))
	}
	if bytes.Contains(text, []byte(`\u`)) {
		plain := unescaped.ReplaceAllFunc(text, unescape)
		for _, s := range c.secrets {
			if bytes.Contains(plain, []byte(s)) {
				text = anyhow(s).ReplaceAll(text, []byte(hidden))
			}
		}
	}
	return hideLogins(hideQueries(text))
}

// replaced makes no copy of a text that it need not change.
func replaced(text, from, to []byte) []byte {
	if !bytes.Contains(text, from) {
		return text
	}
	return bytes.ReplaceAll(text, from, to)
}

func (c curtain) text(s string) string { return string(c.hide([]byte(s))) }

// cover hides the secrets in what a delivery says of a move. A ref is left as
// it is: it says what to run.
func (c curtain) cover(m *Move) {
	m.Ignored, m.Delivery, m.Event = c.text(m.Ignored), c.text(m.Delivery), c.text(m.Event)
	m.Push.Sender, m.Push.Message = c.text(m.Push.Sender), c.text(m.Push.Message)
	for n, path := range m.Paths {
		m.Paths[n] = c.text(path)
	}
}

var unescaped = regexp.MustCompile(`\\u[0-9a-fA-F]{4}`)

// unescape reads one escape of JSON.
func unescape(escape []byte) []byte {
	var out string
	if json.Unmarshal(slices.Concat([]byte(`"`), escape, []byte(`"`)), &out) != nil {
		return escape
	}
	return []byte(out)
}

// anyhow finds a value however JSON escapes its characters.
func anyhow(value string) *regexp.Regexp {
	var form strings.Builder
	for _, r := range value {
		fmt.Fprintf(&form, `(?:%s|\\%s`, regexp.QuoteMeta(string(r)), regexp.QuoteMeta(string(r)))
		if r <= 0xffff {
			fmt.Fprintf(&form, `|\\u(?i:%04x)`, r)
		}
		form.WriteByte(')')
	}
	return regexp.MustCompile(form.String())
}

// kept is a payload as it can be shown: without the app's own secrets, without
// what stands at keys that are called a secret, a token or a password, without
// the passwords of URLs, and cut to 64 KiB.
func (c curtain) kept(payload []byte) string {
	payload = unwrapped(payload)
	text := payload[:min(len(payload), maxKept+1<<10)] // what is cut below hides no secret that is half inside
	text = c.hide(hideKeys(text))
	return strings.ToValidUTF8(string(text[:min(len(text), maxKept)]), "")
}

// secretWords are what keys are called, or end with, whose values are secret.
// Who has Docker Hub's callback can answer it.
var secretWords = []string{
	"secret", "token", "password", "passwd", "passphrase", "apikey", "api_key", "api-key", "private_key", "privatekey", "private-key",
	"authorization", "credentials", "callback_url",
}

// hideKeys blanks the values of keys that name secrets. Most payloads have no
// such key, so that is looked at first.
func hideKeys(text []byte) []byte {
	for _, word := range secretKeys(text) {
		form := regexp.MustCompile(`(?i)("[a-z_-]*` + word + `"\s*:\s*)"(?:[^"\\]|\\.)*"?`)
		text = form.ReplaceAll(text, []byte(`${1}"`+hidden+`"`))
	}
	return text
}

// secretKeys are the words in which the text's keys end.
func secretKeys(text []byte) []string {
	var out []string
	for at := 0; ; at++ {
		n := bytes.IndexByte(text[at:], '"')
		if n < 0 {
			return out
		}
		at += n
		if !bytes.HasPrefix(bytes.TrimLeft(text[at+1:min(len(text), at+8)], " \t\r\n"), []byte(":")) {
			continue // it ends no key
		}
		if word := ending(text[:at], secretWords); word != "" && !slices.Contains(out, word) {
			out = append(out, word)
		}
	}
}

// ending is the first of the words in which the text ends, in letters of either
// case; empty if it ends in none.
func ending(text []byte, words []string) string {
	for _, word := range words {
		n := len(text) - len(word)
		if n >= 0 && text[len(text)-1]|0x20 == word[len(word)-1] && strings.EqualFold(string(text[n:]), word) {
			return word
		}
	}
	return ""
}

// secretQueries are what parameters of URLs are called, or end with, whose
// values are secret.
var secretQueries = []string{"token", "secret", "password", "key", "signature", "sig"}

// query is such a parameter, also where JSON writes the separator as an escape.
var query = regexp.MustCompile(`(?i)((?:[?&;]|\\u0026)[a-z_-]*(?:` + strings.Join(secretQueries, "|") + `)=)[^&"\\\s#'<>]+`)

// hideQueries blanks the parameters of URLs that are called a secret. Few texts
// have one, so that is looked at first.
func hideQueries(text []byte) []byte {
	for rest := text; ; {
		before, after, found := bytes.Cut(rest, []byte("="))
		if !found {
			return text
		}
		if ending(before, secretQueries) != "" {
			return query.ReplaceAll(text, []byte("${1}"+hidden))
		}
		rest = after
	}
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

// hideLogins blanks the user and password of each URL that has them, and the
// user alone where that is a token: git@ is none.
func hideLogins(text []byte) []byte {
	var out []byte
	rest := text
	for {
		before, after, found := bytes.Cut(rest, []byte("://"))
		if !found {
			break
		}
		out = append(append(out, before...), "://"...)
		authority := after
		if end := bytes.IndexAny(after, "/?# \"\\"); end >= 0 {
			authority = after[:end]
		}
		if at := bytes.LastIndexByte(authority, '@'); at >= 0 && (bytes.IndexByte(authority[:at], ':') >= 0 || bytes.HasSuffix(before, []byte("http")) || bytes.HasSuffix(before, []byte("https"))) {
			out, after = append(out, hidden...), after[at:]
		}
		rest = after
	}
	return append(out, rest...)
}
