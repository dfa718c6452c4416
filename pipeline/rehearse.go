package pipeline

import (
	"context"
	"maps"
	"slices"
	"time"

	"batuta"
)

// Rehearse builds and tests what Source gives, with the steps of a push and
// their log, as run 1 of a store that is empty. Nothing is released or
// deployed. The revision is what the images are tagged with.
func Rehearse(ctx context.Context, c Config, app App, rev batuta.Revision, r Recipe) error {
	push := batuta.Push{App: app.Name, Forge: ByHand, Delivery: "rehearsal", Revision: rev, Received: time.Now()}
	if _, err := c.Store.Accept(ctx, push); err != nil {
		return err
	}
	run, lease, err := c.Store.Claim(ctx)
	if err != nil {
		return err
	}
	j := &journey{Pipeline: New(c), app: app, run: run, lease: lease, retries: c.Retries}
	if _, err := step(ctx, j, "source", repeatable, j.source); err != nil {
		return err
	}
	images, err := j.images(ctx, r)
	if err != nil {
		return err
	}
	return j.tests(ctx, r, images)
}

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
