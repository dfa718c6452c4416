package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"batuta"
	"batuta/internal/lab"
)

// call runs the command as a process would, without one.
func call(t *testing.T, env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, complaints bytes.Buffer
	p := &program{stdin: strings.NewReader(""), stdout: &out, stderr: &complaints, getenv: func(name string) string { return env[name] }, now: time.Now}
	code = p.run(t.Context(), args)
	return code, out.String(), complaints.String()
}

// TestDocumentWithoutAServer deploys, changes and breaks a document on the
// machine's own Docker.
func TestDocumentWithoutAServer(t *testing.T) {
	t.Parallel()
	image := lab.Bases(t, lab.Busybox).Loopback + "/library/busybox:latest"
	engine := lab.Docker(t)
	app := batuta.AppName(fmt.Sprintf("local-%d", os.Getpid()))
	dir, env := t.TempDir(), map[string]string{"HOME": t.TempDir(), "BATUTA_SECRET_GREETING": "hello from outside"}
	file := filepath.Join(dir, "environments", "qa.yml")
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	document := func(command string) {
		write("environments/qa.yml", fmt.Sprintf("batuta: 1\nships: {here: {endpoint: %q}}\nservices:\n  web:\n    image: %q\n    count: 1\n    command: %q\n    env: {GREETING: \"${secret:greeting}\"}\n    ports: {http: 8080}\n    lifecycle: {running: [{type: http, port: http, path: /, max_wait: 20s}]}\n",
			engine, image, command))
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	write("batuta.yml", fmt.Sprintf("app: %s\npromote: [qa]\n", app))
	const serve = `/bin/busybox sh -c 'mkdir -p /www; echo "$GREETING" >/www/index.html; exec httpd -f -p 8080 -h /www'`
	document(serve)
	t.Cleanup(func() { takeDown(t, env, file) })

	code, out, complaints := call(t, env, "-f", file, "deploy", "--yes")
	if code != 0 || !strings.Contains(out, "qa is live") {
		t.Fatalf("deploy: %d\n%s%s", code, out, complaints)
	}
	code, out, complaints = call(t, env, "-f", file, "status")
	url := regexp.MustCompile(`http://\S+`).FindString(out)
	if code != 0 || url == "" {
		t.Fatalf("status: %d\n%s%s", code, out, complaints)
	}
	if got := readURL(t, url); got != "hello from outside\n" {
		t.Errorf("%s answers %q", url, got)
	}
	if code, out, complaints = call(t, env, "plan", "-f", file); code != 0 || !strings.Contains(out, "nothing to do") {
		t.Errorf("plan: %d\n%s%s", code, out, complaints)
	}

	document("/bin/busybox sh -c 'echo this cannot work; exit 7'")
	code, out, complaints = call(t, env, "-f", file, "deploy", "--yes")
	if code != 1 || !strings.Contains(complaints, "this cannot work") || !strings.Contains(complaints, "rolled back") {
		t.Errorf("deploy of what crashes: %d\n%s%s", code, out, complaints)
	}
	if got := readURL(t, url); got != "hello from outside\n" {
		t.Errorf("after the rollback %s answers %q", url, got)
	}
	if strings.Contains(out+complaints, "hello from outside") {
		t.Error("the secret was shown")
	}
}

func readURL(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(r.Body); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// takeDown removes what a document started.
func takeDown(t *testing.T, env map[string]string, file string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	p := &program{getenv: func(name string) string { return env[name] }}
	l, err := p.local(file)
	if err != nil {
		t.Error(err)
		return
	}
	if err := l.fleet.Down(ctx, l.scope); err != nil {
		t.Error(err)
	}
	for _, ship := range l.dialed {
		if err := ship.RemoveNetwork(ctx, l.scope); err != nil {
			t.Error(err)
		}
	}
	if err := l.close(); err != nil {
		t.Error(err)
	}
}
