package secrets

import (
	"encoding/base64"
	"strings"
)

// gram is how many characters of Base64 are looked up: fewer tell nothing.
const gram = 2 * shortest

// wrapped finds what lines of Base64 have of the secrets that they begin with,
// end with or are a part of. Its keys are all pieces of gram characters of what
// is the secrets' own, its values what follows each of them.
type wrapped map[string][]string

// add adds a value.
func (w wrapped) add(value string) {
	for _, alphabet := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		for _, own := range within(alphabet, value) {
			for at := 0; at+gram <= len(own); at++ {
				w[own[at:at+gram]] = append(w[own[at:at+gram]], own[at+gram:])
			}
		}
	}
}

// blank replaces what is a secret's own at the begin and at the end of each run
// of Base64 characters.
func (w wrapped) blank(s string) string {
	if len(w) == 0 {
		return s
	}
	var out strings.Builder
	kept := 0
	for from := 0; from < len(s); from++ {
		to := from
		for to < len(s) && inAlphabet(s[to]) {
			to++
		}
		for at := from; at+gram <= to; at++ {
			if n := w.own(s[at:to], at == from); n > 0 {
				out.WriteString(s[kept:at])
				out.WriteString(Mark)
				kept, at = at+n, at+n-1
			}
		}
		from = to
	}
	if kept == 0 {
		return s
	}
	out.WriteString(s[kept:])
	return out.String()
}

// own is how many of the first characters of the rest of a run are a secret's:
// all of them, or, at the run's begin, the last that the secret has.
func (w wrapped) own(rest string, begin bool) int {
	most := 0
	for _, follows := range w[rest[:gram]] {
		switch {
		case strings.HasPrefix(follows, rest[gram:]):
			return len(rest)
		case begin && strings.HasPrefix(rest[gram:], follows):
			most = max(most, gram+len(follows))
		}
	}
	return most
}

func inAlphabet(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("+/-_", c) >= 0
}
