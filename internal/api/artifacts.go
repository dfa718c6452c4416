package api

import (
	"archive/tar"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"batuta"
)

// Artifact is a file that a test left.
type Artifact struct {
	Test string `json:"test"`
	Path string `json:"path" doc:"in the test's container, from its directory or from the root"`
	Size int64  `json:"size" doc:"bytes"`
}

func (s *server) aboutArtifacts() {
	register(s, s.at(http.MethodGet, "/runs/{id}/artifacts", "artifacts", "What the tests of a run left, as long as it is kept"), s.artifacts)
	register(s, s.at(http.MethodGet, "/runs/{id}/artifacts.tar", "bundle", "The same files as tar, each below the name of its test"), s.bundle)
}

func (s *server) artifacts(ctx context.Context, in *RunPath) (*list[Artifact], error) {
	if _, err := s.visible(ctx, in.ID); err != nil {
		return nil, err
	}
	all := []Artifact{}
	err := fs.WalkDir(s.Artifacts(in.ID), ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // nothing was kept, or not any more
		case err != nil || !e.Type().IsRegular():
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		test, file, _ := strings.Cut(name, "/")
		all = append(all, Artifact{Test: test, Path: file, Size: info.Size()})
		return nil
	})
	return listOf(all, err)
}

func (s *server) bundle(ctx context.Context, in *struct {
	RunPath
	Test string `query:"test" doc:"only what this test left"`
}) (*huma.StreamResponse, error) {
	if _, err := s.visible(ctx, in.ID); err != nil {
		return nil, err
	}
	if in.Test != "" {
		if err := batuta.CheckName(in.Test); err != nil {
			return nil, err
		}
	}
	from, top := s.Artifacts(in.ID), cmp.Or(in.Test, ".")
	if _, err := fs.Stat(from, top); err != nil {
		return nil, &batuta.Error{Kind: batuta.NotFound, Message: fmt.Sprintf("run %d has no artifacts of that kind", in.ID), Hint: "they are kept for a while after the test"}
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		_, w := humago.Unwrap(hc)
		w.Header().Set("Content-Type", "application/x-tar")
		_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // a writer without deadlines has none to lift
		if err := pack(from, top, w); err != nil {
			if ctx.Err() == nil {
				s.Log.ErrorContext(ctx, "artifacts broke off", "run", in.ID, "err", err)
			}
			panic(http.ErrAbortHandler) // the reader must not take this for the end
		}
	}}, nil
}

// pack writes the regular files at top and below it as tar.
func pack(from fs.FS, top string, to io.Writer) error {
	out := tar.NewWriter(to)
	err := fs.WalkDir(from, top, func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		return packFile(from, name, out)
	})
	return errors.Join(err, out.Close())
}

func packFile(from fs.FS, name string, out *tar.Writer) error {
	file, err := from.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: info.Size(), Mode: 0o644, ModTime: info.ModTime()}); err != nil {
		return err
	}
	_, err = io.Copy(out, file)
	return err
}
