package builder

import (
	"bytes"
	"os"
	"regexp"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

var (
	counter  = regexp.MustCompile(`^\[[^\]]*\] +`)
	spaces   = regexp.MustCompile(`\s+`)
	variable = regexp.MustCompile(`\\\$(?:\\\{.*?\\\}|\w+)`) // in a quoted pattern
)

// findInstruction gives the line of the Dockerfile's instruction that a step
// is named after; 0 if it finds none. Docker 20.10 names its steps, but not
// their places. In a name, variables have their values.
func findInstruction(r Request, name string) int {
	tree, err := os.OpenRoot(r.Source)
	if err != nil {
		return 0
	}
	defer tree.Close()
	text, err := tree.ReadFile(r.Recipe.dockerfile())
	if err != nil {
		return 0
	}
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return 0
	}
	name = spaces.ReplaceAllString(name, " ")
	image, pulls := strings.CutPrefix(name, "FROM ")
	for _, node := range parsed.AST.Children {
		if pulls && strings.EqualFold(node.Value, "from") && node.Next != nil && names(node.Next.Value, image) {
			return node.StartLine
		}
		pattern := regexp.QuoteMeta(spaces.ReplaceAllString(node.Original, " "))
		pattern = "(?i)^" + variable.ReplaceAllString(pattern, ".*") + "$"
		if matched, err := regexp.MatchString(pattern, name); err == nil && matched {
			return node.StartLine
		}
	}
	return 0
}

// names tells whether a reference as people write it names an image that the
// daemon calls by its full name.
func names(written, full string) bool {
	full = strings.TrimSuffix(full, ":latest")
	written = strings.TrimSuffix(written, ":latest")
	return written == full || strings.HasSuffix(full, "/"+written)
}
