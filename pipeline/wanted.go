package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"batuta"
	"batuta/internal/gitsource"
)

// The forges of pushes that no forge sent.
const (
	ByHand  = "manual" // a person asked for it
	byClock = "cron"   // it was due
	byPoll  = "poll"   // the repository was looked at
	byBase  = "base"   // what it is built from has changed
)

// asked tells whether a run was asked for as it is, and so needs no trigger.
func asked(p batuta.Push) bool {
	return p.Forge == ByHand || p.Forge == byClock || p.Forge == byBase || p.Forge == batuta.ByRegistry
}

// skipMark in a commit's message says that its push starts nothing. The forms
// are those that GitHub, GitLab and Gitea know.
// https://docs.github.com/actions/managing-workflow-runs/skipping-workflow-runs
var skipMark = regexp.MustCompile(`(?i)\[(skip ci|ci skip|no ci|skip actions|actions skip)\]|(?m)^skip-checks:\s*true\s*$`)

// Agenda is what starts the runs of an app, beside people, and what becomes of
// older runs then.
type Agenda struct {
	On          Triggers
	Concurrency Concurrency
}

// tag is what came of looking for the tag that was pushed.
type tag struct {
	Gone bool `json:"gone,omitempty"`
}

// tagged ends the run of a tag that was deleted before the run began: nobody
// wants a release of it any more, though its commit may well be there.
func (j *journey) tagged(ctx context.Context) error {
	push := j.run.Push
	if asked(push) || j.Remote == nil || !strings.HasPrefix(push.Ref, "refs/tags/") {
		return nil
	}
	found, err := step(ctx, j, "tag", repeatable, func(ctx context.Context, log io.Writer) (tag, error) {
		refs, err := j.Remote.Refs(ctx, j.app.Repository)
		tip, there := refs.Tips[push.Ref]
		if err == nil && there {
			fmt.Fprintf(log, "%s is at %s\n", push.Ref, tip)
		}
		return tag{Gone: !there}, err
	})
	if err == nil && found.Gone {
		err = skipped{"tag " + strings.TrimPrefix(push.Ref, "refs/tags/") + " was deleted before the run began"}
	}
	return err
}

// muted ends the run of a push whose commit says that it starts nothing. One
// that took the place of others is run: they were to be deployed.
func (j *journey) muted(ctx context.Context, tree gitsource.Tree) error {
	mark := skipMark.FindString(tree.Text)
	if mark == "" || asked(j.run.Push) {
		return nil
	}
	if replaces, err := j.Store.Replaces(ctx, j.run.ID); replaces || err != nil {
		return err
	}
	return skipped{"the commit's message says " + strings.TrimSpace(mark)}
}

// wanted ends the run of a push that the recipe does not want, and keeps what
// else the recipe says about starting runs.
func (j *journey) wanted(ctx context.Context, r Recipe) error {
	push := j.run.Push
	if push.Pull != nil {
		return j.wantedPull(ctx, r.On)
	}
	if ok, why := r.Wants(push.Ref); !ok && !asked(push) {
		return skipped{why}
	} else if ok && strings.HasPrefix(push.Ref, "refs/heads/") {
		err := j.Store.SaveAgenda(context.WithoutCancel(ctx), j.lease, r.On.Push.rank(push.Ref), Agenda{r.On, r.Concurrency})
		if err != nil {
			return err
		}
		j.Wake()
	}
	if asked(push) || len(r.On.Push.Paths) == 0 || j.Remote == nil || strings.HasPrefix(push.Ref, "refs/tags/") {
		return nil
	}
	found, err := step(ctx, j, "filter", repeatable, j.filter(r.On.Push))
	if err == nil && found.Unwanted != "" {
		err = skipped{found.Unwanted}
	}
	return err
}

// wantedPull ends the run of a pull request that the recipe does not want. What
// its code says about starting runs speaks for nobody yet.
func (j *journey) wantedPull(ctx context.Context, on Triggers) error {
	push := j.run.Push
	if ok, why := on.WantsPull(*push.Pull); !ok {
		return skipped{why}
	}
	if len(on.PullRequest.Paths) == 0 || j.Remote == nil {
		return nil
	}
	found, err := step(ctx, j, "filter", repeatable, j.filterPull(*on.PullRequest))
	if err == nil && found.Unwanted != "" {
		err = skipped{found.Unwanted}
	}
	return err
}

// filterPull compares the paths that a pull request changes with those that
// the recipe wants: since it left the branch that it is for, so that what
// others did there meanwhile is not its own.
func (j *journey) filterPull(t PullTrigger) func(context.Context, io.Writer) (filtered, error) {
	return func(ctx context.Context, log io.Writer) (filtered, error) {
		push, scratch := j.run.Push, filepath.Join(j.dir(j.run.ID), "changed")
		base, err := j.leftAt(ctx, push, scratch)
		if err == nil && base == "" {
			fmt.Fprintf(log, "it is not known where this left %s: everything counts as changed\n", push.Pull.Target)
			return filtered{}, nil
		}
		var changed []string
		if err == nil {
			changed, err = j.Remote.Changed(ctx, j.app.Repository, push.Ref, base, push.Revision, scratch)
		}
		if errors.Is(err, batuta.NotFound) {
			fmt.Fprintf(log, "what this is compared with is there no more: everything counts as changed\n")
			return filtered{}, nil
		} else if err != nil {
			return filtered{}, err
		}
		fmt.Fprintf(log, "%d paths changed since this left %s at %s\n", len(changed), push.Pull.Target, base.Short())
		_, why := t.WantsPaths(changed)
		return filtered{Unwanted: why}, nil
	}
}

// leftAt is where a pull request left the branch that it is for, or took it in
// last. Where that branch stands now counts for more than where the forge says
// that it stood: not every forge does, and it may have been taken in since.
func (j *journey) leftAt(ctx context.Context, push batuta.Push, scratch string) (batuta.Revision, error) {
	refs, err := j.Remote.Refs(ctx, j.app.Repository)
	if err != nil {
		return "", err
	}
	for _, base := range []batuta.Revision{refs.Tips["refs/heads/"+push.Pull.Target], push.Before} {
		if base == "" {
			continue
		}
		at, err := j.Remote.MergeBase(ctx, j.app.Repository, base, push.Revision, scratch)
		if err != nil || at != push.Revision { // else it was merged already
			return at, err
		}
	}
	return "", nil
}

// rank is the place of the first pattern that chooses the branch: the lower,
// the more does its recipe speak for the app.
func (t PushTrigger) rank(ref string) int {
	branch := strings.TrimPrefix(ref, "refs/heads/")
	return slices.IndexFunc(t.Branches, func(pattern string) bool { return chosen([]string{pattern}, branch) })
}

// filtered is what came of looking at the paths that changed.
type filtered struct {
	Unwanted string `json:"unwanted,omitempty"` // why the push starts nothing
}

// filter compares the paths that changed with those that the recipe wants:
// since the revision that a run of this branch brought to its end, so that
// what a superseded or failed run was to deploy is never lost.
func (j *journey) filter(t PushTrigger) func(context.Context, io.Writer) (filtered, error) {
	return func(ctx context.Context, log io.Writer) (filtered, error) {
		push := j.run.Push
		base, _, err := j.Store.Reached(ctx, j.run.App, push.Ref)
		if err != nil {
			return filtered{}, err
		}
		if base == "" {
			fmt.Fprintln(log, "no run of this branch has succeeded yet: everything counts as changed")
			return filtered{}, nil
		}
		changed, err := j.Remote.Changed(ctx, j.app.Repository, push.Ref, base, push.Revision, filepath.Join(j.dir(j.run.ID), "changed"))
		if errors.Is(err, batuta.NotFound) {
			fmt.Fprintf(log, "%s is there no more: everything counts as changed\n", base.Short())
			return filtered{}, nil
		} else if err != nil {
			return filtered{}, err
		}
		fmt.Fprintf(log, "%d paths changed since %s\n", len(changed), base.Short())
		_, why := t.WantsPaths(changed)
		return filtered{Unwanted: why}, nil
	}
}
