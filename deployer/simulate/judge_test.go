package simulate

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/shiptest"
)

// The ships that lie: each says that it has done something, and has not, or
// does more than it was told.
type (
	unlocked   struct{ *shiptest.Fake } // everybody has the lease
	locked     struct{ *shiptest.Fake } // nobody lets go of it
	forgetful  struct{ *shiptest.Fake } // no note stands
	reminding  struct{ *shiptest.Fake } // every note stands for ever
	cluttered  struct{ *shiptest.Fake } // nothing is removed
	sluggish   struct{ *shiptest.Fake } // what stood still does not start
	optimistic struct{ *shiptest.Fake } // everything is ready
	greedy     struct{ *shiptest.Fake } // what others call the same goes, too
)

func (s unlocked) Lock(context.Context, deployer.Scope, string, time.Duration) (string, error) {
	return "", nil
}

func (s locked) Unlock(context.Context, deployer.Scope, string) error { return nil }

func (s forgetful) Begin(_ context.Context, _ deployer.Scope, n deployer.Note) (deployer.Note, error) {
	return n, nil
}

func (s reminding) End(context.Context, deployer.Scope) error { return nil }

func (s cluttered) Remove(context.Context, string) error { return nil }

func (s sluggish) Start(ctx context.Context, id string) error {
	if slices.ContainsFunc(s.All(), func(c deployer.Container) bool { return c.ID == id && c.State == "exited" }) {
		return nil
	}
	return s.Fake.Start(ctx, id)
}

func (s sluggish) Wait(ctx context.Context, _ string) (deployer.Exit, error) {
	<-ctx.Done()
	return deployer.Exit{}, ctx.Err()
}

func (s sluggish) Probe(context.Context, string, deployer.Check) error { return nil }

func (s optimistic) Wait(ctx context.Context, id string) (deployer.Exit, error) {
	return sluggish(s).Wait(ctx, id)
}

func (s optimistic) Probe(context.Context, string, deployer.Check) error { return nil }

func (s greedy) Create(ctx context.Context, scope deployer.Scope, r batuta.ReleaseNumber, i deployer.Instance) (string, error) {
	for _, c := range s.All() {
		if c.Instance == i.Name && c.Scope != scope {
			_ = s.Remove(ctx, c.ID)
		}
	}
	return s.Fake.Create(ctx, scope, r, i)
}

func lying[S deployer.Ship](as func(*shiptest.Fake) S) deceit {
	return deceit{ship: func(f *shiptest.Fake) deployer.Ship { return as(f) }}
}

// told is a deployer that takes what all services declare for something else.
func told(change func(*deployer.Service)) deceit {
	return deceit{told: func(want *deployer.Spec) {
		want.Services = maps.Clone(want.Services)
		for name, s := range want.Services {
			change(&s)
			want.Services[name] = s
		}
	}}
}

// TestTheJudgeNoticesEveryBrokenPromise has the deployer break one promise at a
// time, and wants it to be told so. From is the first seed that is tried.
func TestTheJudgeNoticesEveryBrokenPromise(t *testing.T) {
	t.Parallel()
	none := deployer.Amount{}
	for name, c := range map[string]struct {
		deceit
		verdict string
		from    uint64
	}{
		"two change the environment at once":     {lying(func(f *shiptest.Fake) unlocked { return unlocked{f} }), "changes the same", 1},
		"the lease is never let go of":           {lying(func(f *shiptest.Fake) locked { return locked{f} }), "is locked by", 1},
		"what a killed one stopped is forgotten": {lying(func(f *shiptest.Fake) forgetful { return forgetful{f} }), "back as it was before", 1},
		"what was left behind is revived":        {lying(func(f *shiptest.Fake) reminding { return reminding{f} }), "stood still before", 1},
		"what was replaced is left":              {lying(func(f *shiptest.Fake) cluttered { return cluttered{f} }), "is left", 1},
		"what ran before does not come back":     {lying(func(f *shiptest.Fake) sluggish { return sluggish{f} }), "does not now", 1},
		"nobody waits until it is ready":         {lying(func(f *shiptest.Fake) optimistic { return optimistic{f} }), "serve", 1},
		"a foreign container of the same name":   {lying(func(f *shiptest.Fake) greedy { return greedy{f} }), "none of ours", 1},
		"dependencies are not waited for":        {deceit{told: func(s *deployer.Spec) { s.Waves = [][]batuta.ServiceName{slices.Concat(s.Waves...)} }}, "which it requires, is not ready", 1},
		"the images to go back to are pruned":    {deceit{told: func(s *deployer.Spec) { s.Keep = nil }}, "still needed", 1},
		"the old stop before the new are ready":  {told(func(s *deployer.Service) { s.Update.StopFirst = true }), "nothing else serves", 1},
		"more are replaced at once":              {told(func(s *deployer.Service) { s.Update.AtOnce = none }), "may be replaced at once", 1},
		"the canary is not watched":              {told(func(s *deployer.Service) { s.Update.Canary = none }), "after the canary", 1},
		"there is no pause between batches":      {told(func(s *deployer.Service) { s.Update.Wait = 0 }), "are to pass", 1},
		"it is live unwatched":                   {told(func(s *deployer.Service) { s.Update.Watch = 0 }), "is to be watched", 1},
		"one failure too many is tolerated":      {told(func(s *deployer.Service) { s.Update.Tolerate = deployer.Amount{Percent: 100} }), "of a failed", 1},
		"no failure is tolerated":                {told(func(s *deployer.Service) { s.Update.Tolerate = none }), "though all is well", 1},
		"it is left as it failed":                {told(func(s *deployer.Service) { s.Update.Pause = true }), "which no policy says", 1},
		"hooks do not run":                       {told(func(s *deployer.Service) { s.Hooks.After = nil }), "never ran", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := c.from; seed < c.from+1000; seed++ {
				var r Record
				synctest.Test(t, func(t *testing.T) { r = Make(seed).play(t.Context(), c.deceit) })
				if slices.ContainsFunc(r.Wrong, func(w string) bool { return strings.Contains(w, c.verdict) }) {
					t.Logf("seed %d", seed)
					return
				}
			}
			t.Error("nobody noticed")
		})
	}
}
