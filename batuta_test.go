package batuta_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"batuta"
)

func TestHeadline(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]string{
		"Say hello\n\nAt length.":            "Say hello",
		"  \n\tSay \x1b[31mhello\x1b[0m\x00": "Say [31mhello[0m",
		"":                                   "",
		strings.Repeat("ü", 300):             strings.Repeat("ü", 200),
	} {
		if got := batuta.Headline(message); got != want {
			t.Errorf("Headline(%q) = %q, want %q", message, got, want)
		}
	}
}

func TestErrorsAreFoundByTheirKind(t *testing.T) {
	t.Parallel()
	inner := errors.New("connection refused")
	err := fmt.Errorf("deploy qa: %w", &batuta.Error{Kind: batuta.Unavailable, Message: "ask ship a", Err: inner})
	if !errors.Is(err, batuta.Unavailable) || errors.Is(err, batuta.Invalid) || !errors.Is(err, inner) {
		t.Errorf("%v is not what it is", err)
	}
	if want := "deploy qa: ask ship a: connection refused"; err.Error() != want {
		t.Errorf("it says %q, want %q", err, want)
	}
	problems := batuta.Problems{{File: "qa.yml", Line: 3, Column: 5, Path: "services.web", Message: "no image", Hint: "write build: web"}}
	if want := "qa.yml:3:5: services.web: no image (write build: web)"; problems.Err().Error() != want || !errors.Is(problems.Err(), batuta.Invalid) {
		t.Errorf("the problems say %q, want %q", problems.Err(), want)
	}
	if batuta.Problems(nil).Err() != nil {
		t.Error("no problems are an error")
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		check func(string) error
		good  []string
		bad   []string
	}{
		{batuta.CheckLabel, []string{"a", "portal-2"}, []string{"", "-a", "a-", "A", "a_b", strings.Repeat("a", 41)}},
		{batuta.CheckName, []string{"web-1", "inst_1.b", "A"}, []string{"", ".a", "a b", "a/b", strings.Repeat("a", 64)}},
		{batuta.CheckRevision, []string{strings.Repeat("0a", 20), strings.Repeat("0a", 32)}, []string{"", "main", strings.Repeat("0A", 20), strings.Repeat("0", 39)}},
		{batuta.CheckDigest, []string{"sha256:" + strings.Repeat("0", 64)}, []string{"", "sha256:0", "latest"}},
	} {
		for _, name := range c.good {
			if err := c.check(name); err != nil {
				t.Errorf("%q: %v", name, err)
			}
		}
		for _, name := range c.bad {
			if err := c.check(name); !errors.Is(err, batuta.Invalid) {
				t.Errorf("%q is taken (%v)", name, err)
			}
		}
	}
}
