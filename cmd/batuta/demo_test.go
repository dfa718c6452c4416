package main

import (
	"bufio"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"batuta/internal/lab"
)

// The demo is tested as it is released, on the machine's own Engine; two at a
// time would see each other's containers.

func TestDemoOnce(t *testing.T) {
	before := engine(t)
	binary(t) // its compilation is not the demo's time
	ctx, cancel := context.WithTimeout(t.Context(), runTime)
	defer cancel()
	out, err := demo(ctx, t, "--once").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, part := range []string{
		`accepted +run 1`, `web is 127\.0\.0\.1:\d+/hello-\w+/web@sha256:[0-9a-f]{64}`, `qa +http://127\.0\.0\.1:\d+ answers: Pushed`,
		`production +http://127\.0\.0\.1:\d+ answers: Changed`, `Every answer was as it should be`,
	} {
		if !regexp.MustCompile(part).Match(out) {
			t.Errorf("the demo does not tell %q:\n%s", part, out)
		}
	}
	unchanged(t, before)
}

func TestDemoUntilInterrupted(t *testing.T) {
	before := engine(t)
	cmd := demo(t.Context(), t)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	var told strings.Builder
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		told.WriteString(lines.Text() + "\n")
		if url := regexp.MustCompile(`dashboard: (\S+)`).FindStringSubmatch(lines.Text()); url != nil {
			page, err := get(t.Context(), url[1])
			if err != nil || !strings.Contains(page, "hello") {
				t.Errorf("the dashboard shows %q (%v)", page, err)
			}
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
	}
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("the demo ends with %v\n%s", err, told.String())
		}
	case <-time.After(demoCleanup):
		_ = cmd.Process.Kill()
		t.Fatalf("the demo does not end\n%s", told.String())
	}
	unchanged(t, before)
}

// demo is the command, its own process group, with files where the test can
// see them.
func demo(ctx context.Context, t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	endpoint := lab.Docker(t)
	cmd := exec.CommandContext(ctx, binary(t), append([]string{"demo", "--docker", endpoint}, args...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// engine is what the demo could leave behind on the Engine.
func engine(t *testing.T) string {
	t.Helper()
	ship := lab.Ship{Name: "machine", Endpoint: lab.Docker(t)}
	return strings.Join([]string{
		onShip(t.Context(), t, ship, "container", "ls", "--all", "--quiet", "--filter", "name=^hello-[a-z0-9]{6}-"),
		onShip(t.Context(), t, ship, "network", "ls", "--quiet", "--filter", "name=^batuta-hello-[a-z0-9]{6}-"),
		onShip(t.Context(), t, ship, "image", "ls", "--quiet", "--filter", "reference=127.0.0.1:*/hello-*/web"),
	}, "\n")
}

func unchanged(t *testing.T, before string) {
	t.Helper()
	if after := engine(t); after != before {
		t.Errorf("the demo leaves behind, on the Engine:\n%s\nbefore it was\n%s", after, before)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "batuta-demo-*")); len(left) > 0 {
		t.Errorf("the demo leaves %q", left)
	}
}

// TestAStartThatFailsSaysWhy starts servers that cannot start, and a demo.
func TestAStartThatFailsSaysWhy(t *testing.T) {
	t.Parallel()
	s := newSite(t, "docker", lab.Ships(t, 2), "hello-twice", "")
	s.serve(t)
	second := s.variant(t, filepath.Join(s.dir, "data"))
	nowhere := s.variant(t, "/proc/nowhere")
	tmp := t.TempDir()
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"serve", "--config", second}, 5, "is in use by process"},
		{[]string{"serve", "--config", nowhere}, 1, "make the data directory"},
		{[]string{"serve", "--config", s.file}, 6, "listen on " + s.address},
		{[]string{"demo", "--docker", "foo"}, 2, "not the address of a Docker Engine"},
	} {
		cmd := exec.Command(binary(t), c.args...)
		cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != c.code || !strings.Contains(string(out), c.want) {
			t.Errorf("%q ends with %v and says %q, want code %d and %q", c.args, err, out, c.code, c.want)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(tmp, "*")); len(left) > 0 {
		t.Errorf("they leave %q", left)
	}
}

// TestServeStopsWhenTold starts the released server and ends it with SIGTERM.
func TestServeStopsWhenTold(t *testing.T) {
	t.Parallel()
	s := newSite(t, "docker", lab.Ships(t, 2), "hello-stopped", "")
	cmd := exec.Command(binary(t), "serve", "--config", s.file)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lab.Wait(t, time.Minute, func() error {
		response, err := http.Get(s.url + "/healthz")
		if err == nil {
			err = response.Body.Close()
		}
		return err
	})
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the server ends with %v", err)
	}
}
