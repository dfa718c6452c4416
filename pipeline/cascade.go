package pipeline

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"batuta"
)

// basesTick is how often it is looked whether the bases are due, at most.
const basesTick = time.Second

// fixed tells whether the reference means the same for ever: it names its
// image by digest, which a builder then gives without a tag, or by the revision
// that it is pushed as.
func (f Footing) fixed() bool {
	_, tag, tagged := strings.Cut(path.Base(f.Reference), ":")
	return !f.Newest && (f.Digest != "" && !tagged || batuta.CheckRevision(tag) == nil)
}

// cascade starts a run of every other app whose newest release is built from
// an image that this release has anew, and of this one if its own base was
// released meanwhile. A dependant of theirs waits for its own
// base. It is called again if the run is interrupted, and then starts nothing
// twice.
func (j *journey) cascade(ctx context.Context, r batuta.Release) error {
	all, err := j.foundations(ctx)
	if err != nil {
		return err
	}
	for _, f := range all {
		for _, base := range f.Bases {
			made := slices.IndexFunc(all, func(of Foundation) bool { return of.Made.Repository == repositoryOf(base.Reference) })
			if made < 0 || all[made].App == f.App || base.fixed() || base.Digest == all[made].Made.Digest {
				continue
			}
			fresh := all[made].App == r.App && all[made].Release == r.Number
			overtaken := f.App == r.App && f.Release == r.Number && base.Newest // its base was released while it was built
			if !fresh && !overtaken {
				continue
			}
			if reaches(all, all[made].App, f.App) {
				j.Log.Warn("apps that are built from each other are not rebuilt for each other", "app", f.App, "base", all[made].App)
				continue
			}
			if err := j.rebuild(ctx, f, base, all[made].Made.Digest, fmt.Sprintf("base of run %d", j.run.ID)); err != nil {
				return err
			}
		}
	}
	return nil
}

// reaches tells whether an app is built from another's images, by whatever
// way.
func reaches(all []Foundation, from, to batuta.AppName) bool {
	seen, ahead := map[batuta.AppName]bool{}, []batuta.AppName{from}
	for len(ahead) > 0 {
		app := ahead[0]
		ahead = ahead[1:]
		if seen[app] {
			continue
		}
		seen[app] = true
		for _, f := range all {
			for _, base := range f.Bases {
				if f.App == app && base.App == to {
					return true
				}
				if f.App == app && base.App != "" {
					ahead = append(ahead, base.App)
				}
			}
		}
	}
	return false
}

// rebuild takes in a push of the app's default branch, as it is when its run
// begins. The same base for the same release starts one run.
func (p *Pipeline) rebuild(ctx context.Context, f Foundation, base Footing, now batuta.Digest, by string) error {
	_, err := p.Deliver(ctx, batuta.Push{
		App: f.App, Forge: byBase, Delivery: fmt.Sprintf("%s of %s for release %d", now, base.Reference, f.Release), Sender: by,
		Message: fmt.Sprintf("%s is %s now", base.Reference, now.Short()), Received: time.Now(),
	})
	return err
}

// followBases asks from time to time what the tags of bases mean now.
func (p *Pipeline) followBases(ctx context.Context) {
	last := time.Now() // those who start a server often do not ask each time
	for ctx.Err() == nil && p.BasesEvery > 0 {
		if time.Since(last) >= p.BasesEvery {
			last = time.Now()
			if err := p.askBases(ctx); err != nil && ctx.Err() == nil {
				p.Log.Error("look at the base images", "err", err)
			}
		}
		pause(ctx, min(basesTick, p.BasesEvery))
	}
}

// askBases starts a run of every app that is built from an image whose tag
// means another by now, also of an app's image that somebody tagged; of
// releases their own runs tell. One that cannot be asked about does not keep
// the others back.
func (p *Pipeline) askBases(ctx context.Context) error {
	all, err := p.foundations(ctx)
	if err != nil {
		return err
	}
	for _, f := range all {
		for _, base := range f.Bases {
			if base.Digest == "" || base.fixed() || base.Newest || base.App != "" && reaches(all, base.App, f.App) {
				continue
			}
			now, err := p.Pinner.Pin(ctx, f.App, base.Reference)
			if err != nil {
				p.Log.Warn("ask what a base image is now", "app", f.App, "base", base.Reference, "err", p.Apps[f.App].redact(err.Error()))
				continue
			}
			if now.Digest == base.Digest {
				continue
			}
			if err := p.rebuild(ctx, f, base, now.Digest, byBase); err != nil {
				return err
			}
		}
	}
	return nil
}
