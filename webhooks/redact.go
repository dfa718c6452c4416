package webhooks

import (
	"bytes"
	"net/url"
	"regexp"
	"strings"
)

// maxKept is how many bytes are kept of a payload.
const maxKept = 64 << 10

// hidden is written in place of a secret.
const hidden = "[redacted]"

// kept is a payload as it can be shown: without the app's own secrets, without
// what stands at keys that are called a secret, a token or a password, without
// the passwords of URLs, and cut to 64 KiB.
func kept(payload []byte, secrets []string) string {
	payload = unwrapped(payload)
	text := payload[:min(len(payload), maxKept+1<<10)] // what is cut below hides no secret that is half inside
	for _, secret := range secrets {
		if secret != "" {
			text = bytes.ReplaceAll(text, []byte(secret), []byte(hidden))
		}
	}
	text = hideLogins(hideKeys(text))
	return strings.ToValidUTF8(string(text[:min(len(text), maxKept)]), "")
}

// hideKeys blanks the values of keys that name secrets. Most payloads have no
// such key, so that is looked at first.
func hideKeys(text []byte) []byte {
	folded := bytes.ToLower(text)
	for _, word := range []string{"secret", "token", "password", "apikey", "api_key", "api-key", "authorization", "callback_url"} { // who has Docker Hub's callback can answer it
		if bytes.Contains(folded, []byte(word+`"`)) {
			form := regexp.MustCompile(`(?i)("[a-z_-]*` + word + `"\s*:\s*)"(?:[^"\\]|\\.)*"?`)
			text = form.ReplaceAll(text, []byte(`${1}"`+hidden+`"`))
		}
	}
	return text
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
