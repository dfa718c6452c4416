package deployer

import (
	"fmt"
	"strings"

	"batuta"
)

const secretMark = "${secret:"

// expand puts secrets in the place of ${secret:NAME}, anywhere in the text,
// and gives those it used. $${secret:…} stands for itself; every other ${…} is
// kept as written, for the application to read.
func expand(s string, secret func(string) (string, bool)) (value string, used []string, err error) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, secretMark)
		if !found {
			b.WriteString(s)
			return b.String(), used, nil
		}
		if literal, escaped := strings.CutSuffix(before, "$"); escaped {
			b.WriteString(literal + secretMark)
			s = after
			continue
		}
		name, rest, closed := strings.Cut(after, "}")
		if !closed || batuta.CheckName(name) != nil {
			return "", nil, invalid(fmt.Sprintf("%q is not a secret's place", secretMark+name), "write ${secret:NAME}; $${secret: for the text itself")
		}
		value, ok := secret(name)
		if !ok {
			return "", nil, invalid(fmt.Sprintf("no secret %q", name), "set it on the server for this environment")
		}
		b.WriteString(before + value)
		s, used = rest, append(used, value)
	}
}
