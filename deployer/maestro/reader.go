package maestro

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"batuta"
	"batuta/internal/document"
)

// reader collects what is wrong with a document and what is a trap in it,
// while it is read.
type reader struct {
	file     string
	options  Options
	problems batuta.Problems
	warnings batuta.Problems
	lines    *lines // from the rendered document to the file; nil: they are the same
}

func (r *reader) add(line, column int, path document.Path, message, hint string) {
	r.problems = append(r.problems, r.at(line, column, path, message, hint))
}

// at is a problem, told in terms of the file's own lines.
func (r *reader) at(line, column int, path document.Path, message, hint string) batuta.Problem {
	file := r.file
	if r.lines != nil {
		file, line, column, message = r.lines.tell(line, column, message)
	}
	return batuta.Problem{File: file, Line: line, Column: column, Path: path.String(), Message: message, Hint: hint}
}

// sourceLine tells the line that the value stands on, and the file if it is
// another.
func (r *reader) sourceLine(v *value) string {
	p := r.at(v.line, v.column, nil, "", "")
	if p.File != r.file {
		return fmt.Sprintf("line %d of %s", p.Line, p.File)
	}
	return fmt.Sprintf("line %d", p.Line)
}

// problem records what is wrong with a value.
func (r *reader) problem(v *value, message, hint string) {
	r.add(v.line, v.column, v.path, message, hint)
}

// warn records what MaestroNG takes in another way than a person would expect,
// or leaves unread.
func (r *reader) warn(v *value, message, hint string) {
	r.warnings = append(r.warnings, r.at(v.line, v.column, v.path, message, hint))
}

// outcome gives all problems and warnings in the order of the file, each once.
// A strict reader has no warnings.
func (r *reader) outcome() (problems, warnings batuta.Problems) {
	if r.options.Strict {
		r.problems, r.warnings = append(r.problems, r.warnings...), nil
	}
	return r.sorted(r.problems), r.sorted(r.warnings)
}

func (r *reader) sorted(ps batuta.Problems) batuta.Problems {
	file := func(p batuta.Problem) string { return strings.TrimPrefix(p.File, r.file) } // the document comes first
	slices.SortStableFunc(ps, func(a, b batuta.Problem) int {
		return cmp.Or(strings.Compare(file(a), file(b)), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), strings.Compare(a.Path, b.Path), strings.Compare(a.Message, b.Message))
	})
	return slices.CompactFunc(ps, func(a, b batuta.Problem) bool { return a == b })
}

// trap warns if Python's reading of a scalar differs from what is written.
func (r *reader) trap(v *value) {
	if v.quoted || v.kind == text || v.kind == null || v.str == v.written {
		return
	}
	why, write := "", fmt.Sprintf("write %q for that, or %q for the text itself", v.str, v.written)
	switch {
	case v.kind == boolean:
		why = " (YAML 1.1)"
	case v.kind == integer && strings.Contains(v.written, ":"):
		why = " (base 60)"
	case v.kind == integer && strings.HasPrefix(strings.TrimLeft(v.written, "+-"), "0x"):
		why = " (base 16)"
	case v.kind == integer && strings.HasPrefix(strings.TrimLeft(v.written, "+-"), "0b"):
		why = " (base 2)"
	case v.kind == integer && strings.HasPrefix(strings.TrimLeft(v.written, "+-"), "0"):
		why = " (base 8)"
	case v.kind == moment:
		why = " (a date)"
	}
	r.warn(v, fmt.Sprintf("MaestroNG reads %s as %s%s", v.written, v.str, why), write)
}

// maxSeconds is the longest time that a document may ask for: a day.
const maxSeconds = 86400

// text is a value that is meant as a text: Python's str() of a scalar.
func (r *reader) text(v *value) string {
	switch {
	case v.isNull():
		return ""
	case v.kind == list || v.kind == dict:
		r.problem(v, "want a text, have "+v.kind.String(), "")
		return ""
	}
	r.trap(v)
	return v.str
}

// needed is a text that must be there and not be empty.
func (r *reader) needed(in *value, key, hint string) string {
	v := in.get(key)
	if s := r.text(v); s != "" || v != nil && (v.kind == list || v.kind == dict) {
		return s
	}
	r.problem(in, fmt.Sprintf("%s is missing", key), hint)
	return ""
}

// flag is a truth value. A text counts as Python counts it: as true unless it
// is empty.
func (r *reader) flag(v *value) bool {
	switch {
	case v.isNull():
		return false
	case v.kind == boolean && !strings.EqualFold(v.written, v.str):
		r.warn(v, fmt.Sprintf("MaestroNG reads %s as %s (YAML 1.1)", v.written, v.str), "write "+strings.ToLower(v.str))
	case v.kind != boolean:
		r.warn(v, fmt.Sprintf("MaestroNG takes %s for %s, as it takes everything that is not empty or 0 for true", v.python(), pythonTruth(v.truth())), "write true or false")
	}
	return v.truth()
}

func pythonTruth(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// number is a whole number from low to high, or otherwise if there is none.
// Digits in quotes count.
func (r *reader) number(v *value, low, high, otherwise int64) int64 {
	if v.isNull() {
		return otherwise
	}
	n, err := strconv.ParseInt(v.str, 10, 64)
	switch {
	case v.kind != integer && v.kind != text || err != nil:
		r.problem(v, fmt.Sprintf("%s is not a whole number", v.python()), "")
		return otherwise
	case n < low || n > high:
		r.problem(v, fmt.Sprintf("%d is out of bounds", n), fmt.Sprintf("%d to %d", low, high))
		return otherwise
	}
	r.trap(v)
	return n
}

// seconds is a length of time, in whole or broken seconds, or otherwise if
// there is none.
func (r *reader) seconds(v *value, otherwise time.Duration) time.Duration {
	if v.isNull() {
		return otherwise
	}
	n, err := strconv.ParseFloat(v.str, 64)
	switch {
	case v.kind != integer && v.kind != float && v.kind != text || err != nil:
		r.problem(v, fmt.Sprintf("%s is not a number of seconds", v.python()), "")
		return otherwise
	case !(n >= 0 && n <= maxSeconds):
		r.problem(v, fmt.Sprintf("%s seconds are out of bounds", v.str), fmt.Sprintf("0 to %d", maxSeconds))
		return otherwise
	}
	r.trap(v)
	return time.Duration(n * float64(time.Second))
}

// texts is a list of texts, or a single one.
func (r *reader) texts(v *value) []string {
	switch {
	case v.isNull():
		return nil
	case v.kind == dict:
		r.problem(v, "want a list of texts, have a mapping", "write [a, b]")
		return nil
	case v.kind != list:
		return []string{r.text(v)}
	}
	var out []string
	for _, item := range v.items {
		out = append(out, r.text(item))
	}
	return out
}

// list is the items of a list; a single value is none.
func (r *reader) list(v *value) []*value {
	if v.isNull() {
		return nil
	}
	if v.kind != list {
		r.problem(v, "want a list, have "+v.kind.String(), "write [a, b], or lines that begin with -")
		return nil
	}
	return v.items
}

// dict tells whether the value is a mapping, or there is none; anything else
// is a problem.
func (r *reader) dict(v *value) bool {
	if !v.isNull() && v.kind != dict {
		r.problem(v, "want a mapping, have "+v.kind.String(), "write key: value lines")
		return false
	}
	return !v.isNull()
}

// each calls back for each key of a mapping, in the order of the document.
func (r *reader) each(v *value, do func(name string, key, item *value)) {
	if !r.dict(v) {
		return
	}
	for i, key := range v.keys {
		do(key.python(), key, v.items[i])
	}
}

// known warns of the keys of a mapping that MaestroNG does not read there.
// Elsewhere tells, for some keys, what to do instead.
func (r *reader) known(v *value, keys []string, elsewhere map[string]string) {
	if v == nil {
		return
	}
	for _, key := range v.keys {
		name := key.python()
		if slices.Contains(keys, name) {
			continue
		}
		hint, told := elsewhere[name]
		if !told {
			hint = document.Suggest(name, keys)
		}
		r.warn(key, fmt.Sprintf("MaestroNG does not read %q here", name), hint)
	}
}
