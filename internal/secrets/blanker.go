// Package secrets keeps secret values out of what people read: logs, errors,
// plans. The pipeline puts a Blanker between every step and its log.
package secrets

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Mark stands where a secret stood.
const Mark = "[secret]"

// shortest is the length from which a value, or a line of one, is blanked:
// what is shorter would blank half of every log, and is no secret.
const shortest = 4

// longestLine is how many bytes of an unfinished line a Writer holds back.
const longestLine = 64 << 10

// Blanker blanks a fixed set of secrets, as they are and in their Base64,
// URL-encoded (once or twice) and quoted forms: in whatever way a language
// writes URLs, JSON and strings. Base64 is found also where the secret is only a
// part of what was encoded, and in lines of any length. A secret of several
// lines is also blanked line by line.
type Blanker struct {
	replacer *strings.Replacer
	escaped  escaped
	wrapped  wrapped
	longest  int // bytes of the longest form
}

// NewBlanker makes a blanker for the values.
func NewBlanker(values ...string) Blanker {
	var forms []string
	var plain escaped
	w, longest := newWrapped(), 0
	for _, value := range values {
		value = strings.TrimSpace(value)
		if len(value) < shortest {
			continue
		}
		forms = append(forms, value, strings.Trim(strconv.Quote(value), `"`), inJSON(value))
		forms = append(append(forms, inURL(value)...), inBase64(value)...)
		w.add(value)
		plain, longest = append(plain, value), max(longest, longestEscape*len(value))
		for line := range strings.Lines(value) {
			if line = strings.TrimSpace(line); len(line) >= shortest {
				forms, plain = append(forms, line), append(plain, line)
			}
		}
	}
	slices.SortFunc(forms, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	var pairs []string
	for _, form := range slices.Compact(forms) {
		pairs = append(pairs, form, Mark)
		longest = max(longest, len(form))
	}
	return Blanker{strings.NewReplacer(pairs...), plain, w, longest}
}

// inURL is a value as it stands in a URL, and in one that stands in a URL.
func inURL(value string) []string {
	var forms []string
	for _, form := range []string{url.QueryEscape(value), url.PathEscape(value)} {
		twice := url.QueryEscape(form)
		forms = append(forms, form, lower(form), twice, lower(twice))
	}
	return forms
}

// percent is a byte in a URL.
var percent = regexp.MustCompile(`%[0-9A-F]{2}`)

func lower(form string) string { return percent.ReplaceAllStringFunc(form, strings.ToLower) }

// inBase64 is a value in Base64, by itself and as a part of something longer:
// then what it begins and ends with depends on that.
func inBase64(value string) []string {
	var forms []string
	for _, alphabet := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		forms = append(forms, alphabet.EncodeToString([]byte(value)))
		forms = append(forms, within(alphabet, value)...)
	}
	return forms
}

// within are the characters that are a value's own in the Base64 of something
// of which it is a part: one form for each place at which it may begin.
func within(alphabet *base64.Encoding, value string) []string {
	var own []string
	for before := range 3 {
		text := alphabet.EncodeToString(append(make([]byte, before), value...))
		own = append(own, text[(8*before+5)/6:8*(before+len(value))/6])
	}
	return own
}

// inJSON is a value as it stands inside a JSON string.
func inJSON(value string) string {
	text, _ := json.Marshal(value) // a string always has a form
	return strings.Trim(string(text), `"`)
}

// Text is s without the secrets.
func (b Blanker) Text(s string) string {
	return b.wrapped.blank(b.escaped.blank(b.replacer.Replace(s)))
}

// Writer passes whole lines on to w without the secrets. An unfinished line
// is held back, so that no secret slips through between two writes, until it
// is finished, too long, or the writer is closed. Closing does not close w.
func (b Blanker) Writer(w io.Writer) io.WriteCloser { return &writer{to: w, blanker: b} }

type writer struct {
	to      io.Writer
	blanker Blanker
	held    []byte
}

func (w *writer) Write(p []byte) (int, error) {
	w.held = append(w.held, p...)
	end := bytes.LastIndexByte(w.held, '\n') + 1
	if end == 0 && len(w.held) > longestLine+w.blanker.longest {
		// The line is blanked first, so that what is cut off is either no part
		// of a secret or held back with the rest of it.
		w.held = []byte(w.blanker.Text(string(w.held)))
		end = max(len(w.held)-w.blanker.longest, 0)
	}
	if err := w.pass(end); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (w *writer) Close() error { return w.pass(len(w.held)) }

func (w *writer) pass(end int) error {
	if end == 0 {
		return nil
	}
	text := w.blanker.Text(string(w.held[:end]))
	w.held = append(w.held[:0], w.held[end:]...)
	_, err := io.WriteString(w.to, text)
	return err
}
