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
type wrapped struct {
	follows map[string][]string
	begun   []uint64 // a bit for each hash of what the keys begin with: most text is told from them by that
}

func newWrapped() wrapped { return wrapped{map[string][]string{}, make([]uint64, 1<<hashBits/64)} }

// hashBits is how many bits a hash has: few enough for the table to stay in the
// processor's cache.
const hashBits = 14

// hash is that of the first four characters.
func hash(s string) uint32 {
	return (uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24) * 2654435761 >> (32 - hashBits)
}

// add adds a value.
func (w wrapped) add(value string) {
	for _, alphabet := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		for _, own := range within(alphabet, value) {
			for at := 0; at+gram <= len(own); at++ {
				key, h := own[at:at+gram], hash(own[at:])
				w.follows[key] = append(w.follows[key], own[at+gram:])
				w.begun[h/64] |= 1 << (h % 64)
			}
		}
	}
}

// blank replaces what is a secret's own at the begin and at the end of each run
// of Base64 characters.
func (w wrapped) blank(s string) string {
	if len(w.follows) == 0 {
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
			if h := hash(s[at:]); w.begun[h/64]&(1<<(h%64)) == 0 {
				continue
			}
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
	for _, follows := range w.follows[rest[:gram]] {
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
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '-' || c == '_'
}
