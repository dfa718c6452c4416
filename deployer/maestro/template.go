package maestro

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"batuta"
	"batuta/deployer/maestro/jinja"
)

// render gives the YAML that a document's template renders to.
func (r *reader) render(data []byte) (string, bool) {
	text := strings.TrimPrefix(string(data), "\ufeff")
	if len(text) > maxBytes {
		r.add(1, 1, nil, fmt.Sprintf("the file has %d bytes", len(text)), fmt.Sprintf("at most %d are read", maxBytes))
		return "", false
	}
	if !strings.Contains(text, "{{") && !strings.Contains(text, "{%") && !strings.Contains(text, "{#") {
		return text, true
	}
	out, err := jinja.Render(r.file, text, jinja.Options{Env: r.options.Env, Load: r.load})
	if err != nil {
		p := batuta.Problem{File: r.file, Line: 1, Column: 1, Message: err.Error()}
		if e, ok := errors.AsType[*jinja.Error](err); ok {
			p.File, p.Line, p.Message = e.File, e.Line, "template: "+e.Message
		}
		r.problems = append(r.problems, p)
		return "", false
	}
	r.lines = align(text, out)
	return out, true
}

// load reads a template beside the document, or below.
func (r *reader) load(name string) (string, error) {
	if r.options.Dir == "" {
		return "", fmt.Errorf("template %q cannot be read: a document has no files beside it on a server", name)
	}
	root, err := os.OpenRoot(r.options.Dir)
	if err != nil {
		return "", fmt.Errorf("template %q cannot be read: %w", name, err)
	}
	defer func() { _ = root.Close() }() // it was only read
	f, err := root.Open(strings.TrimPrefix(name, "/"))
	if err != nil {
		return "", fmt.Errorf("template %q cannot be read: %w", name, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("template %q cannot be read: %w", name, err)
	case len(data) > maxBytes:
		return "", fmt.Errorf("template %q has more than %d bytes", name, maxBytes)
	}
	return string(data), nil
}
