package jinja_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"batuta/deployer/maestro/jinja"
)

// shelf are the templates that others include, import and extend.
var shelf = map[string]string{
	"base.yaml": "head\n{% block body %}default {{ x }}{% endblock %}\n{% block tail %}t{% endblock %}\n",
	"macros.j2": "{% macro inst(n, ship='s1') %}{{ n }}: {ship: {{ ship }}}{% endmacro %}{% set v = 7 %}\n{% macro broken() %}abc {{ nope.x }}{% endmacro %}",
	"inc.yaml":  "inc {{ x }} {{ env.HOME }}\n",
	"mid.yaml":  "{% extends 'base.yaml' %}{% block tail %}mid+{{ super() }}{% endblock %}",
	"self.yaml": "{% include 'self.yaml' %}",
	"loop.yaml": "{% extends 'loop.yaml' %}",
	"bad.yaml":  "fine\n{{ oops.x }}",
}

func load(name string) (string, error) {
	if text, ok := shelf[name]; ok {
		return text, nil
	}
	return "", fmt.Errorf("template %s cannot be read: %w", name, fs.ErrNotExist)
}

func render(text string) (string, error) {
	out, err := jinja.Render("maestro.yaml", text, jinja.Options{Env: map[string]string{"HOME": "/home/ops", "A": "b"}, Load: load})
	return out.Text, err
}

// TestRenderAsPythonDoes compares with what Jinja2 3.1 made of each template.
func TestRenderAsPythonDoes(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/python.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct{ Template, Output string }
	if err := json.Unmarshal(data, &cases); err != nil || len(cases) < 50 {
		t.Fatal(len(cases), err)
	}
	for _, c := range cases {
		if got, err := render(c.Template); err != nil || got != c.Output {
			t.Errorf("%q\n got %q (%v)\nwant %q", c.Template, got, err, c.Output)
		}
	}
}

// TestRandomIsTheSameAgain: what a person was shown is what is deployed.
func TestRandomIsTheSameAgain(t *testing.T) {
	t.Parallel()
	const text = "{% for i in range(40) %}{{ range(10)|random }}{% endfor %}"
	first, err := render(text)
	again, _ := render(text)
	if err != nil || first != again || strings.Count(first, first[:1]) > 20 {
		t.Errorf("%q and %q (%v)", first, again, err)
	}
}

// TestRenderTells tells the place of what is wrong, in each file.
func TestRenderTells(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{{ foo.bar }}":    `maestro.yaml:1:4: "foo" is undefined`,
		"äö {{ foo.bar }}": `maestro.yaml:1:7: "foo" is undefined`,
		"\n{% import 'macros.j2' as m %}\n{{ m.inst() }}{{ m.broken() }}": `macros.j2:2:28: "nope" is undefined`,
		"{{ foo() }}":                `maestro.yaml:1:4: "foo" is undefined`,
		"a\nb {{ x y }}\n":           `maestro.yaml:2:8: want "}}", have 'y'`,
		"{% for x in %}":             `maestro.yaml:1:13: want a value, have '%}'`,
		"a\n\n{{ 'a'.nope() }}":      `maestro.yaml:3:7: "nope" is undefined`,
		"{{ 1/0 }}":                  `maestro.yaml:1:5: division by zero`,
		"x\n{% if 1 %}":              `maestro.yaml:2:11: want {% elif %} or {% else %} or {% endif %}, have the end of the template`,
		"{% nope %}":                 `maestro.yaml:1:4: no tag "nope"`,
		"{% endif %}":                `maestro.yaml:1:4: no tag "endif"`,
		"{% do l.append(1) %}":       `maestro.yaml:1:4: MaestroNG's Jinja2 does not know {% do %}`,
		"{{ 'a' + 1 }}":              `maestro.yaml:1:8: a text + a whole number is not possible`,
		"{{ [1,2 }}":                 `maestro.yaml:1:9: want a comma or the end of the brackets, have '}}'`,
		"{{ x":                       `maestro.yaml:1:5: want "}}", have the end of the template`,
		"{{ 1 < 'a' }}":              `maestro.yaml:1:1: a whole number and a text cannot be ordered`,
		"\n{% include 'nope' %}":     `maestro.yaml:2:1: template nope cannot be read: file does not exist`,
		"{{ 'x'|nope }}":             `maestro.yaml:1:8: no filter "nope"`,
		"{{ 'x'|center(widht=3) }}":  `maestro.yaml:1:8: no argument "widht"`,
		"{{ x is nope }}":            `maestro.yaml:1:9: no test "nope"`,
		"{{ }}":                      `maestro.yaml:1:4: want a value, have '}}'`,
		"{% set a, b = [1] %}":       `maestro.yaml:1:1: 1 values for 2 names`,
		"{{ '{}'.format() }}":        `maestro.yaml:1:8: a format wants more than 0 values`,
		"{{ 'abc }}":                 "maestro.yaml:1:11: a quote is open, or a character is none of a template's: abc }}",
		"{{ '%d' % 'x' }}":           `maestro.yaml:1:9: a text is no number for %d`,
		"{{ {[]: 1} }}":              `maestro.yaml:1:1: a list cannot be a key`,
		"\n{% include 'bad.yaml' %}": `bad.yaml:2:4: "oops" is undefined`,
	} {
		if _, err := render(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// TestRenderEnds holds templates that never would, or would fill the memory.
func TestRenderEnds(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"{% for i in range(100000000) %}{% endfor %}",
		"{% for i in range(3000) %}{% for j in range(3000) %}{% endfor %}{% endfor %}",
		"{{ 'x' * 1000000000 }}", "{{ [1] * 1000000000 }}", "{{ 'x'.center(1000000000) }}", "{{ '%999999d' % 1 * 100 }}", "{{ '{:999999}'.format(1) * 9 }}",
		"{% set n = namespace(l=[1]) %}{% for i in range(60) %}{% set n.l = n.l + n.l %}{% endfor %}{{ n.l }}",
		"{% set n = namespace(s='xxxxxxxx') %}{% for i in range(60) %}{% set n.s = n.s + n.s %}{% endfor %}{{ n.s }}",
		"{% set n = namespace(l=[1]) %}{% for i in range(60) %}{% set n.l = [n.l, n.l] %}{% endfor %}{{ n.l }}",
		"{% set n = namespace(l=[1]) %}{% for i in range(60) %}{% set n.l = [n.l, n.l] %}{% endfor %}{{ n.l == [n.l] or [n.l] < [[n.l]] }}",
		"{% set l = [] %}{% set _ = l.append(l) %}{{ l }}", "{% set l = [1] %}{% for i in l %}{% set _ = l.append(1) %}{% set _ = l.extend(l) %}{% endfor %}{{ l|join }}",
		"{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "{% include 'self.yaml' %}", "{% extends 'loop.yaml' %}",
		"{{ " + strings.Repeat("(", 100_000) + "1" + strings.Repeat(")", 100_000) + " }}", "{{ " + strings.Repeat("-", 100_000) + "1 }}", "{{ " + strings.Repeat("not ", 100_000) + "1 ** }}",
		strings.Repeat("{% if 1 %}", 9000), strings.Repeat("{% if 1 %}", 90_000), "{{ 2 ** 4611686018427387904 }}", "{{ a" + strings.Repeat("[", 100_000) + " }}",
		"{% for i in range(10000) %}" + strings.Repeat("x", 200) + "{% endfor %}", "{% set x = 'ab' * 400000 %}{{ x.replace('a', x) }}", "{{ ('a' * 900000).join(['a', 'b', 'c']) }}",
		"{% set " + strings.Repeat("(", 100_000) + "a" + " = 1 %}",
	} {
		start := time.Now()
		out, err := render(text)
		if err == nil && len(out) > 1000 || time.Since(start) > 20*time.Second {
			t.Errorf("%.60q took %s and gave %d bytes (%v)", text, time.Since(start), len(out), err)
		}
	}
}

func FuzzRender(f *testing.F) {
	data, err := os.ReadFile("testdata/python.json")
	if err != nil {
		f.Fatal(err)
	}
	var cases []struct{ Template, Output string }
	if err := json.Unmarshal(data, &cases); err != nil {
		f.Fatal(err)
	}
	for _, c := range cases {
		f.Add(c.Template)
	}
	f.Fuzz(func(_ *testing.T, text string) {
		_, _ = render(text) // it does not panic, and comes to an end
	})
}
