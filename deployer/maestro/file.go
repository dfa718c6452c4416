package maestro

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// load reads a template beside the document, or below: as Jinja2's own loader,
// it goes nowhere else.
func (r *reader) load(name string) (string, error) {
	if r.options.Dir == "" {
		return "", fmt.Errorf("template %q cannot be read: %w", name, errNoFiles)
	}
	root, err := os.OpenRoot(r.options.Dir)
	if err != nil {
		return "", fmt.Errorf("template %q cannot be read: %w", name, reason(err))
	}
	defer func() { _ = root.Close() }() // it was only read
	f, err := root.Open(strings.TrimPrefix(name, "/"))
	return contents(f, err, fmt.Sprintf("template %q", name))
}

// beside reads an envfile, whose name is relative to the document.
func (r *reader) beside(name string) (string, error) {
	if r.options.Dir == "" {
		return "", fmt.Errorf("file %q cannot be read: %w", name, errNoFiles)
	}
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.options.Dir, path)
	}
	f, err := os.Open(path)
	return contents(f, err, fmt.Sprintf("file %q", name))
}

var errNoFiles = errors.New("on a server, a document has no files beside it")

// contents reads a file that was opened, or was not.
func contents(f *os.File, err error, what string) (string, error) {
	if err != nil {
		return "", fmt.Errorf("%s cannot be read: %w", what, reason(err))
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is no file", what)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("%s cannot be read: %w", what, reason(err))
	case len(data) > maxBytes:
		return "", fmt.Errorf("%s has more than %d bytes", what, maxBytes)
	}
	return string(data), nil
}

// reason is why a file cannot be read, without its name, which is told already.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
