package maestro

import (
	"fmt"
	"strings"
)

// environment reads variables from the sources in their order, later ones
// over earlier ones: names of files in Docker's env-file syntax, mappings, and
// lists of sources. Nil stands for a variable that is to be unset.
func (r *reader) environment(into map[string]*string, source *value, asFile bool) {
	if !source.truth() {
		return
	}
	switch {
	case source.kind == list:
		for _, item := range source.items {
			r.environment(into, item, asFile)
		}
	case source.kind == text:
		r.envfile(into, source)
	case source.kind == dict && !asFile:
		for i, key := range source.keys {
			r.trap(key)
			name := key.python()
			if name == "" || strings.ContainsAny(name, "=\x00") {
				r.problem(key, fmt.Sprintf("%q is not a variable's name", name), "")
				continue
			}
			into[name] = r.variable(source.items[i])
		}
	default:
		r.problem(source, fmt.Sprintf("variables cannot come from %s", source.kind), "")
	}
}

// variable is what a value becomes in a container's environment: Python's
// str() of it, the items of a list joined with spaces. Nil for null.
func (r *reader) variable(v *value) *string {
	switch v.kind {
	case null:
		r.warn(v, "MaestroNG takes the image's own variable of this name away", `write "" for an empty value; a {{ env.NAME }} that is not set gives this too`)
		return nil
	case list:
		return new(r.joined(v))
	case dict:
		r.warn(v, fmt.Sprintf("MaestroNG writes a mapping as Python does: %s", v.python()), "put the text that you mean in quotes")
		return new(v.python())
	}
	r.trap(v)
	return new(v.str)
}

// joined are the texts of a list with spaces between them, at any depth.
func (r *reader) joined(v *value) string {
	var parts []string
	for _, item := range v.items {
		switch item.kind {
		case list:
			parts = append(parts, r.joined(item))
		case text:
			parts = append(parts, item.str)
		default:
			r.problem(item, fmt.Sprintf("%s in a list of texts", item.python()), fmt.Sprintf("write %q", item.python()))
		}
	}
	return strings.Join(parts, " ")
}

// envfile reads a file of NAME=value lines, as Docker's client for Python does.
func (r *reader) envfile(into map[string]*string, at *value) {
	data, err := r.beside(at.str)
	if err != nil {
		hint := ""
		if strings.Contains(at.str, "=") {
			hint = "a text is the name of a file; write NAME: value for a variable"
		}
		r.problem(at, err.Error(), hint)
		return
	}
	for n, line := range strings.Split(strings.ReplaceAll(data, "\r\n", "\n"), "\n") {
		if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
			continue
		}
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || name == "" {
			r.problem(at, fmt.Sprintf("%s:%d: want NAME=value, have %q", at.str, n+1, strings.TrimSpace(line)), "")
			continue
		}
		into[name] = &value
	}
}
