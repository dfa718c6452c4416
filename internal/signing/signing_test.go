package signing_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"batuta"
	"batuta/internal/signing"
)

const (
	one = batuta.Digest("sha256:1111111111111111111111111111111111111111111111111111111111111111")
	two = batuta.Digest("sha256:2222222222222222222222222222222222222222222222222222222222222222")
)

func release() batuta.Release {
	return batuta.Release{
		App: "portal", Number: 12, Run: 41, Revision: "abc", Message: "Fix the search",
		Images:    map[batuta.ImageName]batuta.Image{"web": {Repository: "registry.example.edu/portal/web", Digest: one}, "job": {Repository: "registry.example.edu/portal/job", Digest: two}},
		Pins:      map[string]batuta.Image{"postgres:17": {Repository: "index.docker.io/library/postgres", Digest: two}},
		Order:     []batuta.EnvironmentName{"qa", "production"},
		Stages:    map[batuta.EnvironmentName]batuta.Stage{"production": {Soak: time.Hour, Approvals: 2}},
		Documents: map[batuta.EnvironmentName]string{"qa": "batuta: 1\n", "production": "batuta: 1\n"},
		Created:   time.Now(),
	}
}

// none is what a new server has released before.
func none() (signing.Older, error) { return nil, nil }

func open(t *testing.T, path string) *signing.Key {
	t.Helper()
	k, err := signing.Open(path, none)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sign(t *testing.T, k *signing.Key, r batuta.Release, image batuta.ImageName) signing.Signature {
	t.Helper()
	s, err := k.Sign(r, image)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A server that is brought up to date has to find what the one before signed.
func TestContentIsTheSameForEver(t *testing.T) {
	t.Parallel()
	const was = "sha256:5850f3a4bc2937ded35fb44d18bcdad5ebcba1edfff81f67c409e0216ee9a831"
	if got := signing.Content(release()); got != was {
		t.Errorf("the content of a release is %s, was %s: all that was signed before is refused", got, was)
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	k, other := open(t, filepath.Join(t.TempDir(), "key")), open(t, filepath.Join(t.TempDir(), "key"))
	r := release()
	signed := sign(t, k, r, "web")
	spoilt := signed
	spoilt.Payload = []byte(strings.Replace(string(signed.Payload), `"release":12`, `"release":13`, 1))
	for name, c := range map[string]struct {
		change func(*batuta.Release)
		found  []signing.Signature
		want   string // in the error; empty: none
	}{
		"as it was signed":     {found: []signing.Signature{signed}},
		"among others":         {found: []signing.Signature{{}, sign(t, other, r, "web"), sign(t, k, r, "job"), signed}},
		"told otherwise":       {change: func(r *batuta.Release) { r.Message, r.Created = "", time.Time{} }, found: []signing.Signature{signed}},
		"no signature":         {want: "it has no signature"},
		"another key":          {found: []signing.Signature{sign(t, other, r, "web")}, want: "not of this server's key"},
		"another payload":      {found: []signing.Signature{spoilt}, want: "not of this server's key"},
		"no base64":            {found: []signing.Signature{{Payload: signed.Payload, Base64: "%"}}, want: "not of this server's key"},
		"another digest":       {change: func(r *batuta.Release) { r.Images["web"] = r.Images["job"] }, found: []signing.Signature{signed}, want: "for another digest"},
		"another image":        {found: []signing.Signature{sign(t, k, twice(r), "job")}, change: func(r *batuta.Release) { *r = twice(*r) }, want: "for another release"},
		"another app":          {change: func(r *batuta.Release) { r.App = "blog" }, found: []signing.Signature{signed}, want: "for another release"},
		"another number":       {change: func(r *batuta.Release) { r.Number = 13 }, found: []signing.Signature{signed}, want: "for another release"},
		"another document":     {change: func(r *batuta.Release) { r.Documents["qa"] += "\n" }, found: []signing.Signature{signed}, want: "other documents"},
		"another pin":          {change: func(r *batuta.Release) { r.Pins["postgres:17"] = batuta.Image{Repository: "x", Digest: one} }, found: []signing.Signature{signed}, want: "other documents"},
		"other rules":          {change: func(r *batuta.Release) { r.Stages = nil }, found: []signing.Signature{signed}, want: "other documents"},
		"another order":        {change: func(r *batuta.Release) { r.Order = r.Order[1:] }, found: []signing.Signature{signed}, want: "other documents"},
		"another other image":  {change: func(r *batuta.Release) { delete(r.Images, "job") }, found: []signing.Signature{signed}, want: "other documents"},
		"another run":          {change: func(r *batuta.Release) { r.Run++ }, found: []signing.Signature{signed}, want: "other documents"},
		"the closest is named": {change: func(r *batuta.Release) { r.Number = 13 }, found: []signing.Signature{signed, sign(t, other, r, "web")}, want: "for another release"},
	} {
		now := release()
		if c.change != nil {
			c.change(&now)
		}
		err := k.Verify(now, "web", c.found)
		if c.want == "" && err == nil {
			continue
		}
		if c.want == "" || !errors.Is(err, batuta.Denied) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), now.Images["web"].String()) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// twice is a release of two images with the same bytes.
func twice(r batuta.Release) batuta.Release {
	r.Images = maps.Clone(r.Images)
	r.Images["job"] = r.Images["web"]
	return r
}

// The same release gives the same signature, so that a step that is entered
// again adds nothing.
func TestSignedTwiceIsTheSame(t *testing.T) {
	t.Parallel()
	k := open(t, filepath.Join(t.TempDir(), "key"))
	a, b := sign(t, k, release(), "web"), sign(t, k, release(), "web")
	if a.Base64 != b.Base64 || string(a.Payload) != string(b.Payload) {
		t.Errorf("signed %+v and %+v", a, b)
	}
}

func TestKeyIsMadeOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signing.key")
	keys := make([]*signing.Key, 8)
	errs := make([]error, len(keys))
	var all sync.WaitGroup
	for i := range keys {
		all.Go(func() {
			keys[i], errs[i] = signing.Open(path, func() (signing.Older, error) { return signing.Older{"portal": 12, "blog": 1}, nil })
		})
	}
	all.Wait()
	for i, k := range keys {
		if errs[i] != nil || k.Public() != keys[0].Public() || !k.Younger("portal", 12) || !k.Younger("blog", 1) || k.Younger("portal", 13) || k.Younger("shop", 1) {
			t.Errorf("opened %v and %v (%v)", k, keys[0], errs[i])
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v (%v)", info, err)
	}
	if left, _ := filepath.Glob(path + "?*"); len(left) > 0 {
		t.Errorf("it left %q", left)
	}
}

// What is damaged is told, and is not replaced by another key.
func TestADamagedKeyStays(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "no key\n", "Batuta's signing key, since 2026-01-02T03:04:05Z\nportal twelve\n", "Batuta's signing key, since 2026-01-02T03:04:05Z\n", "Batuta's signing key, since 2026-01-02T03:04:05Z\n-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		path := filepath.Join(t.TempDir(), "signing.key")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := signing.Open(path, none)
		if now, _ := os.ReadFile(path); !errors.Is(err, batuta.Invalid) || string(now) != text {
			t.Errorf("%q opens as %v, and is %q", text, err, now)
		}
	}
}
