package maestro

import (
	"errors"
	"fmt"
	"path/filepath"
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
			p = batuta.Problem{File: r.templateFile(e.File), Line: e.Line, Column: e.Column, Message: "template: " + e.Message}
		}
		r.problems = append(r.problems, p)
		return "", false
	}
	r.lines = &lines{file: r.file, rendered: out, name: r.templateFile}
	return out.Text, true
}

// templateFile is a template's file as a person would name it: beside the
// document.
func (r *reader) templateFile(name string) string {
	if name == r.file {
		return name
	}
	return filepath.Join(filepath.Dir(r.file), name)
}
