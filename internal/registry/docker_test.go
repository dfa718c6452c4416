package registry_test

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"os/exec"
	"strings"
	"testing"
	"time"

	"batuta/internal/lab"
)

// docker is the command of a Docker Engine, logged in nowhere yet.
type docker struct {
	t        *testing.T
	endpoint string
	config   string
}

// try runs a docker command and gives all that it printed.
func (d docker) try(stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(d.t.Context(), "docker", append([]string{"--config=" + d.config, "--host=" + d.endpoint}, args...)...)
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
	d := docker{t: t, endpoint: lab.Docker(t), config: t.TempDir()}
	dir := t.TempDir()
	host, stop := serve(t, dir)
	repo := host + "/portal/web"
	image := d.run(tree(t, host), "import", "-", repo+":v1")
	defer func() { d.run("", "image", "rm", "--force", image) }()

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
	d.run("", "image", "rm", "--force", image)
	d.run(pullToken, "login", "--username=anyone", "--password-stdin", host)
	d.run("", "pull", digest)
	container := d.run("", "create", digest, "none")
	defer func() { d.run("", "rm", container) }()
	if out := d.run("", "cp", container+":/file", "-"); !strings.Contains(out, host) {
		t.Errorf("the file in the image is %q", out)
	}
}

// A push that Docker takes up again goes on for minutes and ends without the
// reason.
func TestDockerSaysAtOnceThatThereIsNoRoom(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ disk, content, want string }{
		"before the push":  {"size=60m", "small", "denied: no room: 59 MB free, 64 MB are kept free on the registry's disk"},
		"while it goes on": {"size=96m", randomText(48 << 20), "MB free, 64 MB are kept free on the registry's disk"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := docker{t: t, endpoint: lab.Docker(t), config: t.TempDir()}
			host, stop := serve(t, smallDisk(t, test.disk))
			defer stop()
			repo := host + "/portal/web"
			image := d.run(tree(t, test.content+host), "import", "-", repo+":v1")
			defer func() { d.run("", "image", "rm", "--force", image) }()
			d.run(pushToken, "login", "--username=anyone", "--password-stdin", host)
			begun := time.Now()
			out, err := d.try("", "push", repo+":v1")
			if err == nil || !strings.Contains(out, "denied: no room: ") || !strings.Contains(out, test.want) {
				t.Errorf("push to a full disk: %v\n%s", err, out)
			}
			if strings.Contains(out, "Retrying") {
				t.Errorf("the push was tried again, for %s:\n%s", time.Since(begun), out)
			}
			t.Logf("refused after %s", time.Since(begun))
		})
	}
}

// randomText does not compress.
func randomText(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return string(b)
}
