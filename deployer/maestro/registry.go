package maestro

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"batuta/deployer"
)

// Registry is where images come from, and with which login.
type Registry struct {
	Name     string          `json:"name"`     // in the document
	Host     string          `json:"host"`     // of the URL, with its port
	Insecure bool            `json:"insecure"` // the URL is http
	Login    *deployer.Login `json:"-"`        // nil: the user's own from Docker's configuration, if any
	Attempts int             `json:"attempts"` // of a login or a pull, a second apart
	When     []int           `json:"when"`     // the status codes after which another is made; empty: none
}

// Serves tells whether an image comes from the registry: what is before its
// first / is the registry's name, or its host with or without the port.
func (g Registry) Serves(image string) bool {
	prefix, _, found := strings.Cut(image, "/")
	if !found {
		return false
	}
	bare, _, _ := strings.Cut(g.Host, ":")
	return prefix == g.Name || prefix == g.Host || prefix == bare
}

const registryAttempts = 3

func (r *reader) registries(v *value) []Registry {
	var out []Registry
	r.each(v, func(name string, _, w *value) {
		if !r.dict(w) {
			return
		}
		r.known(w, []string{"registry", "username", "password", "email", "retry"}, nil)
		g := Registry{Name: name, Attempts: registryAttempts}
		link := r.needed(w, "registry", "write registry: https://HOST/v1/")
		u, err := url.Parse(link)
		if link != "" && (err != nil || u.Host == "") {
			r.problem(w.get("registry"), fmt.Sprintf("%q is not a URL", link), "write https://HOST/v1/")
			return
		} else if link != "" {
			g.Host, g.Insecure = u.Host, u.Scheme == "http"
		}
		if user := r.text(w.get("username")); user != "" {
			g.Login = &deployer.Login{User: user, Password: r.needed(w, "password", "leave username out, too, to use Docker's own login")}
		}
		if retry := w.get("retry"); r.dict(retry) {
			r.known(retry, []string{"attempts", "when"}, nil)
			g.Attempts = int(r.number(retry.get("attempts"), 1, 1000, registryAttempts))
			for _, code := range r.list(retry.get("when")) {
				g.When = append(g.When, int(r.number(code, 100, 599, 0)))
			}
		}
		out = append(out, g)
	})
	slices.SortFunc(out, func(a, b Registry) int { return strings.Compare(a.Name, b.Name) })
	return out
}
