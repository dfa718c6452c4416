package document_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"batuta/internal/document"
)

type service struct {
	Image string            `yaml:"image"`
	Env   map[string]string `yaml:"env"`
	Ports map[string]port   `yaml:"ports"`
	Count int               `yaml:"count"`
	Wait  time.Duration     `yaml:"wait"`
	Init  *bool             `yaml:"init"`
	Run   []string          `yaml:"run"`
}

type port struct{ number string }

func (p *port) UnmarshalDocument(n document.Node) error {
	if text, ok := n.Scalar(); ok {
		p.number = text
		return nil
	}
	var long struct {
		Exposed string `yaml:"exposed"`
	}
	err := n.Decode(&long)
	p.number = long.Exposed
	return err
}

type file struct {
	Name     string             `yaml:"name"`
	Services map[string]service `yaml:"services"`
}

func TestReadKeepsWhatIsWritten(t *testing.T) {
	var got file
	d := document.Read("qa.yml", []byte(`
name: portal
services:
  web: &web
    image: web
    env: {PORT: 8080, OCT: 010, YES: yes, EMPTY: ""}
    ports: {http: 80, admin: {exposed: 81}}
    wait: 1m30s
    init: true
    run: [a, "b c"]
  worker: {<<: *web, count: 2}
`), &got)
	if err := d.Err(); err != nil {
		t.Fatal(err)
	}
	web := got.Services["web"]
	want := map[string]string{"PORT": "8080", "OCT": "010", "YES": "yes", "EMPTY": ""}
	if diff := cmp.Diff(want, web.Env); diff != "" {
		t.Error(diff)
	}
	if web.Wait != 90*time.Second || !*web.Init || web.Ports["admin"].number != "81" || len(web.Run) != 2 {
		t.Errorf("web = %+v", web)
	}
	if worker := got.Services["worker"]; worker.Image != "web" || worker.Count != 2 {
		t.Errorf("the merge key gave %+v", worker)
	}
}

func TestReadReportsEverythingAtOnce(t *testing.T) {
	var got file
	d := document.Read("qa.yml", []byte(`name: portal
services:
  web:
    imgae: web
    count: two
    wait: 5 minutes
    init: yes
    run: single
    ports: {http: {exposd: 80}}
    env: [A]
  web: {}
`), &got)
	d.Problem(document.Path{"services", "web", "ports", "http"}, "no such port", "")
	want := `qa.yml:4:5: services.web.imgae: unknown key "imgae" (did you mean "image"?)
qa.yml:5:12: services.web.count: "two" is not a whole number
qa.yml:6:11: services.web.wait: "5 minutes" is not a duration (write a number and a unit: 500ms, 30s, 5m, 1h)
qa.yml:7:11: services.web.init: "yes" is not true or false (write true or false)
qa.yml:8:10: services.web.run: want a list, have "single" (write ` + "`- value` lines or [a, b])" + `
qa.yml:9:19: services.web.ports.http: no such port
qa.yml:9:20: services.web.ports.http.exposd: unknown key "exposd" (did you mean "exposed"?)
qa.yml:10:10: services.web.env: want a mapping, have a list (write ` + "`key: value` lines)" + `
qa.yml:11:3: services.web: key "web" stands twice (the first is on line 3)`
	if diff := cmp.Diff(want, d.Err().Error()); diff != "" {
		t.Error(diff)
	}
}

func TestReadRefusesWhatIsNotOneDocument(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"empty":    {"", "the file is empty"},
		"syntax":   {"a: [1\nb: 2", "not YAML"},
		"two":      {"name: a\n---\nname: b\n", "x.yml:2:1: here a second YAML document begins"},
		"after it": {"name: a\nservices: {}\n...\nname: b\n", "x.yml:3:1: here a second YAML document begins"},
		"a tab":    {"name: a\nservices:\n\tweb:\n\t  image: x\n", "x.yml:3:1: the line is indented with a tab (indent with spaces"},
		"tab deep": {"name: a\nservices:\n  web:\n  \timage: x\n", "x.yml:4:3: the line is indented with a tab"},
		"scalar":   {"hello", "want a mapping"},
		"too big":  {strings.Repeat("#", document.MaxBytes+1), "bytes"},
		"laughter": {laughs(), "beyond reason"},
	} {
		t.Run(name, func(t *testing.T) {
			var got file
			err := document.Read("x.yml", []byte(c.text), &got).Err()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want %q", err, c.want)
			}
		})
	}
}

func laughs() string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x]\n")
	for i := range 9 {
		from, to := string(rune('0'+i)), string(rune('1'+i))
		b.WriteString("a" + to + ": &a" + to + " [" + strings.TrimSuffix(strings.Repeat("*a"+from+",", 9), ",") + "]\n")
	}
	return b.String()
}

func FuzzRead(f *testing.F) {
	f.Add("name: a\nservices: {web: {image: x}}")
	f.Add("a: &a [*a]")
	f.Fuzz(func(_ *testing.T, text string) {
		var got file
		_ = document.Read("x.yml", []byte(text), &got).Err()
	})
}
