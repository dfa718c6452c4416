package pipeline

import (
	"context"
	"maps"
	"slices"
	"time"

	"batuta"
)

// Rehearse builds and tests what Source gives, with the steps of a push and
// their log, as run 1. Nothing is saved, released or deployed: Config.Store is
// not used. The revision is what the images are tagged with.
func Rehearse(ctx context.Context, c Config, app App, rev batuta.Revision, r Recipe) error {
	c.Store = forgetful{}
	j := &journey{
		Pipeline: New(c), app: app, retries: c.Retries,
		run: batuta.Run{ID: 1, App: app.Name, Started: time.Now(), Push: batuta.Push{App: app.Name, Revision: rev}},
	}
	if _, err := step(ctx, j, "source", repeatable, j.source); err != nil {
		return err
	}
	images, err := j.images(ctx, r)
	if err != nil {
		return err
	}
	return j.tests(ctx, r, images)
}

// forgetful takes the steps of a rehearsal, and is asked for nothing else.
type forgetful struct{ Store }

// SaveStep keeps nothing.
func (forgetful) SaveStep(context.Context, Lease, batuta.Step) error { return nil }

// SaveBuild keeps nothing.
func (forgetful) SaveBuild(context.Context, Lease, Build) error { return nil }

// Secrets names the secrets that building and testing ask for, sorted.
func (r Recipe) Secrets() []string {
	var all []string
	for _, image := range r.Images {
		all = append(append(all, image.Secrets...), image.SSH...)
	}
	inEnv := func(env map[string]string) {
		for _, value := range env {
			for _, found := range secretForm.FindAllStringSubmatch(value, -1) {
				all = append(all, found[1])
			}
		}
	}
	for _, t := range r.Tests {
		inEnv(t.Env)
		for s := range maps.Values(t.Services) {
			inEnv(s.Env)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
