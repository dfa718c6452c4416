package docker_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"batuta/deployer"
	"batuta/deployer/docker"
)

// wire reads along on the way to an Engine.
type wire struct {
	mu   sync.Mutex
	said []string // the requests: POST /containers/create
	body string   // of the last to create a container
}

// overWire gives the bench's ship, reached over a wire.
func overWire(t *testing.T, b *bench) (*docker.Ship, *wire) {
	t.Helper()
	engine, err := url.Parse("http" + strings.TrimPrefix(b.at.TCP, "tcp"))
	must(t, err)
	w, pass := &wire{}, httputil.NewSingleHostReverseProxy(engine)
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		content, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(content))
		w.note(r, content)
		pass.ServeHTTP(out, r)
	}))
	t.Cleanup(server.Close)
	return dial(t, b.at.Name, "tcp://"+server.Listener.Addr().String(), docker.Options{}), w
}

func (w *wire) note(r *http.Request, content []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, r.Method+" "+r.URL.Path)
	if strings.HasSuffix(r.URL.Path, "/containers/create") {
		w.body = string(content)
	}
}

// takes tells the requests since it was last asked.
func (w *wire) takes() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	said := w.said
	w.said = nil
	return said
}

func TestWhatIsSentIsTheBody(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ship, w := overWire(t, b)
	i := b.instance(sleeps, settled, published, func(i *deployer.Instance) {
		i.Env = append(i.Env, deployer.Variable{Name: "PIN", Value: "0000", Secret: true})
		i.CapAdd, i.CapDrop = []string{"NET_ADMIN"}, []string{"CHOWN"}
	})
	_, err := ship.Create(t.Context(), b.scope, 7, i)
	must(t, err)
	body, err := docker.CreateBody(b.scope, 7, i)
	must(t, err)
	own := b.networks(t, raw(t, b.at.Endpoint))[0]
	want := strings.NewReplacer("PIN=[secret]", "PIN=0000", `"`+own.Name+`"`, `"`+own.ID+`"`).Replace(string(body))
	if w.body != want {
		t.Errorf("sent\n%s\nwant\n%s", w.body, want)
	}
}

// TestShipIsAskedLittle holds what a deployment costs over a slow wire.
func TestShipIsAskedLittle(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ship, w := overWire(t, b)
	id, err := ship.Create(t.Context(), b.scope, 7, b.instance(sleeps)) // the network is there after this
	must(t, err)
	w.takes()
	for _, act := range []struct {
		name string
		most int
		do   func(context.Context) error
	}{
		{"create", 2, func(ctx context.Context) error {
			_, err := ship.Create(ctx, b.scope, 7, b.instance(sleeps, named("web-2")))
			return err
		}},
		{"start", 1, func(ctx context.Context) error { return ship.Start(ctx, id) }},
		{"kill", 1, func(ctx context.Context) error { return ship.Kill(ctx, id) }},
		{"lock", 3, func(ctx context.Context) error { return takes(ctx, ship, b, "ada") }},
		{"renew", 4, func(ctx context.Context) error { return takes(ctx, ship, b, "ada") }},
		{"held by another", 2, func(ctx context.Context) error {
			_, err := ship.Lock(ctx, b.scope, "grace", time.Minute)
			return err
		}},
		{"unlock", 2, func(ctx context.Context) error { return ship.Unlock(ctx, b.scope, "ada") }},
	} {
		must(t, act.do(t.Context()))
		if asked := w.takes(); len(asked) == 0 || len(asked) > act.most {
			t.Errorf("%s asks %d times: %v", act.name, len(asked), asked)
		}
	}
}
