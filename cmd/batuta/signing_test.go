package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"batuta"
	"batuta/internal/api"
	"batuta/internal/lab"
	"batuta/internal/registry"
	"batuta/internal/signing"
	"batuta/pipeline"
)

// TestWhatIsDeployedIsSigned has a server sign what it releases, and tries to
// deploy what is not as it was signed: nothing of the environment may change.
func TestWhatIsDeployedIsSigned(t *testing.T) {
	t.Parallel()
	const app = batuta.AppName("hello-signed")
	s := newSite(t, lab.BuildKit(t), lab.Ships(t, 2), app, "")
	forger := &forger{}
	s.wrap = func(kept pipeline.Store) pipeline.Store { forger.Store = kept; return forger }
	running := s.serve(t)
	own := running.imageRegistry(running.robots.sign)
	w := s.newWorkingCopy(t, "static", app)
	s.succeeds(t, s.pushed(t, app, w).ID)
	s.succeeds(t, s.ordered(t, app, promotion()))
	first := s.newest(t, app)
	s.isSigned(t, own, first)
	w.edit("public/index.html", "</html>", "<!-- second --></html>")
	s.succeeds(t, s.pushed(t, app, w).ID)
	second := s.newest(t, app)
	s.succeeds(t, s.ordered(t, app, promotion()))
	s.succeeds(t, s.ordered(t, app, api.Order{Kind: batuta.RunRollback}))
	before, _ := s.environment(t, app, "production")

	refused := func(o api.Order, image batuta.Image, why string) {
		t.Helper()
		s.refuses(t, app, before, o, image, why)
	}
	image := second.Images["web"]
	forger.forge(func(r *batuta.Release) {
		r.Documents = maps.Clone(r.Documents)
		r.Documents["production"] = strings.Replace(r.Documents["production"], "count: 2", "count: 1", 1)
	})
	refused(promotion(), image, "other documents")
	forger.forge(func(r *batuta.Release) { r.Images = first.Images })
	refused(api.Order{Kind: batuta.RunRollback, Release: second.Number}, first.Images["web"], "another release")
	forger.forge(nil)

	signature := signaturesOf(t, own, image)[0]
	s.keepsSignatures(t, running, image)
	asker(own).ask(t, http.MethodDelete, image.Repository, "manifests/"+string(signature), "")
	refused(promotion(), image, "no signature")
	s.attachForged(t, own, second)
	refused(promotion(), image, "not of this server's key")

	again, err := s.client.Start(t.Context(), app, "main", "") // the same image
	if err != nil {
		t.Fatal(err)
	}
	s.succeeds(t, again.ID)
	third := s.newest(t, app)
	if third.Number == second.Number || third.Images["web"] != image {
		t.Errorf("the same revision is %s in release %d, was %s in release %d", third.Images["web"], third.Number, image, second.Number)
	}
	s.isSigned(t, own, third)
	s.succeeds(t, s.ordered(t, app, promotion()))
}

// refuses gives an order for production, and wants it to fail because of an
// image and production to stay as it was before.
func (s *site) refuses(t *testing.T, app batuta.AppName, before []batuta.ContainerState, o api.Order, image batuta.Image, why string) {
	t.Helper()
	run := s.ended(t, s.ordered(t, app, o))
	if run.Status != batuta.RunFailed || !strings.Contains(run.Error, why) || !strings.Contains(run.Error, image.String()) {
		t.Errorf("the %s %s: %q, want %q of %s", o.Kind, run.Status, run.Error, why, image)
	}
	after, _ := s.environment(t, app, "production")
	if !slices.EqualFunc(before, after, func(a, b batuta.ContainerState) bool { return a.ID == b.ID && a.Started.Equal(b.Started) }) {
		t.Errorf("production was %+v, is %+v", before, after)
	}
}

// keepsSignatures wants the registry to let no person delete an image's
// signature, nor the list of them.
func (s *site) keepsSignatures(t *testing.T, running *server, image batuta.Image) {
	t.Helper()
	person := asker(running.imageRegistry(s.token))
	list := person.ask(t, http.MethodGet, image.Repository, "manifests/"+tagOf(image.Digest), "")
	digests := append(signaturesOf(t, registry.Remote(person), image), batuta.Digest(fmt.Sprintf("sha256:%x", sha256.Sum256(list))))
	for _, digest := range digests {
		if status, body := person.send(t, http.MethodDelete, image.Repository, "manifests/"+string(digest), ""); status != http.StatusForbidden {
			t.Errorf("a person deletes %s: %d %s", digest, status, body)
		}
		if status, body := person.send(t, http.MethodDelete, image.Repository, "blobs/"+string(digest), ""); status != http.StatusForbidden {
			t.Errorf("a person deletes the blob %s: %d %s", digest, status, body)
		}
	}
}

// TestOnlyTheServerSigns tries to write the list of an image's signatures with
// the tokens of a person, a build and a ship.
func TestOnlyTheServerSigns(t *testing.T) {
	t.Parallel()
	const app = batuta.AppName("hello-signer")
	s := newSite(t, lab.BuildKit(t), lab.Ships(t, 2), app, "")
	running := s.serve(t)
	place := "manifests/sha256-" + strings.Repeat("0", 64)
	for who, token := range map[string]string{"a person": s.token, "a build": running.robots.build(app), "a ship": running.robots.ship, "nobody": "no-token"} {
		for _, method := range []string{http.MethodPut, http.MethodDelete} {
			r := running.imageRegistry(token)
			if status, body := asker(r).send(t, method, s.address+"/"+string(app)+"/web", place, "{}"); status != http.StatusForbidden {
				t.Errorf("%s may %s the list of signatures: %d %s", who, method, status, body)
			}
		}
	}
	if status, _ := asker(running.imageRegistry(running.robots.ship)).send(t, http.MethodGet, s.address+"/"+string(app)+"/web", place, ""); status != http.StatusNotFound {
		t.Errorf("a ship reads a list that is not there: %d", status)
	}
}

// TestSignedInARegistryOutside is the same of a registry that somebody else
// runs, with a password.
func TestSignedInARegistryOutside(t *testing.T) {
	t.Parallel()
	const app = batuta.AppName("hello-outside")
	ships := lab.Ships(t, 2) // in whose network the registry is
	at, away := outsideRegistry(t)
	s := newSite(t, lab.BuildKit(t), ships, app, fmt.Sprintf("registry: {outside: {address: %q, prefix: team, user: batuta, password: %s, insecure: true}}\n", at.Address, at.Password))
	s.serve(t)
	w := s.newWorkingCopy(t, "static", app)
	s.succeeds(t, s.pushed(t, app, w).ID)
	release := s.newest(t, app)
	s.isSigned(t, at, release)
	s.succeeds(t, s.ordered(t, app, promotion()))
	asker(at).ask(t, http.MethodDelete, release.Images["web"].Repository, "manifests/"+tagOf(release.Images["web"].Digest), "")
	if run := s.ended(t, s.ordered(t, app, api.Order{Kind: batuta.RunDeploy})); run.Status != batuta.RunFailed || !strings.Contains(run.Error, "no signature") {
		t.Errorf("without a signature the deployment %s: %s", run.Status, run.Error)
	}

	again, err := s.client.Start(t.Context(), app, "main", "")
	if err != nil {
		t.Fatal(err)
	}
	s.succeeds(t, again.ID)
	s.succeeds(t, s.ordered(t, app, promotion()))
	away() // what is on the ships can be brought back nevertheless
	lost, _ := s.environment(t, app, "production")
	onShip(t.Context(), t, s.ships[1], "container", "rm", "--force", lost[0].ID)
	mended := s.ordered(t, app, api.Order{Kind: batuta.RunDeploy})
	s.succeeds(t, mended)
	if said := s.log(t, mended); !strings.Contains(said, fmt.Sprintf("is verified by the signature that run %d kept", again.ID)) {
		t.Errorf("the run says %s", said)
	}
}

// TestReleasesOfBeforeTheKey takes a server's key away, as if it had signed
// nothing yet.
func TestReleasesOfBeforeTheKey(t *testing.T) {
	t.Parallel()
	const app = batuta.AppName("hello-unsigned")
	s := newSite(t, lab.BuildKit(t), lab.Ships(t, 2), app, "")
	old := s.start(t, "")
	w := s.newWorkingCopy(t, "static", app)
	s.succeeds(t, s.pushed(t, app, w).ID)
	old.kill(t)
	key := filepath.Join(s.dir, "data", signingKey)
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	s.start(t, "")
	promoted := s.ordered(t, app, promotion())
	s.succeeds(t, promoted)
	if said := s.log(t, promoted); !strings.Contains(said, "release 1 is older than the server's signing key") {
		t.Errorf("the run says %s", said)
	}
	if text, err := os.ReadFile(key); err != nil || !strings.Contains(string(text), "\n"+string(app)+" 1\n") {
		t.Errorf("the key says nothing of release 1 (%v)", err)
	}
}

// forger changes what is kept of releases, but for the first, once it has how.
type forger struct {
	pipeline.Store
	how atomic.Pointer[func(*batuta.Release)]
}

func (f *forger) forge(how func(*batuta.Release)) {
	if how == nil {
		f.how.Store(nil)
		return
	}
	f.how.Store(&how)
}

// Release gives what is kept, or what was made of it.
func (f *forger) Release(ctx context.Context, app batuta.AppName, n batuta.ReleaseNumber) (batuta.Release, error) {
	r, err := f.Store.Release(ctx, app, n)
	if how := f.how.Load(); how != nil && n > 1 {
		(*how)(&r)
	}
	return r, err
}

// ordered asks for a deployment to production.
func (s *site) ordered(t *testing.T, app batuta.AppName, o api.Order) batuta.RunID {
	t.Helper()
	run, err := s.client.Deploy(t.Context(), app, "production", o)
	if err != nil {
		t.Fatal(err)
	}
	return run.ID
}

// log is what a run printed.
func (s *site) log(t *testing.T, id batuta.RunID) string {
	t.Helper()
	var said bytes.Buffer
	if err := s.client.Log(t.Context(), id, "", false, &said); err != nil {
		t.Fatal(err)
	}
	return said.String()
}

func (s *site) newest(t *testing.T, app batuta.AppName) batuta.Release {
	t.Helper()
	releases, err := s.client.Releases(t.Context(), app, 1)
	if err != nil || len(releases) != 1 {
		t.Fatalf("releases: %+v (%v)", releases, err)
	}
	return releases[0]
}

// attachForged signs a release with a key that is not the server's.
func (s *site) attachForged(t *testing.T, at registry.Remote, r batuta.Release) {
	t.Helper()
	other, err := signing.Open(filepath.Join(t.TempDir(), "key"), func() (signing.Older, error) { return nil, nil })
	if err != nil {
		t.Fatal(err)
	}
	forged, err := other.Sign(r, "web")
	if err == nil {
		_, err = at.Attach(t.Context(), r.Images["web"], registry.Referrer{
			Artifact: signing.Artifact, Media: signing.Payload, Content: forged.Payload,
			Notes: map[string]string{signing.Annotation: forged.Base64}, Labels: labelsOf(r),
		})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// isSigned reads the signatures of a release's image as other programs do, and
// wants one of them to be of the key that the server shows to everybody, for
// this release.
func (s *site) isSigned(t *testing.T, at registry.Remote, r batuta.Release) {
	t.Helper()
	key, image := s.publicKey(t), r.Images["web"]
	for _, digest := range signaturesOf(t, at, image) {
		var manifest struct {
			Subject struct{ Digest batuta.Digest }
			Layers  []struct {
				MediaType   string
				Digest      string
				Annotations map[string]string
			}
		}
		asker(at).read(t, image.Repository, "manifests/"+string(digest), &manifest)
		if manifest.Subject.Digest != image.Digest || len(manifest.Layers) != 1 || manifest.Layers[0].MediaType != "application/vnd.dev.cosign.simplesigning.v1+json" {
			t.Fatalf("the signature of %s is %+v", image, manifest)
		}
		payload := asker(at).ask(t, http.MethodGet, image.Repository, "blobs/"+manifest.Layers[0].Digest, "")
		signature, err := base64.StdEncoding.DecodeString(manifest.Layers[0].Annotations["dev.cosignproject.cosign/signature"])
		if hash := sha256.Sum256(payload); err != nil || !ecdsa.VerifyASN1(key, hash[:], signature) {
			continue
		}
		var said struct {
			Critical struct {
				Image map[string]batuta.Digest
				Type  string
			}
			Optional map[string]any
		}
		if err := json.Unmarshal(payload, &said); err != nil {
			t.Fatal(err)
		}
		if said.Optional["release"] == float64(r.Number) {
			if said.Critical.Image["docker-manifest-digest"] != image.Digest || said.Critical.Type != "cosign container image signature" || said.Optional["app"] != string(r.App) || said.Optional["revision"] != string(r.Revision) {
				t.Errorf("what is signed is %s", payload)
			}
			return
		}
	}
	t.Errorf("release %d has no signature of the server's key", r.Number)
}

// publicKey is what the API tells whoever asks, as the command prints it.
func (s *site) publicKey(t *testing.T) *ecdsa.PublicKey {
	t.Helper()
	text, err := get(t.Context(), s.url+"/api/v1/key")
	if err != nil {
		t.Fatal(err)
	}
	if printed, err := s.client.Key(t.Context()); err != nil || printed != text {
		t.Errorf("the command prints %q (%v), the API %q", printed, err, text)
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatalf("the key is %q", text)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*ecdsa.PublicKey)
}
