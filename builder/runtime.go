package builder

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// program is Batuta's binary within its runtime image.
const program = "batuta"

// RuntimeTarball writes Batuta's runtime image, which is the file binary at
// /batuta and nothing else, in the form that a Docker Engine loads, and gives
// the image's id there ("sha256:…"). The same binary and tag always give the
// same bytes. Binary is read twice and not held in memory.
//
// The format is the one of docker save:
// https://github.com/moby/docker-image-spec/blob/main/spec.md
func RuntimeTarball(binary, tag string, w io.Writer) (id string, err error) {
	f, err := os.Open(binary)
	if err != nil {
		return "", err
	}
	defer f.Close()
	hash := digest.SHA256.Hash()
	size := new(byteCount)
	if err := writeLayer(io.MultiWriter(hash, size), f); err != nil {
		return "", fmt.Errorf("hash the runtime image's layer: %w", err)
	}
	layer := digest.NewDigest(digest.SHA256, hash)
	config, err := json.Marshal(runtimeConfig(layer))
	if err != nil {
		return "", err
	}
	if err := writeImage(w, tag, config, layer, int64(*size), f); err != nil {
		return "", fmt.Errorf("write the runtime image: %w", err)
	}
	return digest.FromBytes(config).String(), nil
}

func runtimeConfig(layer digest.Digest) ocispecs.Image {
	epoch := time.Unix(0, 0).UTC()
	return ocispecs.Image{
		Created:  &epoch,
		Platform: ocispecs.Platform{OS: "linux", Architecture: runtime.GOARCH},
		Config:   ocispecs.ImageConfig{Entrypoint: []string{"/" + program}},
		RootFS:   ocispecs.RootFS{Type: "layers", DiffIDs: []digest.Digest{layer}},
		History:  []ocispecs.History{{Created: &epoch, CreatedBy: "batuta"}},
	}
}

// writeImage writes the image's parts one after the other.
func writeImage(w io.Writer, tag string, config []byte, layer digest.Digest, size int64, binary *os.File) error {
	configName, layerName := digest.FromBytes(config).Encoded()+".json", layer.Encoded()+".tar"
	manifest, err := json.Marshal([]map[string]any{{
		"Config":   configName,
		"RepoTags": []string{tag},
		"Layers":   []string{layerName},
	}})
	if err != nil {
		return err
	}
	t := tar.NewWriter(w)
	if err := writeFile(t, "manifest.json", 0o644, int64(len(manifest)), bytes.NewReader(manifest)); err != nil {
		return err
	}
	if err := writeFile(t, configName, 0o644, int64(len(config)), bytes.NewReader(config)); err != nil {
		return err
	}
	if err := writeHeader(t, layerName, 0o644, size); err != nil {
		return err
	}
	if err := writeLayer(t, binary); err != nil {
		return err
	}
	return t.Close()
}

// writeLayer writes a file system with the binary alone.
func writeLayer(w io.Writer, binary *os.File) error {
	info, err := binary.Stat()
	if err != nil {
		return err
	}
	if _, err := binary.Seek(0, io.SeekStart); err != nil {
		return err
	}
	t := tar.NewWriter(w)
	if err := writeFile(t, program, 0o755, info.Size(), binary); err != nil {
		return err
	}
	return t.Close()
}

func writeFile(t *tar.Writer, name string, mode, size int64, content io.Reader) error {
	if err := writeHeader(t, name, mode, size); err != nil {
		return err
	}
	_, err := io.CopyN(t, content, size)
	return err
}

// writeHeader begins a file that has neither owner nor time.
func writeHeader(t *tar.Writer, name string, mode, size int64) error {
	return t.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: size, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR})
}

// byteCount counts what is written to it.
type byteCount int64

func (c *byteCount) Write(p []byte) (int, error) {
	*c += byteCount(len(p))
	return len(p), nil
}
