package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"batuta/internal/config"
)

// Principal is whoever a request comes from, as its token says.
type Principal struct {
	Name string
	config.Person
}

// Gate knows people by their tokens, of which it keeps only hashes. The zero
// Gate knows nobody.
type Gate struct {
	known []known
}

type known struct {
	hash [sha256.Size]byte
	who  Principal
}

// NewGate makes a gate for the people of server.yml.
func NewGate(people map[string]config.Person) *Gate {
	g := &Gate{}
	for name, p := range people {
		if p.Token.Reveal() == "" {
			continue
		}
		hash := sha256.Sum256([]byte(p.Token.Reveal()))
		p.Token = config.Secret{}
		g.known = append(g.known, known{hash, Principal{name, p}})
	}
	return g
}

// Identify tells whose token it is. It takes the same time for a token that is
// nearly right as for any other.
func (g *Gate) Identify(token string) (Principal, bool) {
	hash := sha256.Sum256([]byte(token))
	found := -1
	for i := range g.known {
		if subtle.ConstantTimeCompare(hash[:], g.known[i].hash[:]) == 1 {
			found = i
		}
	}
	if found < 0 {
		return Principal{}, false
	}
	return g.known[found].who, true
}

// Token is what a request identifies itself with: a bearer token, or the
// password of basic authentication with any user. It is empty if there is
// neither.
func Token(r *http.Request) string {
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	return ""
}
