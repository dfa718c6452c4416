package builder_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/crane"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"batuta"
	"batuta/builder"
	"batuta/internal/lab"
)

func TestFailureNamesTheLine(t *testing.T) {
	onEach(t, func(t *testing.T, b bench) {
		for name, test := range map[string]struct {
			dockerfile string
			want       string
			lacks      string
		}{
			"a command fails": {
				dockerfile: "FROM busybox\nRUN true\n\nRUN echo one; \\\n    echo two; \\\n    exit 7\n",
				want:       "web/Dockerfile:4: RUN echo one;     echo two;     exit 7: exit code 7\n  one\n  two",
			},
			"a command with a variable fails": {
				dockerfile: "FROM busybox\nARG CODE=9\nENV NAME=x\nRUN true ${NAME}\nRUN exit $CODE\n",
				want:       "web/Dockerfile:5: RUN exit ",
			},
			"only the end of the output": {
				dockerfile: "FROM busybox\nRUN for i in $(seq 100 150); do echo line $i; done; exit 1\n",
				want:       "\n  line 131\n",
				lacks:      "line 130\n",
			},
			"a file to copy is missing": {
				dockerfile: "FROM busybox\nCOPY nothing /\n",
				want:       `web/Dockerfile:2: COPY nothing /: "/nothing"`,
			},
			"an unknown instruction": {
				dockerfile: "FROM busybox\nRUNS true\n",
				want:       "web/Dockerfile:2: unknown instruction: RUNS",
			},
			"an unknown stage": {
				dockerfile: "FROM busybox\nCOPY --from=nowhere:1 / /\n",
				want:       "web/Dockerfile",
			},
			"an empty Dockerfile": {
				dockerfile: "# nothing\n",
				want:       "web/Dockerfile",
			},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				r := b.request(t, builder.Recipe{Context: "web"}, map[string]string{"web/Dockerfile": test.dockerfile})
				kind := batuta.Invalid
				if strings.Contains(name, "stage") {
					kind = batuta.Unavailable // docker.io/library/nowhere:1, of a registry that cannot be asked
					if !strings.HasPrefix(b.endpoint, "docker") {
						kind = batuta.Invalid // the lab's mirror can
					}
				}
				got := buildFails(t, b.builder(t), r, kind)
				if !strings.Contains(got, test.want) {
					t.Errorf("got %q, want %q", got, test.want)
				}
				if test.lacks != "" && strings.Contains(got, test.lacks) {
					t.Errorf("got %q, with %q", got, test.lacks)
				}
			})
		}
	})
}

func TestUnknownTargetIsInvalid(t *testing.T) {
	onEach(t, func(t *testing.T, b bench) {
		r := b.request(t, builder.Recipe{Target: "nowhere"}, map[string]string{"Dockerfile": "FROM busybox\n"})
		if got := buildFails(t, b.builder(t), r, batuta.Invalid); !strings.Contains(got, "nowhere") {
			t.Errorf("got %q", got)
		}
	})
}

func TestBaseImage(t *testing.T) {
	onEach(t, func(t *testing.T, b bench) {
		b.registry = newRegistry(t, password)
		for name, test := range map[string]struct {
			from string
			kind batuta.Kind
		}{
			"is not there":          {newRegistry(t, nil) + "/none:1", batuta.Invalid},
			"has a silent registry": {"127.0.0.1:1/none:1", batuta.Unavailable},
			"is refused":            {b.registry + "/none:1", batuta.Denied},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				r := b.request(t, builder.Recipe{}, map[string]string{"Dockerfile": "# comment\nFROM " + test.from + "\n"})
				got := buildFails(t, b.builder(t), r, test.kind)
				if want := "Dockerfile:2: FROM " + test.from; !strings.Contains(got, want) {
					t.Errorf("got %q, want %q", got, want)
				}
			})
		}
	})
}

func TestBaseImageBehindLogin(t *testing.T) {
	onEach(t, func(t *testing.T, b bench) {
		b.registry = newRegistry(t, password)
		base := b.registry + "/base:1"
		auth := crane.WithAuth(&authn.Basic{Username: "batuta", Password: "open sesame"})
		image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: runtime.GOARCH})
		must(t, err)
		must(t, crane.Push(image, base, auth))
		r := b.request(t, builder.Recipe{}, map[string]string{"Dockerfile": "FROM " + base + "\nCOPY page /\n", "page": "ahoy"})
		var log output
		if _, err := b.builder(t, login(b.registry, "open sesame")).Build(t.Context(), r, &log); err != nil {
			t.Errorf("%v\n%s", err, log.String())
		}
	})
}

func TestDiskFull(t *testing.T) {
	onEach(t, func(t *testing.T, b bench) {
		r := b.request(t, builder.Recipe{}, map[string]string{"Dockerfile": "FROM busybox\nRUN echo much >/dev/full\n"})
		if got := buildFails(t, b.builder(t), r, batuta.Unavailable); !strings.Contains(got, "disk is full") {
			t.Errorf("got %q", got)
		}
	})
}

// The registry is as package internal/registry answers.
func TestRegistryHasNoRoom(t *testing.T) {
	onEach(t, func(t *testing.T, b bench) {
		for name, methods := range map[string][]string{
			"for a layer":             {http.MethodPost},
			"for the rest of a layer": {http.MethodPatch, http.MethodPut},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				b := b
				b.registry = newRegistry(t, func(next http.Handler) http.Handler { return full(methods, next) })
				r := b.request(t, builder.Recipe{Static: "public"}, site)
				begun := time.Now()
				var log output
				_, err := b.builder(t).Build(t.Context(), r, &log)
				var said *batuta.Error
				want := "push " + r.Repository + ": no room: 59 MB free, 64 MB are kept free on the registry's disk"
				if !errors.As(err, &said) || said.Kind != batuta.Conflict || said.Message != want || !strings.Contains(said.Hint, "data directory") {
					t.Errorf("got %+v, want %q\n%s", said, want, log.String())
				}
				if took := time.Since(begun); took > 20*time.Second {
					t.Errorf("it took %s to fail", took)
				}
			})
		}
	})
}

// full refuses some kinds of writes, once all has come.
func full(methods []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(methods, r.Method) {
			next.ServeHTTP(w, r)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"errors":[{"code":"DENIED","message":"no room: 59 MB free, 64 MB are kept free on the registry's disk"}]}`)
	})
}

func TestPushNeedsTheLogin(t *testing.T) {
	onEach(t, func(t *testing.T, b bench) {
		b.registry = newRegistry(t, password)
		r := b.request(t, builder.Recipe{Static: "public"}, site)
		buildFails(t, b.builder(t), r, batuta.Denied)
		if !strings.HasPrefix(b.endpoint, "docker") { // an Engine retries this for 50 s
			buildFails(t, b.builder(t, login(b.registry, "wrong")), r, batuta.Denied)
		}
		if _, err := b.builder(t, login(b.registry, "open sesame")).Build(t.Context(), r, &output{}); err != nil {
			t.Error(err)
		}
	})
}

// password guards a registry.
func password(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, word, _ := r.BasicAuth(); user != "batuta" || word != "open sesame" {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func login(host, word string) func(*builder.Config) {
	return func(c *builder.Config) {
		c.Login = func(asked string) builder.Login {
			if asked != host {
				return builder.Login{}
			}
			return builder.Login{User: "batuta", Password: word}
		}
	}
}

func TestRegistryIsGone(t *testing.T) {
	onEach(t, func(t *testing.T, b bench) {
		b.registry = "127.0.0.1:1"
		buildFails(t, b.builder(t), b.request(t, builder.Recipe{Static: "public"}, site), batuta.Unavailable)
	})
}

func TestDaemonIsNotThere(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{"docker+unix:///run/none.sock", "docker+tcp://127.0.0.1:1", "unix:///run/none.sock", "tcp://127.0.0.1:1"} {
		t.Run(endpoint, func(t *testing.T) {
			t.Parallel()
			b := bench{endpoint: endpoint, registry: "127.0.0.1:1"}
			built := b.builder(t)
			if _, err := built.Check(t.Context()); !errors.Is(err, batuta.Unavailable) {
				t.Errorf("check: %v", err)
			}
			for _, recipe := range []builder.Recipe{{}, {Static: "public"}} {
				r := bench{registry: "127.0.0.1:1"}.request(t, recipe, map[string]string{"Dockerfile": "FROM scratch\n", "public/index.html": ""})
				if got := buildFails(t, built, r, batuta.Unavailable); !strings.Contains(got, "BuildKit at "+endpoint+" does not answer") {
					t.Errorf("got %q", got)
				}
			}
		})
	}
}

func TestEndpointIsRefused(t *testing.T) {
	for _, endpoint := range []string{"docker", "ssh://host", "docker+ssh://host", "unix://", "tcp:///path", "docker://host", "/run/docker.sock", "%"} {
		if _, err := builder.New(builder.Config{Endpoint: endpoint}); !errors.Is(err, batuta.Invalid) {
			t.Errorf("%q: %v", endpoint, err)
		}
	}
}

func TestCheckTellsTheVersion(t *testing.T) {
	onEach(t, func(t *testing.T, b bench) {
		version, err := b.builder(t).Check(t.Context())
		must(t, err)
		want := "BuildKit "
		if strings.HasPrefix(b.endpoint, "docker") {
			want = "Docker "
		}
		if !strings.HasPrefix(version, want) || len(version) == len(want) {
			t.Errorf("got %q", version)
		}
	})
}

func TestCancelStopsTheDaemon(t *testing.T) {
	onEach(t, func(t *testing.T, b bench) {
		r := b.request(t, builder.Recipe{}, nil)
		command := "sleep 3600 " + string(r.Revision)
		must(t, os.WriteFile(filepath.Join(r.Source, "Dockerfile"), []byte("FROM busybox\nRUN echo begin; sh -c 'sleep 3600; true' "+string(r.Revision)+"\n"), 0o644))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var log output
		ended := make(chan error, 1)
		go func() {
			_, err := b.builder(t).Build(ctx, r, &log)
			ended <- err
		}()
		log.await(t, " begin\n")
		if !running(t, string(r.Revision)) {
			t.Fatalf("no process has %q", command)
		}
		cancelled := time.Now()
		cancel()
		select {
		case err := <-ended:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("the build goes on")
		}
		lab.Wait(t, 10*time.Second, func() error {
			if running(t, string(r.Revision)) {
				return errors.New("the command still runs")
			}
			return nil
		})
		if took := time.Since(cancelled); took > time.Second {
			t.Errorf("it took %s to stop", took)
		} else {
			t.Logf("stopped after %s", took)
		}
	})
}

// running tells whether a process of this machine, in a container or not, has
// the text in its command line.
func running(t *testing.T, text string) bool {
	t.Helper()
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(t, err)
	for _, file := range commands {
		if command, err := os.ReadFile(file); err == nil && strings.Contains(string(command), text) {
			return true
		}
	}
	return false
}

func TestDaemonDiesAndComesBack(t *testing.T) {
	t.Parallel()
	shell, err := os.ReadFile("/bin/busybox")
	must(t, err)
	ship := lab.OwnShips(t, 1)[0]
	b := bench{endpoint: "docker+" + ship.Endpoint, registry: bridgeRegistry(t)}
	built := b.builder(t)
	r := b.request(t, builder.Recipe{}, map[string]string{
		"Dockerfile": "FROM scratch\nCOPY sh /bin/\nCOPY sh /bin/sleep\nRUN echo begin; sleep 3600\n",
	})
	must(t, os.WriteFile(filepath.Join(r.Source, "sh"), shell, 0o755))
	var log output
	ended := make(chan error, 1)
	go func() {
		_, err := built.Build(t.Context(), r, &log)
		ended <- err
	}()
	log.await(t, " begin\n")
	must(t, ship.KillDaemon(t.Context()))
	select {
	case err := <-ended:
		if !errors.Is(err, batuta.Unavailable) {
			t.Errorf("got %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the build goes on without its daemon")
	}
	must(t, ship.Restart(t.Context()))
	// A moment passes before a broken connection is tried again.
	lab.Wait(t, 10*time.Second, func() error {
		_, err := built.Build(t.Context(), b.request(t, builder.Recipe{Static: "public"}, site), &log)
		return err
	})
}
