package registry_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"batuta"
	"batuta/internal/registry"
)

func isKind(err error, kind batuta.Kind) bool { return errors.Is(err, kind) }

func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	host := start(t)
	ref := push(t, repository(t, host, "portal/web"), randomImage(t, 1024))
	manifest := "/v2/portal/web/manifests/" + ref.DigestStr()
	blob := "/v2/portal/web/blobs/sha256:" + strings.Repeat("0", 64)
	const uploads, upload = "/v2/portal/web/blobs/uploads/", "/v2/portal/web/blobs/uploads/0a1b2c3d-0000-4000-8000-000000000000"
	for _, test := range []struct {
		method, path, token string
		want                int
	}{
		{"GET", "/v2/", "", 401},
		{"GET", "/v2/", "wrong", 401},
		{"GET", "/v2/", pullToken, 200},
		{"GET", "/v2/", siteToken, 200},
		{"GET", manifest, "", 401},
		{"GET", manifest, "wrong", 401},
		{"GET", manifest, pullToken, 200},
		{"HEAD", manifest, pullToken, 200},
		{"GET", manifest, siteToken, 403},
		{"GET", "/v2//portal/web/../web/manifests/" + ref.DigestStr(), "", 401},
		{"GET", "/v2/site/../portal/web/manifests/" + ref.DigestStr(), siteToken, 403},
		{"GET", "/v2/site/%2e%2e/portal/web/manifests/" + ref.DigestStr(), siteToken, 403},
		{"DELETE", manifest, pullToken, 403},
		{"PUT", manifest, pullToken, 403},
		{"GET", blob, pullToken, 404},
		{"DELETE", blob, pullToken, 403},
		{"GET", "/v2/portal/web/tags/list", pullToken, 404},
		{"GET", "/v2/portal/web/tags/list", siteToken, 403},
		{"POST", uploads, "", 401},
		{"POST", uploads, pullToken, 403},
		{"POST", uploads, siteToken, 403},
		{"POST", "/v2/site/blobs/uploads/", siteToken, 202},
		{"GET", upload, pullToken, 403},
		{"PATCH", upload, pullToken, 403},
		{"GET", "/v2/_catalog", pushToken, 405},
		{"GET", "/v2/portal/web/nothing", pushToken, 404},
	} {
		resp := askAs(t, test.token, test.method, "http://"+host+test.path)
		if resp.StatusCode != test.want {
			t.Errorf("%s %s with %q: %s, want %d", test.method, test.path, test.token, resp.Status, test.want)
		}
		if challenge := resp.Header.Get("WWW-Authenticate"); (resp.StatusCode == 401) != (challenge == `Basic realm="batuta"`) {
			t.Errorf("%s %s with %q: challenge %q", test.method, test.path, test.token, challenge)
		}
	}
}

// askAs makes one request with a token, or with none. It follows no redirect
// with another token than the one given.
func askAs(t *testing.T, token, method, address string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.SetBasicAuth("anyone", token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func TestARefusalIsARegistrysErrorDocument(t *testing.T) {
	t.Parallel()
	host := start(t)
	for token, want := range map[string]string{"wrong": "UNAUTHORIZED", siteToken: "DENIED"} {
		resp := askAs(t, token, "GET", "http://"+host+"/v2/portal/web/tags/list")
		body := read(t, resp.Body)
		if !strings.Contains(body, `"code":"`+want+`"`) || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %s %s", token, resp.Header.Get("Content-Type"), body)
		}
		if version := resp.Header.Get("Docker-Distribution-API-Version"); version != "registry/2.0" {
			t.Errorf("%s: version %q", token, version)
		}
	}
}

func TestAPullTokenDoesNotPush(t *testing.T) {
	t.Parallel()
	repo := repository(t, start(t), "portal/web")
	for _, token := range []string{pullToken, siteToken, "wrong"} {
		if err := remote.Write(repo.Tag("t"), randomImage(t, 10), auth(token)); err == nil {
			t.Errorf("%s pushed", token)
		}
	}
}

func TestABlobIsMountedOnlyFromWhatTheTokenMayRead(t *testing.T) {
	t.Parallel()
	host := start(t)
	img := randomImage(t, 1024)
	push(t, repository(t, host, "portal/web"), img)
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	sum, err := layers[0].Digest()
	if err != nil {
		t.Fatal(err)
	}
	mount := "http://" + host + "/v2/site/blobs/uploads/?mount=" + sum.String() + "&from=portal/web"
	for token, want := range map[string]int{siteToken: http.StatusAccepted, pushToken: http.StatusCreated} {
		if resp := askAs(t, token, "POST", mount); resp.StatusCode != want {
			t.Errorf("mount with %s: %s, want %d", token, resp.Status, want)
		}
	}
	host = start(t)
	push(t, repository(t, host, "portal/web"), img)
	form := strings.NewReader("from=portal/web&mount=" + sum.String())
	req, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+host+"/v2/site/blobs/uploads/", form)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("anyone", siteToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		t.Errorf("mount asked for in a form: %s", resp.Status)
	}
}

func TestRemoteKeepsItsCredentialsToItself(t *testing.T) {
	t.Parallel()
	host := start(t)
	ref := push(t, repository(t, host, "portal/web"), randomImage(t, 10))
	image := batuta.Image{Repository: host + "/portal/web", Digest: batuta.Digest(ref.DigestStr())}
	for _, r := range []registry.Remote{
		{Address: host, Password: "wrong", Insecure: true},
		{Address: "registry.example.edu", Password: pullToken, Insecure: true},
	} {
		if _, err := r.Has(t.Context(), image); !isKind(err, batuta.Denied) {
			t.Errorf("%s with %q: %v", r.Address, r.Password, err)
		}
	}
}

func TestRemoteThatDoesNotAnswerIsUnavailable(t *testing.T) {
	t.Parallel()
	silent := httptest.NewServer(http.NotFoundHandler())
	host := strings.TrimPrefix(silent.URL, "http://")
	silent.Close()
	image := batuta.Image{Repository: host + "/web", Digest: batuta.Digest("sha256:" + strings.Repeat("0", 64))}
	if _, err := (registry.Remote{Address: host, Insecure: true}).Has(t.Context(), image); !isKind(err, batuta.Unavailable) {
		t.Errorf("a registry that is gone: %v", err)
	}
}

func TestARegistryWithoutAnAuthorizerIsNotOpened(t *testing.T) {
	t.Parallel()
	if _, err := registry.New(context.Background(), registry.Config{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)}); err == nil {
		t.Error("it opened")
	}
}
