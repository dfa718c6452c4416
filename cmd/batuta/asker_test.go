package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"batuta"
	"batuta/internal/lab"
	"batuta/internal/registry"
)

// outsideRegistry serves one with the password of its Remote, until the test
// ends or away is called.
func outsideRegistry(t *testing.T) (at registry.Remote, away func()) {
	t.Helper()
	at = registry.Remote{User: "batuta", Password: "outside-password", Insecure: true}
	images, err := registry.New(t.Context(), registry.Config{
		Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler),
		Authorize: func(_ context.Context, user, password string, _ registry.Access) registry.Decision {
			return granted(user == at.User && password == at.Password)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", lab.Machine+":0")
	if err != nil {
		t.Fatal(err)
	}
	at.Address = listener.Addr().String()
	web := &http.Server{Handler: images}
	served := make(chan error, 1)
	go func() { served <- web.Serve(listener) }()
	away = sync.OnceFunc(func() { _ = web.Close(); <-served })
	t.Cleanup(func() {
		away()
		if err := images.Close(); err != nil {
			t.Error(err)
		}
	})
	return at, away
}

// tagOf is where a registry without the referrers API lists what refers to an
// image.
func tagOf(digest batuta.Digest) string { return strings.Replace(string(digest), ":", "-", 1) }

// signaturesOf lists the manifests of an image's signatures.
func signaturesOf(t *testing.T, at registry.Remote, image batuta.Image) []batuta.Digest {
	t.Helper()
	var list struct {
		Manifests []struct {
			ArtifactType string
			Digest       batuta.Digest
		}
	}
	asker(at).read(t, image.Repository, "manifests/"+tagOf(image.Digest), &list)
	var all []batuta.Digest
	for _, m := range list.Manifests {
		if m.ArtifactType != "application/vnd.dev.cosign.artifact.sig.v1+json" {
			t.Errorf("%s has a %s", image, m.ArtifactType)
		}
		all = append(all, m.Digest)
	}
	return all
}

// asker speaks the protocol of a registry.
type asker registry.Remote

// ask sends a request that has to succeed, and gives the answer's body.
func (a asker) ask(t *testing.T, method, repository, place, body string) []byte {
	t.Helper()
	status, answer := a.send(t, method, repository, place, body)
	if status >= 300 {
		t.Fatalf("%s %s of %s: %d %s", method, place, repository, status, answer)
	}
	return answer
}

func (a asker) read(t *testing.T, repository, place string, into any) {
	t.Helper()
	if err := json.Unmarshal(a.ask(t, http.MethodGet, repository, place, ""), into); err != nil {
		t.Fatal(err)
	}
}

func (a asker) send(t *testing.T, method, repository, place, body string) (int, []byte) {
	t.Helper()
	host, path, _ := strings.Cut(repository, "/")
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+host+"/v2/"+path+"/"+place, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth(a.User, a.Password)
	request.Header.Set("Content-Type", "application/vnd.oci.image.index.v1+json")
	request.Header["Accept"] = []string{"application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json"}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, answer
}
