package trial

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"batuta"
)

// The bounds of what is kept of one test.
const (
	mostBytes = 100 << 20
	mostFiles = 5000
)

// shelf is the directory that artifacts are put into, and what room it has
// left.
type shelf struct {
	root  *os.Root
	bytes int64
	kept  []Artifact
}

// errFull is a shelf without room for more.
var errFull = errors.New("there are more than 100 MB or 5000 files; what comes after is left out")

// keep brings the test's artifacts out of its container. One that is not
// there, or too much of it, is told in the log.
func (a *attempt) keep(ctx context.Context) ([]Artifact, error) {
	if len(a.request.Test.Artifacts) == 0 {
		return nil, nil
	}
	if err := os.MkdirAll(a.request.Artifacts, 0o700); err != nil {
		return nil, fmt.Errorf("keep artifacts: %w", err)
	}
	root, err := os.OpenRoot(a.request.Artifacts)
	if err != nil {
		return nil, fmt.Errorf("keep artifacts: %w", err)
	}
	defer root.Close()
	s := &shelf{root: root, bytes: mostBytes}
	for _, name := range a.request.Test.Artifacts {
		err := a.keepOne(ctx, s, name)
		switch {
		case errors.Is(err, errFull), errors.Is(err, batuta.NotFound):
			fmt.Fprintf(a.log, "artifact %s: %v\n", name, err)
		case err != nil:
			return s.kept, fmt.Errorf("artifact %s: %w", name, err)
		}
	}
	return s.kept, nil
}

func (a *attempt) keepOne(ctx context.Context, s *shelf, name string) error {
	content, err := a.engine.Archive(ctx, a.test, name)
	if err != nil {
		return err
	}
	defer content.Close()
	return s.unpack(below(name), content)
}

// below is a path as one below the root: /tmp/out and ../tmp/out are tmp/out.
func below(name string) string { return strings.TrimPrefix(path.Join("/", name), "/") }

// unpack puts the files and directories of a tar on the shelf, where the first
// element of each name becomes the path that was asked for. All else, such as
// links and devices, is left out: a link could lead anywhere.
func (s *shelf) unpack(at string, content io.Reader) error {
	for files := tar.NewReader(content); ; {
		header, err := files.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read the archive: %w", err)
		}
		_, rest, _ := strings.Cut(below(header.Name), "/")
		name := path.Join(".", at, rest) // a dot is the root itself
		switch header.Typeflag {
		case tar.TypeDir:
			err = s.root.MkdirAll(name, 0o700)
		case tar.TypeReg:
			err = s.put(name, header.Size, files)
		}
		if err != nil {
			return err
		}
	}
}

func (s *shelf) put(name string, size int64, content io.Reader) error {
	if size > s.bytes || len(s.kept) >= mostFiles {
		return errFull
	}
	if err := s.root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return err
	}
	file, err := s.root.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(file, content)
	s.bytes -= n
	s.kept = append(s.kept, Artifact{Path: name, Size: n})
	return errors.Join(err, file.Close())
}
