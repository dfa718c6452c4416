package webhooks

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"batuta"
)

// Forge is how one kind of forge speaks. A new one is a file with a function
// that gives a Forge, and a place in the list that New gets.
type Forge struct {
	Name             string   // in batuta.Push
	EventHeader      string   // names the event; that it is there tells the forge. Empty: the body names it
	DeliveryHeaders  []string // name the delivery: the first that is there
	SignatureHeaders []string // have the proof of who sends; without any of them no body is looked at

	// Mine tells apart forges that have one EventHeader, or none; nil: the
	// header is enough.
	Mine func(h http.Header) bool

	// Signed tells whether the forge signed the body with the secret. It
	// compares in constant time, and a missing signature never passes.
	Signed func(h http.Header, body []byte, secret string) bool

	// Dated tells when what the payload is about happened, the zero time if
	// that is not there; nil: the forge does not tell, or Read says so.
	Dated func(payload []byte) time.Time

	// Read understands a payload whose signature was right. Its errors are
	// shown to the sender.
	Read func(event string, payload []byte) (Event, error)
}

// Event is what a delivery says.
type Event struct {
	Moves    []Move // the branches and tags that moved, or the images that were pushed
	Ignored  string `json:",omitempty"` // why nothing is to be done, if Moves is empty
	Clone    string `json:",omitempty"` // the repository's URL, where the forge tells it
	Delivery string `json:",omitempty"` // the delivery's id, where the body has it
	Name     string `json:",omitempty"` // of the event, where the body has it

	sent time.Time // when it happened, where the forge tells
}

// Move is one branch or tag that moved, or one image that was pushed.
type Move struct {
	Push     batuta.Push // Ref, Before, Revision, Sender and Message; of an image its reference as Ref, and Sender
	Ignored  string      `json:",omitempty"` // why it starts no run; Revision may be empty then
	Delivery string      `json:",omitempty"` // its own id, where each of several has one
	Event    string      `json:",omitempty"` // its own name, where each of several has one
	Paths    []string    `json:",omitempty"` // what the forge says changed, sorted; it may not say all
}

// ignored is an event that needs no run.
func ignored(format string, args ...any) Event { return Event{Ignored: fmt.Sprintf(format, args...)} }

// recognises tells whether the delivery is this forge's.
func (f Forge) recognises(h http.Header) bool {
	if f.EventHeader != "" && h.Get(f.EventHeader) == "" {
		return false
	}
	return f.Mine == nil || f.Mine(h)
}

// first is the first of the headers that is there.
func first(h http.Header, names []string) string {
	for _, name := range names {
		if value := h.Get(name); value != "" {
			return value
		}
	}
	return ""
}

// hmacSHA256 tells whether signature is prefix and the hex of the body's
// HMAC-SHA256. Its time does not depend on where the two differ.
func hmacSHA256(signature, prefix string, body []byte, secret string) bool {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	want := prefix + hex.EncodeToString(mac.Sum(nil))
	return hmac.Equal([]byte(want), []byte(signature))
}

// payloadOf gives the JSON of a delivery, which a forge may also send in the
// field "payload" of a form.
func payloadOf(h http.Header, body []byte) ([]byte, error) {
	if !isForm(h) {
		return body, nil
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || !form.Has("payload") {
		return nil, errors.New(`the form has no field "payload"`)
	}
	return []byte(form.Get("payload")), nil
}

// isForm tells whether the body is a form.
func isForm(h http.Header) bool {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && kind == "application/x-www-form-urlencoded"
}

// zero tells whether the hash stands for no commit, as all forges write it: 40
// zeros, or 64 where git hashes with SHA-256.
func zero(hash string) bool {
	return (len(hash) == 40 || len(hash) == 64) && strings.Trim(hash, "0") == ""
}

// subject is the first line of a commit message.
func subject(message string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(message), "\n")
	return clean(line, asRead)
}

// clean makes text from outside safe to show: no control characters, no more
// than limit bytes.
func clean(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit-len("…")], "") + "…"
	}
	return strings.TrimSpace(s)
}

// shown is what a sender wrote as a person may see it: at most 200 runes, and
// "�" for each that cannot be printed, so that it never reads like the name of
// something else.
func shown(s string) string {
	const limit = 200
	runes := make([]rune, 0, limit)
	for _, r := range s {
		if len(runes) == limit {
			runes[limit-1] = '…'
			break
		}
		if !unicode.IsPrint(r) {
			r = utf8.RuneError
		}
		runes = append(runes, r)
	}
	return string(runes)
}

// printable tells whether s is visible ASCII.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// checkRef tells whether git would take name as that of a branch or a tag
// (the rules are those of git check-ref-format). A branch or a tag that looks
// like an option is refused as well.
func checkRef(name string) error {
	bad := fmt.Errorf("ref: %q is not the name of a ref", clean(name, asRead))
	if len(name) > 1000 || !utf8.ValidString(name) || strings.HasSuffix(name, ".") ||
		strings.Contains(name, "..") || strings.Contains(name, "@{") || strings.ContainsAny(name, " ~^:?*[\\\x7f") {
		return bad
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".lock") {
			return bad
		}
	}
	if strings.ContainsFunc(name, unicode.IsControl) {
		return bad
	}
	_, short, _ := strings.Cut(strings.TrimPrefix(name, "refs/"), "/")
	if strings.HasPrefix(short, "-") {
		return bad
	}
	return nil
}

// notJSON is what a sender hears whose payload cannot be read, in JSON's own
// words.
func notJSON(err error) error {
	const says = "the payload is not the JSON that it should be"
	other := (*json.UnmarshalTypeError)(nil)
	if !errors.As(err, &other) {
		return fmt.Errorf(says+": %w", err)
	}
	is, _, _ := strings.Cut(other.Value, " ") // as in "number 7"
	field := strings.TrimPrefix(other.Field, "movement.")
	return fmt.Errorf(says+": %s is %s and should be %s", cmp.Or(field, "the whole"), inJSON(is), inJSON(other.Type.Kind().String()))
}

// inJSON is how a person calls a kind of value, given the word of package json
// or of Go.
func inJSON(kind string) string {
	switch kind {
	case "string":
		return "a string"
	case "number":
		return "a number"
	case "bool":
		return "true or false"
	case "array":
		return "an array"
	default: // a struct, or a pointer to one
		return "an object"
	}
}
