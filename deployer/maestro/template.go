package maestro

import "strings"

// render gives the YAML that a document's template renders to.
func (r *reader) render(data []byte) (string, bool) {
	text := string(data)
	if len(text) > maxBytes {
		r.add(1, 1, nil, "the file is too big", "at most 1 MiB is read")
		return "", false
	}
	if !strings.Contains(text, "{{") && !strings.Contains(text, "{%") && !strings.Contains(text, "{#") {
		return text, true
	}
	r.add(1, 1, nil, "templates are not read yet", "")
	return "", false
}

type lines struct{}

func (l *lines) tell(line, column int, message string) (int, int, string) {
	return line, column, message
}
