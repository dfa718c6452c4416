package registry_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"batuta"
	"batuta/internal/registry"
)

func TestPin(t *testing.T) {
	t.Parallel()
	host := start(t)
	repo := repository(t, host, "library/postgres")
	ref := push(t, repo, randomImage(t, 10))
	desc, err := remote.Get(ref, auth(pullToken))
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Tag(repo.Tag("17"), desc, auth(pushToken)); err != nil {
		t.Fatal(err)
	}
	pinned := batuta.Image{Repository: repo.Name(), Digest: batuta.Digest(ref.DigestStr())}
	elsewhere := batuta.Image{Repository: "registry.example.edu/web", Digest: batuta.Digest("sha256:" + strings.Repeat("0", 64))}
	other := registry.Remote{Address: "registry.example.edu", Password: pullToken}
	known := registry.Pinner{other, {Address: host, User: "anyone", Password: pullToken, Insecure: true}}
	for _, test := range []struct {
		pinner    registry.Pinner
		reference string
		want      batuta.Image
		kind      error
	}{
		{known, repo.Tag("17").Name(), pinned, nil},
		{known, pinned.String(), pinned, nil},
		{known, repo.Name() + ":17@" + ref.DigestStr(), pinned, nil},
		{nil, elsewhere.String(), elsewhere, nil},
		{known, repo.Tag("18").Name(), batuta.Image{}, batuta.NotFound},
		{known, "Not A Name", batuta.Image{}, batuta.Invalid},
		{registry.Pinner{other}, repo.Tag("17").Name(), batuta.Image{}, batuta.Denied},
		{nil, repo.Tag("17").Name(), batuta.Image{}, batuta.Denied},
		{nil, "127.0.0.1:1/web:v1", batuta.Image{}, batuta.Unavailable},
	} {
		got, err := test.pinner.Pin(t.Context(), test.reference)
		if got != test.want || (err == nil) != (test.kind == nil) || test.kind != nil && !errors.Is(err, test.kind) {
			t.Errorf("Pin(%q) = %s, %v, want %s, %v", test.reference, got, err, test.want, test.kind)
		}
	}
}
