package deployer

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"batuta/internal/document"
)

// selector chooses ships by their labels. All its terms must hold; one without
// terms matches every ship. It is written as a mapping of labels to values, or
// as a list of terms:
//
//	{role: web}
//	[role = web, zone != b, "zone in (a, c)", "tier notin (test)"]
//
// A ship without the label differs from every value.
type selector []term

type term struct {
	written bool // false: there is nothing in its place
	label   string
	negate  bool
	values  []string
}

var (
	labelTerm = regexp.MustCompile(`^([\w./-]+)\s*(=|==|!=)\s*([\w./:-]*)$`)
	setTerm   = regexp.MustCompile(`^([\w./-]+)\s+(in|notin)\s*\(([^()]*)\)$`)
)

func (s *selector) UnmarshalDocument(n document.Node) error {
	if n.IsMap() {
		var labels map[string]string
		if err := n.Decode(&labels); err != nil {
			return err
		}
		for _, label := range slices.Sorted(maps.Keys(labels)) {
			*s = append(*s, term{written: true, label: label, values: []string{labels[label]}})
		}
		return nil
	}
	return n.Decode((*[]term)(s))
}

func (t *term) UnmarshalDocument(n document.Node) error {
	t.written = true
	line, _ := n.Scalar()
	line = strings.TrimSpace(line)
	if m := labelTerm.FindStringSubmatch(line); m != nil {
		t.label, t.negate, t.values = m[1], m[2] == "!=", []string{m[3]}
		return nil
	}
	if m := setTerm.FindStringSubmatch(line); m != nil {
		t.label, t.negate = m[1], m[2] == "notin"
		for v := range strings.SplitSeq(m[3], ",") {
			t.values = append(t.values, strings.TrimSpace(v))
		}
		return nil
	}
	return invalid(fmt.Sprintf("%q is not a selector", line), `write {role: web}, or a list of "role = web", "role != web", "zone in (a, b)", "zone notin (a, b)"`)
}

func (s selector) matches(labels map[string]string) bool {
	return !slices.ContainsFunc(s, func(t term) bool { return !t.matches(labels) })
}

func (t term) matches(labels map[string]string) bool {
	if t.label == "" {
		return true // it could not be read; that is a problem already
	}
	value, has := labels[t.label]
	return (has && slices.Contains(t.values, value)) != t.negate
}

// String is the selector as a person writes it.
func (s selector) String() string {
	terms := make([]string, len(s))
	for i, t := range s {
		switch {
		case len(t.values) != 1 && t.negate:
			terms[i] = fmt.Sprintf("%s notin (%s)", t.label, strings.Join(t.values, ", "))
		case len(t.values) != 1:
			terms[i] = fmt.Sprintf("%s in (%s)", t.label, strings.Join(t.values, ", "))
		case t.negate:
			terms[i] = t.label + " != " + t.values[0]
		default:
			terms[i] = t.label + " = " + t.values[0]
		}
	}
	return strings.Join(terms, ", ")
}
