// Package jinja renders Jinja2 templates as Python's Jinja2 does: lists that
// grow where they are shared, dictionaries that keep their order, tuples,
// methods of Python's texts, and its way to write every value down. The words
// of a template are found by gonja's lexer; what they mean is decided here, as
// a template has to render to the same bytes as with Python.
//
// A template can do nothing but compute: it sees the values it is given and the
// files that Load gives it, and is bounded in time, steps, depth and output.
package jinja

import (
	"fmt"
	"time"
)

// The bounds of a template.
const (
	maxOutput  = 1 << 20
	maxSteps   = 5_000_000
	maxItems   = 200_000 // of one list
	maxDepth   = 100     // of calls, includes and brackets
	maxBlocks  = 10_000
	maxSeconds = 5
)

// Error is what is wrong with a template.
type Error struct {
	File    string // as it was given or loaded
	Line    int    // from 1
	Column  int    // from 1, in characters
	Message string
}

// Error is file:line:column: message.
func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// Options are what a template sees.
type Options struct {
	Env  map[string]string                 // the variable env
	Load func(name string) (string, error) // the text of another template
}

// Render gives what the template renders to. The error is an *Error.
func Render(file, text string, o Options) (out Rendered, err error) {
	r := &runtime{options: o, deadline: time.Now().Add(maxSeconds * time.Second), place: Place{file, 1, 1}, root: text, loaded: map[string]*template{}}
	defer func() {
		switch p := recover().(type) {
		case nil:
		case failure:
			err = &Error{File: r.place.File, Line: r.place.Line, Column: r.place.Column, Message: string(p)}
		default: // a fault of the lexer's or of ours, on a template that nobody foresaw
			err = &Error{File: r.place.File, Line: r.place.Line, Column: r.place.Column, Message: fmt.Sprintf("the template cannot be rendered: %v", p)}
		}
	}()
	t := r.parse(file, text)
	r.out = &output{}
	r.render(t, newScope(r.globals()))
	return rendered(r.out), nil
}

// failure ends a rendering; Render makes an Error of it.
type failure string

func fail(format string, args ...any) { panic(failure(fmt.Sprintf(format, args...))) }

// runtime is one rendering.
type runtime struct {
	options  Options
	out      *output
	last     *output // of the macro or block that was called last
	place    Place   // of what is being parsed or rendered, for errors
	steps    int
	depth    int
	deadline time.Time
	loaded   map[string]*template
	page     *page
	root     string // the text of the first template
	picked   int    // how often something was picked at random
}

// step counts one act of the template.
func (r *runtime) step(at *Place) {
	if at != nil {
		r.place = *at
	}
	r.spend(1)
}

// spend counts so many acts at once.
func (r *runtime) spend(steps int) {
	before := r.steps
	r.steps += steps
	if r.steps > maxSteps || r.steps>>12 != before>>12 && time.Now().After(r.deadline) {
		fail("the template does not come to an end")
	}
}

// collected is what do writes, which is not written.
func (r *runtime) collected(do func()) *output {
	before := r.out
	out := &output{}
	r.out = out
	do()
	r.out = before
	return out
}

// captured is the text of what do writes, instead of writing it.
func (r *runtime) captured(do func()) string {
	r.last = r.collected(do)
	return r.last.String()
}

// deeper does something that may nest without end.
func (r *runtime) deeper(do func()) {
	if r.depth++; r.depth > maxDepth {
		fail("calls and includes are nested more than %d deep", maxDepth)
	}
	do()
	r.depth--
}

// load parses another template, once.
func (r *runtime) load(name string) *template {
	if t := r.loaded[name]; t != nil {
		return t
	}
	if r.options.Load == nil {
		fail("template %q cannot be read: there are no other templates here", name)
	}
	text, err := r.options.Load(name)
	if err != nil {
		fail("%v", err)
	}
	before := r.place
	t := r.parse(name, text)
	r.place = before
	r.loaded[name] = t
	return t
}

// scope holds the variables of a block of a template.
type scope struct {
	vars   map[string]any
	parent *scope
}

func newScope(parent *scope) *scope { return &scope{vars: map[string]any{}, parent: parent} }

func (s *scope) get(name string) any {
	for ; s != nil; s = s.parent {
		if v, ok := s.vars[name]; ok {
			return v
		}
	}
	return undefined{name}
}
