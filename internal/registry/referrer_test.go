package registry_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	inmemory "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"batuta"
	"batuta/internal/registry"
)

const signature = "application/vnd.example.signature.v1+json"

// note is a referrer of a release.
func note(release int, text string) registry.Referrer {
	return registry.Referrer{
		Artifact: signature, Media: "text/plain", Content: []byte(text),
		Notes: map[string]string{"by": "ana"}, Labels: map[string]string{"release": fmt.Sprint(release)},
	}
}

// shore is a registry, and an image in it.
type shore struct {
	registry.Remote
	image batuta.Image
	ref   name.Digest
}

func newShore(t *testing.T, at registry.Remote) shore {
	t.Helper()
	at.User, at.Password = "anyone", pushToken
	ref := push(t, repository(t, at.Address, "portal/web"), randomImage(t, 1024))
	return shore{at, batuta.Image{Repository: ref.Context().Name(), Digest: batuta.Digest(ref.DigestStr())}, ref}
}

// onEachShore runs a test with distribution's registry, the same without a
// network, and one that knows of referrers.
func onEachShore(t *testing.T, test func(t *testing.T, s shore)) {
	t.Run("distribution", func(t *testing.T) {
		t.Parallel()
		test(t, newShore(t, registry.Remote{Address: start(t)}))
	})
	t.Run("inside", func(t *testing.T) {
		t.Parallel()
		own := open(t, registry.Config{Dir: t.TempDir()})
		web := httptest.NewServer(own)
		s := newShore(t, registry.Remote{Address: strings.TrimPrefix(web.URL, "http://"), Inside: own.Inside()})
		web.Close() // there is no network from here on
		t.Cleanup(func() { _ = own.Close() })
		test(t, s)
	})
	t.Run("with the referrers API", func(t *testing.T) {
		t.Parallel()
		web := httptest.NewServer(inmemory.New(inmemory.WithReferrersSupport(true)))
		t.Cleanup(web.Close)
		test(t, newShore(t, registry.Remote{Address: strings.TrimPrefix(web.URL, "http://")}))
	})
}

func (s shore) attach(t *testing.T, a registry.Referrer) batuta.Digest {
	t.Helper()
	digest, err := s.Attach(t.Context(), s.image, a)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// found is the contents of what is found, in no order.
func (s shore) found(t *testing.T, release int) map[string]bool {
	t.Helper()
	all, err := s.Referrers(t.Context(), s.image, signature, map[string]string{"release": fmt.Sprint(release)})
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]bool{}
	for _, a := range all {
		if a.Artifact != signature || a.Media != "text/plain" || a.Notes["by"] != "ana" || texts[string(a.Content)] {
			t.Errorf("found %+v", a)
		}
		texts[string(a.Content)] = true
	}
	return texts
}

func TestWhatIsAttachedIsFound(t *testing.T) {
	t.Parallel()
	onEachShore(t, func(t *testing.T, s shore) {
		if got := s.found(t, 1); len(got) != 0 {
			t.Errorf("nothing was attached, and %v found", got)
		}
		first := s.attach(t, note(1, "first"))
		if again := s.attach(t, note(1, "first")); again != first {
			t.Errorf("attached twice, it is %s and %s", first, again)
		}
		s.attach(t, note(2, "second"))
		other := note(1, "of another kind")
		other.Artifact = "application/vnd.example.other"
		s.attach(t, other)
		for release, want := range map[int]string{1: "map[first:true]", 2: "map[second:true]", 3: "map[first:true second:true]"} {
			if got := fmt.Sprint(s.found(t, release)); got != want {
				t.Errorf("of release %d it finds %s, want %s", release, got, want)
			}
		}
		if has, err := s.Has(t.Context(), s.image); err != nil || !has {
			t.Errorf("the image is not as it was: %v (%v)", has, err)
		}
	})
}

func TestWhatIsDeletedIsNotFoundAndIsNoHindrance(t *testing.T) {
	t.Parallel()
	own := start(t)
	s := newShore(t, registry.Remote{Address: own})
	first := s.attach(t, note(1, "first"))
	s.attach(t, note(1, "second"))
	if err := remote.Delete(s.ref.Context().Digest(string(first)), auth(pushToken)); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(s.found(t, 1)); got != "map[second:true]" {
		t.Errorf("it finds %s", got)
	}
	s.attach(t, note(1, "third"))
	if got := fmt.Sprint(s.found(t, 1)); got != "map[second:true third:true]" {
		t.Errorf("it finds %s", got)
	}
	s.attach(t, note(1, "first"))
	if got := len(s.found(t, 1)); got != 3 {
		t.Errorf("it finds %d", got)
	}
}

func TestNothingIsAttachedToWhatIsNotThere(t *testing.T) {
	t.Parallel()
	onEachShore(t, func(t *testing.T, s shore) {
		s.image.Digest = batuta.Digest("sha256:" + strings.Repeat("0", 64))
		if _, err := s.Attach(t.Context(), s.image, note(1, "first")); !isKind(err, batuta.NotFound) {
			t.Errorf("%v", err)
		}
	})
}

func TestTooMuchIsNotRead(t *testing.T) {
	t.Parallel()
	s := newShore(t, registry.Remote{Address: start(t)})
	s.attach(t, note(1, strings.Repeat("long ", 1<<16)))
	if got := s.found(t, 1); len(got) != 0 {
		t.Errorf("it reads %d", len(got))
	}
}

func TestReferrersNeedARight(t *testing.T) {
	t.Parallel()
	s := newShore(t, registry.Remote{Address: start(t)})
	s.Password = pullToken
	if _, err := s.Attach(t.Context(), s.image, note(1, "first")); !isKind(err, batuta.Denied) {
		t.Errorf("who may only pull attaches: %v", err)
	}
	s.Password = siteToken
	if _, err := s.Referrers(t.Context(), s.image, signature, nil); !isKind(err, batuta.Denied) {
		t.Errorf("who may not pull looks: %v", err)
	}
	if resp := askAs(t, pullToken, http.MethodGet, "http://"+s.Address+"/v2/portal/web/manifests/"+s.ref.DigestStr()); resp.StatusCode != http.StatusOK {
		t.Errorf("who may pull does not: %s", resp.Status)
	}
}
