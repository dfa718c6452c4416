package pipeline

import (
	"cmp"
	"context"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"batuta"
)

// basesRest is how long the bases are let be at most.
const basesRest = time.Minute

// fixed tells whether the reference means the same for ever: it names its
// image by digest, which a builder then gives without a tag, or by the revision
// that it is pushed as.
func (f Footing) fixed() bool {
	_, tag, tagged := strings.Cut(path.Base(f.Reference), ":")
	return !f.Newest && (f.Digest != "" && !tagged || batuta.CheckRevision(tag) == nil)
}

// followBases has the apps follow what they are built from, until ctx ends.
func (p *Pipeline) followBases(ctx context.Context) {
	for ctx.Err() == nil {
		rest := basesRest
		if p.BasesEvery > 0 {
			rest = min(rest, p.BasesEvery)
		}
		if err := p.lookAtBases(ctx); err != nil && ctx.Err() == nil {
			p.Log.Error("look at the base images", "err", err)
			rest = lookAgain
		}
		wait := time.NewTimer(rest)
		select {
		case <-p.ground:
		case <-wait.C:
		case <-ctx.Done():
		}
		wait.Stop()
	}
}

// pokeBases has the bases looked at now: one may have changed, or have come to
// its end.
func (p *Pipeline) pokeBases() {
	select {
	case p.ground <- struct{}{}:
	default: // they will be
	}
}

// lookAtBases asks what the tags of the bases mean now, as far as that is due,
// and starts a run of every app that has fallen behind what it is built from,
// and whose bases are through with their own. It starts nothing twice.
func (p *Pipeline) lookAtBases(ctx context.Context) error {
	all, err := p.foundations(ctx)
	if err != nil {
		return err
	}
	asked, err := p.askTags(ctx, all, time.Now())
	if err == nil && asked {
		all, err = p.foundations(ctx)
	}
	if err != nil {
		return err
	}
	stands, err := p.survey(ctx, all)
	if err != nil {
		return err
	}
	for _, app := range slices.Sorted(maps.Keys(stands)) {
		if !stands[app].due {
			continue
		}
		if err := p.rebuild(ctx, app, stands[app].news); err != nil {
			return err
		}
	}
	return nil
}

// rebuild takes in a push of the app's default branch, as it is when its run
// begins.
func (p *Pipeline) rebuild(ctx context.Context, app batuta.AppName, n news) error {
	_, err := p.Deliver(ctx, batuta.Push{
		App: app, Forge: byBase, Delivery: n.delivery(), Sender: n.sender(), Message: n.message(), Received: time.Now(),
	})
	return err
}

// askTags asks what the tags that newest releases are built from mean now: each
// from time to time, and that of an app's image when the app has a new release,
// whose run may have moved it. Of newest releases it is known. It tells whether
// any was asked about.
func (p *Pipeline) askTags(ctx context.Context, all []Foundation, now time.Time) (asked bool, err error) {
	before, err := p.Store.Tags(ctx)
	if err != nil {
		return false, err
	}
	known, tags := keyed(before), map[tagKey]Tag{}
	for _, f := range all {
		for _, base := range f.Bases {
			tag := Tag{App: f.App, Reference: base.Reference}
			if _, done := tags[tag.key()]; done || base.Digest == "" || base.fixed() || base.Newest {
				continue
			}
			last, was := known[tag.key()]
			due := p.BasesEvery > 0 && now.Sub(last.Tried) >= p.BasesEvery || base.released.After(last.Tried)
			if due {
				last, asked = p.askTag(ctx, tag, last, now), true
			}
			if due || was {
				tags[tag.key()] = last
			}
		}
	}
	if !asked && len(tags) == len(before) {
		return false, nil
	}
	return asked, p.Store.SaveTags(ctx, slices.SortedFunc(maps.Values(tags), func(a, b Tag) int {
		return cmp.Or(cmp.Compare(a.App, b.App), cmp.Compare(a.Reference, b.Reference))
	}))
}

// askTag asks about one tag. One that cannot be asked about means what it did,
// as far as is known.
func (p *Pipeline) askTag(ctx context.Context, tag, before Tag, now time.Time) Tag {
	tag.Digest, tag.Since, tag.Asked, tag.Tried = before.Digest, before.Since, before.Asked, now
	image, err := p.Pinner.Pin(ctx, tag.App, tag.Reference)
	if err != nil {
		p.Log.Warn("ask what a base image is now", "app", tag.App, "base", tag.Reference, "err", p.Apps[tag.App].redact(err.Error()))
		return tag
	}
	tag.Asked = now
	if tag.Digest != image.Digest {
		tag.Digest, tag.Since = image.Digest, now
	}
	return tag
}
