package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"path"
	"slices"

	"github.com/docker/docker/api/types/container"

	"batuta/deployer"
)

// secretDirs are the directories of the files, sorted.
func secretDirs(files []deployer.SecretFile) []string {
	var out []string
	for _, f := range files {
		out = append(out, path.Dir(path.Clean(f.Target)))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// putSecrets puts the files into the anonymous volumes of a container that has
// not been started. Neither the image nor what Docker tells of the container
// ever has them.
func (s *Ship) putSecrets(ctx context.Context, id string, files []deployer.SecretFile) error {
	for _, dir := range secretDirs(files) {
		content, err := packSecrets(dir, files)
		if err == nil {
			err = s.client.CopyToContainer(ctx, id, dir, content, container.CopyToContainerOptions{})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// packSecrets gives the files of one directory as a tar stream.
func packSecrets(dir string, files []deployer.SecretFile) (*bytes.Buffer, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		target := path.Clean(f.Target)
		if path.Dir(target) != dir {
			continue
		}
		header := &tar.Header{
			Typeflag: tar.TypeReg, Name: path.Base(target), Size: int64(len(f.Value)),
			Mode: int64(f.Mode.Perm()), Uid: f.UID, Gid: f.GID,
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write([]byte(f.Value)); err != nil {
			return nil, err
		}
	}
	return &out, w.Close()
}
