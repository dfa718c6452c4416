package builder_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"batuta"
	"batuta/builder"
)

// perApp guards a registry in which the password is the name of the app whose
// repositories it is for.
func perApp(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, app, ok := r.BasicAuth()
		w.Header().Set("Content-Type", "application/json")
		switch {
		case !ok:
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`)
		case r.URL.Path != "/v2/" && !strings.HasPrefix(r.URL.Path, "/v2/"+app+"/"):
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"errors":[{"code":"DENIED","message":"not for this app"}]}`)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// as gives a request its app's own login.
func as(r builder.Request) builder.Request {
	host, _, _ := strings.Cut(r.Repository, "/")
	r.Login = func(asked string) builder.Login {
		if asked != host {
			return builder.Login{}
		}
		return builder.Login{User: "robot", Password: string(r.App)}
	}
	return r
}

// One builder makes the images of all apps, and its daemon has them all.
func TestBuildReadsNoOtherAppsImages(t *testing.T) {
	onEach(t, func(t *testing.T, b bench) {
		b.registry = newRegistry(t, perApp)
		built := b.builder(t, login(b.registry, "of nobody"))
		theirs := as(b.request(t, builder.Recipe{}, map[string]string{"Dockerfile": "FROM busybox\nCOPY page /\n", "page": "ahoy"}))
		first, err := built.Build(t.Context(), theirs, &output{})
		must(t, err)
		image := first.Image
		// Their second build has the daemon pull what the first one pushed.
		again := as(b.request(t, builder.Recipe{}, map[string]string{"Dockerfile": "FROM " + image.String() + "\nRUN cat /page\n"}))
		again.App, again.Repository, again.Login = theirs.App, theirs.Repository, theirs.Login
		_, err = built.Build(t.Context(), again, &output{})
		must(t, err)

		for name, test := range map[string]struct{ dockerfile, want string }{
			"as a base":            {"ARG IMAGE\nFROM " + image.String() + "\nCOPY page /\n", "Dockerfile:2: FROM " + image.String()},
			"by a tag":             {"FROM " + theirs.Repository + ":" + string(theirs.Revision) + "\nCOPY page /\n", "Dockerfile:1: FROM " + theirs.Repository},
			"by a variable":        {"ARG IMAGE\nFROM $IMAGE\nCOPY page /\n", "Dockerfile:2: FROM " + image.String()},
			"to copy from":         {"FROM scratch\nCOPY --from=" + image.String() + " /page /\n", "Dockerfile: FROM " + image.String()},
			"to mount":             {"FROM busybox\nRUN --mount=from=" + image.String() + ",target=/x cat /x/page\n", "Dockerfile: FROM " + image.String()},
			"as a frontend":        {"# syntax=" + image.String() + "\nFROM scratch\nCOPY page /\n", "Dockerfile: FROM " + image.String()},
			"as another's base":    {"FROM " + image.String() + " AS one\nFROM one\nCOPY page /\n", "Dockerfile:1: FROM " + image.String()},
			"in an unchanged step": {"FROM " + image.String() + "\nRUN cat /page\n", "Dockerfile:1: FROM " + image.String()},
		} {
			t.Run(name, func(t *testing.T) {
				r := as(b.request(t, builder.Recipe{Args: map[string]string{"IMAGE": image.String()}}, map[string]string{"Dockerfile": test.dockerfile, "page": "mine"}))
				got := buildFails(t, built, r, batuta.Denied)
				if !strings.Contains(got, test.want) || !strings.Contains(got, "does not let this app's builds read the image") {
					t.Errorf("got %q, want %q", got, test.want)
				}
			})
		}
	})
}

func TestLoginOfOneBuildServesNoOther(t *testing.T) {
	onEach(t, func(t *testing.T, b bench) {
		b.registry = newRegistry(t, perApp)
		built := b.builder(t)
		one := as(b.request(t, builder.Recipe{Static: "public"}, site))
		_, err := built.Build(t.Context(), one, &output{})
		must(t, err)
		other := as(b.request(t, builder.Recipe{Static: "public"}, site))
		other.Repository = one.Repository
		buildFails(t, built, other, batuta.Denied)
		other.Login = nil // as the builder's configuration, which has none
		buildFails(t, built, other, batuta.Denied)
	})
}
