package maestro

import (
	"fmt"

	"batuta/deployer/maestro/jinja"
)

// lines leads from the lines of a rendered document back to those of its
// template, and of the templates that it includes.
type lines struct {
	file     string
	rendered jinja.Rendered
	name     func(template string) string // of a template's file, as problems tell it
}

// tell gives a place in a template for one in the rendered document. Where the
// two differ, the message says both.
func (l *lines) tell(line, column int, message string) (string, int, int, string) {
	p, ok := l.rendered.Source(line, column)
	switch {
	case !ok:
		return l.file, line, column, message
	case p.File == l.file && p.Line == line:
		return l.file, line, p.Column, message
	}
	return l.name(p.File), p.Line, p.Column, fmt.Sprintf("%s (line %d of the rendered document)", message, line)
}
