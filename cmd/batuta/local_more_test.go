package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"batuta/deployer"
	"batuta/deployer/docker"
	"batuta/internal/lab"
)

// maestroOf is a document of MaestroNG's with one service of two instances
// that say their number for ever, and an envfile beside it.
func maestroOf(t *testing.T, name string) stageOf {
	t.Helper()
	drupal(t)
	ship := lab.Ships(t, 1)[0]
	env := map[string]string{"HOME": t.TempDir()}
	s := stageOf{t, env, ownDocumentOf(t, env, fmt.Sprintf(`
name: %s-%d
ships: {here: {ip: %s, socket_path: %s}}
services:
  talk:
    image: luis/drupaltest
    envfile: [env/common, env/talk]
    env: {LOUD: "no"}
    lifecycle: {running: [{type: exec, command: "true", attempts: 30}]}
    instances:
      %s-1: &talks
        ship: here
        command: [/bin/busybox, sh, -c, 'echo "$GREETING from $HOSTNAME"; trap "exit 0" TERM; while :; do /bin/busybox sleep 0.2; done']
      %s-2: {<<: *talks, envfile: env/second}
`, name, os.Getpid(), ship.Address, strings.TrimPrefix(ship.Endpoint, "unix://"), name, name))}
	files := map[string]string{"common": "# of all\nGREETING=common\nLOUD=yes\n\n", "talk": "GREETING=good day\n", "second": "GREETING=\"hi\"\n"}
	for file, text := range files {
		path := filepath.Join(filepath.Dir(s.file), "env", file)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// TestFilesOfVariables: they are read relative to the document, later ones
// over earlier ones, an instance's over its service's, and quotes are part of
// the value, as MaestroNG has it.
func TestFilesOfVariables(t *testing.T) {
	t.Parallel()
	s := maestroOf(t, "envfile")
	out, _ := s.verb(0, "dump")
	first, second, found := strings.Cut(out, "envfile-2:")
	if !found {
		t.Fatalf("dump as text:\n%s", out)
	}
	contains(t, first, "envfile-1:", "GREETING=good day\n", "LOUD=no\n")
	contains(t, second, `GREETING="hi"`, "LOUD=no\n")
	s.verb(0, "start")
	for instance, want := range map[string]string{"envfile-1": "good day from ", "envfile-2": `"hi" from `} {
		out, _ = s.verb(0, "logs", instance)
		contains(t, out, want)
	}
	gone := filepath.Join(filepath.Dir(s.file), "env", "talk")
	if err := os.Rename(gone, gone+".away"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // the document is read once more, to take it down
		if err := os.Rename(gone+".away", gone); err != nil {
			t.Error(err)
		}
	})
	_, errs := s.verb(2, "start")
	contains(t, errs, s.file+`:7:27: services.talk.envfile.1`, `file "env/talk" cannot be read: no such file`)
}

// printed is what somebody sees while they look on.
type printed struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (p *printed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

// has waits until a text was printed so often.
func (p *printed) has(t *testing.T, text string, times int) {
	t.Helper()
	lab.Wait(t, 30*time.Second, func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if n := strings.Count(p.text.String(), text); n < times {
			return fmt.Errorf("%q was printed %d times, want %d, in:\n%s", text, n, times, p.text.String())
		}
		return nil
	})
}

// TestLogsFollowAnInstanceIntoItsNextContainer restarts, with a pause between
// the steps, what somebody looks at.
func TestLogsFollowAnInstanceIntoItsNextContainer(t *testing.T) {
	t.Parallel()
	s := maestroOf(t, "follow")
	s.verb(0, "start")
	ctx, enough := context.WithCancel(t.Context())
	var seen printed
	var looking sync.WaitGroup
	looking.Go(func() {
		p := &program{stdin: strings.NewReader(""), stdout: &seen, stderr: &seen, getenv: func(name string) string { return s.env[name] }, now: time.Now}
		if code := p.run(ctx, []string{"-f", s.file, "logs", "-F", "follow-1"}); code != 0 {
			t.Errorf("logs -F ends with %d", code)
		}
	})
	defer func() { enough(); looking.Wait() }()
	seen.has(t, "good day from", 1)
	began := time.Now()
	s.verb(0, "restart", "-a", "-c", "1", "--step-delay", "2")
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("two steps with 2 s between them took %s", took)
	}
	seen.has(t, "follow-1 ended; waiting for it to come back", 1)
	seen.has(t, "follow-1 runs again", 1)
	seen.has(t, "good day from", 2)
}

// TestWhoDeploysThereIsNamed deploys a document while a server has the lease
// of its environment.
func TestWhoDeploysThereIsNamed(t *testing.T) {
	t.Parallel()
	image := lab.Bases(t, lab.Busybox).Loopback + "/library/busybox:latest"
	engine, env := lab.Docker(t), map[string]string{"HOME": t.TempDir()}
	s := stageOf{t, env, ownDocumentOf(t, env, fmt.Sprintf("batuta: 1\nname: leased-%d\nships: {here: {endpoint: %q}}\nservices:\n  web: {image: %q, count: 1, command: [/bin/busybox, sleep, \"600\"], stop_timeout: 1s}\n", os.Getpid(), engine, image))}
	ship, err := docker.Dial("here", engine, docker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ship.Close(); err != nil {
			t.Error(err)
		}
	})
	const holder = "the server at https://batuta.example.edu run 7"
	scope := documentScope(t, s)
	if by, err := ship.Lock(t.Context(), scope, holder, time.Minute); err != nil || by != "" && by != holder {
		t.Fatal(by, err)
	}
	out, errs := s.verb(5, "deploy", "--yes")
	contains(t, errs, "is being changed by "+holder, "nothing was touched")
	if strings.Contains(out, "created") {
		t.Errorf("something was made all the same:\n%s", out)
	}
	if err := ship.Unlock(t.Context(), scope, holder); err != nil {
		t.Fatal(err)
	}
	out, _ = s.verb(0, "deploy", "--yes")
	contains(t, out, "is live")
}

// documentScope is what a document is about.
func documentScope(t *testing.T, s stageOf) deployer.Scope {
	t.Helper()
	p := &program{getenv: func(name string) string { return s.env[name] }}
	l, err := p.local(s.file)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.close(); err != nil {
		t.Error(err)
	}
	return l.scope
}

// TestEverythingWrongIsToldBeforeARegistryIsAsked plans a document whose image
// nobody has, and that has other faults.
func TestEverythingWrongIsToldBeforeARegistryIsAsked(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "qa.yml")
	const text = `batuta: 1
name: qa
ships: {here: {endpoint: "unix:///nowhere.sock"}}
services:
  a: {image: "localhost:1/nobody/has:it", instances: {a-1: {ship: there}}}
  b: {image: "localhost:1/nobody/has:it", count: 1, on: {zone: nowhere}}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, complaints := call(t, map[string]string{"HOME": t.TempDir()}, "-f", file, "plan")
	if code != 2 || !strings.Contains(complaints, "qa.yml:5:") || !strings.Contains(complaints, "qa.yml:6:") || strings.Contains(complaints, "find image") {
		t.Errorf("plan: %d\n%s", code, complaints)
	}
}

// TestAShipThatIsNotNeededMayHaveNoCertificate reads a file of two ships, one
// of which has a CA that is not there.
func TestAShipThatIsNotNeededMayHaveNoCertificate(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "maestro.yaml")
	const text = `__maestro: {schema: 2}
name: t
ships:
  n1: {ip: 127.0.0.1, socket_path: /nowhere.sock}
  n2: {ip: 127.0.0.1, tls: true, tls_verify: true, tls_ca_cert: /nope/ca.pem}
services:
  a: {image: b, instances: {a1: {ship: n1}, a2: {ship: n2}}}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"HOME": t.TempDir()}
	for _, verb := range []string{"dump", "deptree", "status"} {
		if code, out, complaints := call(t, env, "-f", file, verb); code != 0 || !strings.Contains(out, "a2") && verb != "deptree" {
			t.Errorf("%s: %d\n%s%s", verb, code, out, complaints)
		}
	}
	if code, out, complaints := call(t, env, "-f", file, "start", "a2"); code == 0 || !strings.Contains(out+complaints, "read the CA: open /nope/ca.pem") {
		t.Errorf("start a2: %d\n%s%s", code, out, complaints)
	}
}
