package registry_test

import (
	"archive/tar"
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// docker is a Docker Engine of the test's own, and its command.
type docker struct {
	t      *testing.T
	socket string
	config string
}

// startDocker starts a dockerd without networks, on a private socket, until
// the test ends.
func startDocker(t *testing.T) docker {
	t.Helper()
	dir, err := os.MkdirTemp("", "batuta") // short: a socket's path has 108 characters at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	d := docker{t: t, socket: filepath.Join(dir, "sock"), config: filepath.Join(dir, "config")}
	cmd := exec.Command("dockerd", "--host=unix://"+d.socket, "--data-root="+dir+"/data", "--exec-root="+dir+"/exec",
		"--pidfile="+dir+"/pid", "--bridge=none", "--iptables=false", "--ip-masq=false")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatalf("start dockerd (the tests need Docker Engine and root): %v", err)
	}
	gone := make(chan error, 1)
	go func() { gone <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-gone
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !answers(d.socket) {
		select {
		case <-ctx.Done():
		case <-gone:
			gone <- nil
		case <-time.After(20 * time.Millisecond):
			continue
		}
		text, _ := os.ReadFile(log.Name())
		t.Fatalf("dockerd does not come up:\n%s", text)
	}
	return d
}

func answers(socket string) bool {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// try runs a docker command and gives all that it printed.
func (d docker) try(stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(d.t.Context(), "docker", append([]string{"--config=" + d.config, "--host=unix://" + d.socket}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// run is try of what must succeed.
func (d docker) run(stdin string, args ...string) string {
	d.t.Helper()
	out, err := d.try(stdin, args...)
	if err != nil {
		d.t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(out)
}

// tree is a tar archive of one file.
func tree(t *testing.T, content string) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "file", Mode: 0o644, Size: int64(len(content))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestDockerPushesAndPulls(t *testing.T) {
	t.Parallel()
	d := startDocker(t)
	dir := t.TempDir()
	host, stop := serve(t, dir)
	repo := host + "/portal/web"
	d.run(tree(t, "hello"), "import", "-", repo+":v1")

	if out, err := d.try("", "push", repo+":v1"); err == nil || !strings.Contains(out, "no basic auth credentials") {
		t.Errorf("push without a token: %v\n%s", err, out)
	}
	if out, err := d.try("wrong", "login", "--username=anyone", "--password-stdin", host); err == nil || !strings.Contains(out, "401 Unauthorized") {
		t.Errorf("login with a wrong token: %v\n%s", err, out)
	}
	d.run(pullToken, "login", "--username=anyone", "--password-stdin", host)
	if out, err := d.try("", "push", repo+":v1"); err == nil || !strings.Contains(out, "denied: this token may not push to portal/web") {
		t.Errorf("push with a token that may only pull: %v\n%s", err, out)
	}
	d.run(pushToken, "login", "--username=anyone", "--password-stdin", host)
	d.run("", "push", repo+":v1")
	// The second repository gets its layer by a mount from the first.
	d.run("", "tag", repo+":v1", host+"/site:v1")
	if out := d.run("", "push", host+"/site:v1"); !strings.Contains(out, "Mounted from portal/web") {
		t.Errorf("push to a second repository:\n%s", out)
	}

	digest := d.run("", "image", "inspect", "--format={{index .RepoDigests 0}}", repo+":v1")
	stop()
	_, stop = serveAt(t, dir, host)
	defer stop()
	d.run("", "image", "rm", "--force", d.run("", "image", "inspect", "--format={{.Id}}", repo+":v1"))
	d.run(pullToken, "login", "--username=anyone", "--password-stdin", host)
	d.run("", "pull", digest)
	id := d.run("", "create", digest, "none")
	if out := d.run("", "cp", id+":/file", "-"); !strings.Contains(out, "hello") {
		t.Errorf("the file in the image is %q", out)
	}
}
