package docker

import (
	"bytes"
	"context"
	"io"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// maxLine is how many bytes are kept of a line.
const maxLine = 4 << 10

// Tail gives the last lines that the container printed, both streams, oldest
// first. Of a line longer than 4 KiB the beginning is given.
func (s *Ship) Tail(ctx context.Context, id string, lines int) ([]string, error) {
	t := &tail{keep: lines}
	return t.lines, s.fault(s.tail(ctx, id, t), "read what %.12s printed", id)
}

func (s *Ship) tail(ctx context.Context, id string, t *tail) error {
	out, errs := &lineWriter{to: t}, &lineWriter{to: t}
	o := container.LogsOptions{ShowStdout: true, ShowStderr: true, Tail: strconv.Itoa(t.keep)}
	err := s.printed(ctx, id, o, out, errs)
	out.flush()
	errs.flush()
	return err
}

// tail keeps the last lines of what a container printed.
type tail struct {
	keep  int
	lines []string
}

// read reads both streams, as the Engine sends them in one, to their end.
func (t *tail) read(r io.Reader) error {
	out, errs := &lineWriter{to: t}, &lineWriter{to: t}
	_, err := stdcopy.StdCopy(out, errs, r)
	out.flush()
	errs.flush()
	return err
}

func (t *tail) add(line string) {
	if t.keep <= 0 {
		return
	}
	if len(t.lines) >= t.keep {
		t.lines = t.lines[1:]
	}
	t.lines = append(t.lines, line)
}

// lineWriter takes one stream apart into lines.
type lineWriter struct {
	to   *tail
	line []byte // the one that has not ended yet
	cut  bool   // it was longer than maxLine
}

var _ io.Writer = (*lineWriter)(nil)

// Write never fails.
func (w *lineWriter) Write(p []byte) (int, error) {
	n := len(p)
	for {
		part, rest, ended := bytes.Cut(p, []byte{'\n'})
		room := maxLine - len(w.line)
		w.cut = w.cut || len(part) > room
		w.line = append(w.line, part[:min(len(part), room)]...)
		if !ended {
			return n, nil
		}
		w.end()
		p = rest
	}
}

func (w *lineWriter) end() {
	line := strings.TrimSuffix(strings.ToValidUTF8(string(w.line), "\uFFFD"), "\r")
	if w.cut {
		line += "…"
	}
	w.to.add(line)
	w.line, w.cut = w.line[:0], false
}

// flush ends a line that has no end.
func (w *lineWriter) flush() {
	if len(w.line) > 0 {
		w.end()
	}
}
