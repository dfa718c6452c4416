package main

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"batuta"
	"batuta/internal/signing"
	"batuta/pipeline"
)

// seals is a signer with a real key, whose registry is in memory.
type seals struct {
	key *signing.Key

	mu    sync.Mutex
	kept  map[batuta.Image]pipeline.Signature
	fails []error     // of the next signatures
	away  batuta.Kind // why there is no answer; empty: there is one
}

func newSeals(t *testing.T) *seals {
	t.Helper()
	key, err := signing.Open(filepath.Join(t.TempDir(), "key"), func() (signing.Older, error) { return nil, nil })
	if err != nil {
		t.Fatal(err)
	}
	return &seals{key: key, kept: map[batuta.Image]pipeline.Signature{}}
}

// Sign keeps a signature.
func (s *seals) Sign(_ context.Context, r batuta.Release, image batuta.ImageName) (pipeline.Signature, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.fails) > 0 {
		err := s.fails[0]
		s.fails = s.fails[1:]
		return pipeline.Signature{}, err
	}
	signed, err := s.key.Sign(r, image)
	s.kept[r.Images[image]] = pipeline.Signature{Payload: string(signed.Payload), Base64: signed.Base64}
	return s.kept[r.Images[image]], err
}

// Verify looks for it.
func (s *seals) Verify(_ context.Context, r batuta.Release, image batuta.ImageName) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away != "" {
		return false, &batuta.Error{Kind: s.away, Message: "no registry"}
	}
	return true, s.Vouches(r, image, s.kept[r.Images[image]])
}

// Vouches is the key's verdict.
func (s *seals) Vouches(r batuta.Release, image batuta.ImageName, of pipeline.Signature) error {
	return s.key.Verify(r, image, []signing.Signature{{Payload: []byte(of.Payload), Base64: of.Base64}})
}

// set changes the world of the signer.
func (s *seals) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// What brings back what a live release wants verifies it as what deploys it
// anew: a drain, a repair, an order.
func TestEveryDeploymentVerifies(t *testing.T) {
	t.Parallel()
	w, signer := newWorld(t), newSeals(t)
	w.signer = signer
	w.edit("environments/qa.yml", "services:", "drift: repair\nservices:")
	s := w.start(t)
	s.inProduction(t)
	before := w.running("production")
	signer.set(func() { clear(signer.kept) })

	d, err := s.Drain(t.Context(), "b", "ben", "new disk")
	if err != nil || len(d.Runs) != 1 {
		t.Fatalf("the drain is %+v (%v)", d, err)
	}
	s.fails(t, d.Runs[0], "signature")
	s.fails(t, s.order(t, pipeline.Order{Kind: batuta.RunDeploy, Environment: "production"}), "signature")
	if after := w.running("production"); strings.Join(after, " ") != strings.Join(before, " ") {
		t.Errorf("production ran %q, runs %q", before, after)
	}

	container := w.instance(t, "a", "web-1")
	if err := w.ships["a"].Remove(t.Context(), container.ID); err != nil {
		t.Fatal(err)
	}
	drift := s.looks(t, "qa")
	s.fails(t, drift.Run, "signature")
	if c := w.running("qa"); len(c) != 0 {
		t.Errorf("qa runs %q", c)
	}
	deployments, err := s.store.Deployments(t.Context(), testApp, "", 50)
	if err != nil || len(deployments) != 2 {
		t.Errorf("what was refused began as a deployment: %+v (%v)", deployments, err)
	}
}

// A release without images of its own is vouched for by what its run kept.
func TestAReleaseWithoutImagesIsSignedToo(t *testing.T) {
	t.Parallel()
	w, signer := newWorld(t), newSeals(t)
	w.signer = signer
	w.files["batuta.yml"] = "app: shop\npromote: [qa, production]\n"
	for _, env := range []string{"qa", "production"} {
		w.edit("environments/"+env+".yml", "build: web", "image: hub.example.edu/node:20")
	}
	s := w.start(t)
	signer.set(func() { signer.away = batuta.NotFound }) // no registry has what is no image
	id := s.push(t, "one")
	s.succeeds(t, id)
	s.succeeds(t, s.order(t, pipeline.Order{Kind: batuta.RunPromotion, Environment: "production"}))

	signer.set(func() { signer.key = newSeals(t).key })
	s.fails(t, s.order(t, pipeline.Order{Kind: batuta.RunDeploy, Environment: "qa"}), "signature")
}

// A registry that does not answer keeps nobody from what was verified to be
// signed; one that answers without the signature does.
func TestKeptSignatureStandsInForTheRegistry(t *testing.T) {
	t.Parallel()
	w, signer := newWorld(t), newSeals(t)
	w.signer = signer
	signer.fails = []error{&batuta.Error{Kind: batuta.Unavailable, Message: "no registry"}}
	s := w.start(t)
	pushed := s.succeeds(t, s.push(t, "one")) // tried again
	for _, why := range []batuta.Kind{batuta.Unavailable, batuta.NotFound} {
		signer.set(func() { signer.away = why })
		promoted := s.order(t, pipeline.Order{Kind: batuta.RunPromotion, Environment: "production"})
		s.succeeds(t, promoted)
		if said := s.log(t, promoted); !strings.Contains(said, "no registry") || !strings.Contains(said, "is verified by the signature that run 1 kept") {
			t.Errorf("the run says %s", said)
		}
	}
	signer.set(func() { signer.away = batuta.Denied })
	s.fails(t, s.order(t, pipeline.Order{Kind: batuta.RunDeploy, Environment: "production"}), "no registry")
	if i := len(pushed.Steps) - 2; pushed.Steps[i].Name != "sign" || pushed.Steps[i].Attempt != 2 {
		t.Errorf("the steps are %+v", pushed.Steps)
	}
}

// A release that was made while its registry refused the signature is none
// that runs.
func TestWhatCannotBeSignedIsNotDeployed(t *testing.T) {
	t.Parallel()
	w, signer := newWorld(t), newSeals(t)
	w.signer = signer
	signer.fails = []error{errors.New("it is read-only")}
	s := w.start(t)
	run := s.fails(t, s.push(t, "one"), "it is read-only")
	if c := w.running("qa"); len(c) != 0 {
		t.Errorf("qa runs %q", c)
	}
	again, err := s.Rerun(t.Context(), run.ID, "sign", "ana")
	if err != nil {
		t.Fatal(err)
	}
	if made := s.succeeds(t, again); made.Release != 1 {
		t.Errorf("the run deployed release %d", made.Release)
	}
	want(t, w.running("qa"), "web-1@a=one")
}
