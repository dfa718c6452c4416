package deployer

import (
	"fmt"
	"maps"
	"slices"
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
			return "", nil, unknownSecret(name)
		}
		b.WriteString(before + value)
		s, used = rest, append(used, value)
	}
}

// secret looks a secret up.
func (r *resolver) secret(name string) (string, bool) {
	if r.in.Secret == nil {
		return "", false
	}
	return r.in.Secret(name)
}

func unknownSecret(name string) error {
	return invalid(fmt.Sprintf("no secret %q", name), "set it on the server for this environment")
}

// env gives the variables, and the secrets in their values. One without a
// value takes the image's own away.
func (r *resolver) env(env map[string]text) (out []Variable, secrets []string) {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if env[name].path == nil {
			out = append(out, Variable{Name: name, Unset: true})
			continue
		}
		value, used, err := expand(env[name].value, r.secret)
		if err != nil {
			r.error(env[name].path, err)
		}
		out = append(out, Variable{Name: name, Value: value, Secret: len(used) > 0})
		secrets = append(secrets, used...)
	}
	return out, secrets
}
