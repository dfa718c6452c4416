package main

import (
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"batuta/internal/lab"
)

// guarded is the lab's registry behind a login.
type guarded struct {
	host   string
	logins atomic.Int32
}

func newGuarded(t *testing.T, user, password string) *guarded {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", lab.Machine+":0")
	if err != nil {
		t.Fatal(err)
	}
	g := &guarded{host: listener.Addr().String()}
	behind := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: lab.Bases(t, lab.Busybox).Loopback})
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, _ := r.BasicAuth(); u != user || p != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		g.logins.Add(1)
		behind.ServeHTTP(w, r)
	})}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close() // what it was asked last does not matter
		<-ended
	})
	return g
}

// TestIIIEPEIsDeployed plans and deploys the file that IIIEPE published, with
// its image in a registry that wants the login of the document, and then again
// with another image.
func TestIIIEPEIsDeployed(t *testing.T) {
	t.Parallel()
	drupal(t)
	ships := lab.OwnShips(t, 2)
	private := newGuarded(t, "luis", "tortuga")
	text, err := os.ReadFile("../../deployer/maestro/testdata/iiiepe.yaml")
	if err != nil {
		t.Fatal(err)
	}
	moved := strings.NewReplacer("10.132.187.57", ships[0].Address, "10.132.219.180", ships[1].Address,
		"luis/drupaltest", private.host+"/luis/drupaltest").Replace(string(text))
	env := map[string]string{"HOME": t.TempDir()}
	s := stageOf{t, env, ownDocumentOf(t, env, moved)}
	_, errs := s.verb(4, "plan")
	contains(t, errs, private.host, "401")
	if err := os.WriteFile(s.file, []byte(strings.Replace(moved, "registries:", "registries: {private: {registry: \"http://"+private.host+"/v1/\", username: luis, password: tortuga, email: l@example.org}}", 1)), 0o600); err != nil {
		t.Fatal(err)
	}

	out, _ := s.verb(0, "plan")
	contains(t, out, "i1", "i2", "node1", "node2")
	out, _ = s.verb(0, "deploy", "--yes")
	contains(t, out, "drupaltest is live")
	for _, ship := range ships {
		contains(t, readURL(t, "http://"+ship.Address), "MAESTRO_ENVIRONMENT_NAME=drupaltest\n", "CONTAINER_HOST_ADDRESS="+ship.Address+"\n")
	}
	out, _ = s.verb(0, "plan")
	contains(t, out, "nothing to do")
	out, _ = s.verb(0, "start")
	contains(t, out, "up for")
	if strings.Contains(out, "differs") {
		t.Errorf("what was deployed is not what start would have started:\n%s", out)
	}
	if private.logins.Load() == 0 {
		t.Error("nobody logged in")
	}
}

// TestStrictRefusesWhatIsWarnedOf: what is seen when the document is read, and
// what is seen only when it is resolved, in lines of the template.
func TestStrictRefusesWhatIsWarnedOf(t *testing.T) {
	t.Parallel()
	const document = `
name: strict
ships: {here: {ip: 127.0.0.1, socket_path: /run/docker.sock}}
services:
{% for n in range(2) %}
  web{{ n }}:
    image: app
    instances: {web{{ n }}-1: {ship: here, ports: {http: "80:8080"}}}
{% endfor %}
`
	file := filepath.Join(t.TempDir(), "maestro.yaml")
	s := stageOf{t, map[string]string{"HOME": t.TempDir()}, file}
	for _, c := range []struct{ text, warning string }{
		{document, ":8:31: services.web1.instances.web1-1: web0-1 and web1-1 both want host port 8080 of here"},
		{strings.Replace(document, "image: app", "imge: app\n    image: app", 1), `:7:5: services.web0.imge: MaestroNG does not read "imge" here`},
	} {
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, verb := range []string{"dump", "deptree", "complete"} {
			_, errs := s.verb(0, verb)
			contains(t, errs, "warning: "+file+c.warning)
			out, errs := s.verb(2, verb, "--strict")
			contains(t, errs, file+c.warning)
			if out != "" || strings.Contains(errs, "warning:") {
				t.Errorf("%s --strict goes on:\n%s%s", verb, out, errs)
			}
		}
	}
}
