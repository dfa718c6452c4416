package builder_test

import (
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	docker "github.com/docker/docker/client"

	"batuta/builder"
	"batuta/internal/lab"
)

func TestRuntimeImageIsLoadedAndRuns(t *testing.T) {
	t.Parallel()
	client, err := docker.NewClientWithOpts(docker.WithHost(lab.Docker(t)), docker.WithAPIVersionNegotiation())
	must(t, err)
	defer client.Close()
	var tarball bytes.Buffer
	tag := "batuta-runtime-test:" + strings.ToLower(strings.ReplaceAll(filepath.Base(t.TempDir()), "/", ""))
	id, err := builder.RuntimeTarball("/bin/busybox", tag, &tarball)
	must(t, err)
	answer, err := client.ImageLoad(t.Context(), &tarball)
	must(t, err)
	_, err = io.Copy(io.Discard, answer.Body)
	must(t, err)
	must(t, answer.Body.Close())
	t.Cleanup(func() { removeImages(t, client.DaemonHost(), "batuta-runtime-test") })

	image, err := client.ImageInspect(t.Context(), tag)
	must(t, err)
	if image.ID != id {
		t.Errorf("loaded %s, want %s", image.ID, id)
	}
	// Busybox does not know what to do under the name of batuta, and says so.
	made, err := client.ContainerCreate(t.Context(), &container.Config{Image: id, Tty: true}, nil, nil, nil, "")
	must(t, err)
	defer func() {
		must(t, client.ContainerRemove(t.Context(), made.ID, container.RemoveOptions{Force: true}))
	}()
	must(t, client.ContainerStart(t.Context(), made.ID, container.StartOptions{}))
	ended, failed := client.ContainerWait(t.Context(), made.ID, container.WaitConditionNotRunning)
	select {
	case <-ended:
	case err := <-failed:
		t.Fatal(err)
	}
	logs, err := client.ContainerLogs(t.Context(), made.ID, container.LogsOptions{ShowStdout: true})
	must(t, err)
	defer logs.Close()
	said, err := io.ReadAll(logs)
	must(t, err)
	if !strings.Contains(string(said), "batuta: applet not found") {
		t.Errorf("it said %q", said)
	}
}

func TestRuntimeTarballIsTheSameTwice(t *testing.T) {
	var one, two bytes.Buffer
	first, err := builder.RuntimeTarball("/bin/busybox", "batuta:1", &one)
	must(t, err)
	second, err := builder.RuntimeTarball("/bin/busybox", "batuta:1", &two)
	must(t, err)
	if first != second || !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Errorf("%s and %s", first, second)
	}
}

func TestRuntimeTarballWithoutBinary(t *testing.T) {
	if _, err := builder.RuntimeTarball(filepath.Join(t.TempDir(), "none"), "batuta:1", io.Discard); err == nil {
		t.Error("made an image of nothing")
	}
}
