package docker_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"batuta/deployer/docker"
)

// packed is a runtime image: testdata/probe and nothing else, as docker load
// reads it.
type packed struct {
	name string
	tar  []byte
}

var _ docker.Runtime = packed{}

func (i packed) Name(context.Context) (string, error) { return i.name, nil }

func (i packed) Save(_ context.Context, w io.Writer) error {
	_, err := w.Write(i.tar)
	return err
}

var buildRuntime = sync.OnceValues(func() (packed, error) {
	dir, err := os.MkdirTemp("", "batuta-probe-")
	if err != nil {
		return packed{}, err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "probe")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, "./testdata/probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return packed{}, errors.Join(err, errors.New(string(out)))
	}
	binary, err := os.ReadFile(program)
	if err != nil {
		return packed{}, err
	}
	return pack(binary)
})

func newRuntime(t *testing.T) packed {
	t.Helper()
	i, err := buildRuntime()
	must(t, err)
	return i
}

// pack makes an image of a binary.
func pack(binary []byte) (packed, error) {
	layer, err := archive(file{"probe", binary})
	if err != nil {
		return packed{}, err
	}
	config, err := json.Marshal(map[string]any{
		"os": "linux", "architecture": runtime.GOARCH,
		"config": map[string]any{"Entrypoint": []string{"/probe"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + sum(layer)}},
	})
	if err != nil {
		return packed{}, err
	}
	name := "batuta-test/probe:" + sum(binary)[:12]
	manifest, err := json.Marshal([]map[string]any{{"Config": "config.json", "RepoTags": []string{name}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return packed{}, err
	}
	all, err := archive(file{"manifest.json", manifest}, file{"config.json", config}, file{"layer.tar", layer})
	return packed{name: name, tar: all}, err
}

type file struct {
	name string
	data []byte
}

func archive(files ...file) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: 0o755, Size: int64(len(f.data))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}
