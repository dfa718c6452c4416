package gitremote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"batuta"
)

// reconcile delivers what git has and the inbox has not, ref by ref in the
// order of their names, and gives, by ref, what this server delivered last. A
// ref that cannot be delivered does not hold up the others.
func (r *repository) reconcile(ctx context.Context) (map[string]delivered, error) {
	release, err := r.take(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	recorded, err := r.remote.config.Inbox.Refs(ctx, r.app)
	if err != nil {
		return nil, fmt.Errorf("read recorded refs: %w", err)
	}
	refs, err := r.refs(ctx)
	if err != nil {
		return nil, fmt.Errorf("read refs: %w", err)
	}
	var errs []error
	for _, p := range changes(refs, recorded) {
		if err := r.deliver(ctx, p, recorded[p.Ref].Serial+1); err != nil {
			errs = append(errs, fmt.Errorf("deliver %s: %w", p.Ref, err))
		}
	}
	if err := r.pointHead(ctx, refs); err != nil {
		errs = append(errs, err)
	}
	return maps.Clone(r.runs), errors.Join(errs...)
}

// deliver hands one change to the inbox.
func (r *repository) deliver(ctx context.Context, p batuta.Push, serial int) error {
	p.App = r.app
	p.Forge = "git"
	p.Delivery = fmt.Sprintf("%s@%d", p.Ref, serial)
	if p.Revision != "" {
		p.Sender, p.Received = r.lastChange(p.Ref)
	}
	p.Received = cmp.Or(p.Received, time.Now().UTC())
	delete(r.runs, p.Ref)
	run, err := r.remote.config.Inbox.DeliverRef(ctx, p, serial)
	if err != nil {
		return err
	}
	r.runs[p.Ref] = delivered{revision: p.Revision, run: run}
	return nil
}

// changes are the refs that moved, appeared or went since they were recorded.
func changes(refs map[string]ref, recorded map[string]RefState) []batuta.Push {
	var pushes []batuta.Push
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		if now, before := refs[name], recorded[name].Revision; now.revision != before {
			pushes = append(pushes, batuta.Push{Ref: name, Before: before, Revision: now.revision, Message: now.subject})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(recorded)) {
		if _, there := refs[name]; !there && recorded[name].Revision != "" {
			pushes = append(pushes, batuta.Push{Ref: name, Before: recorded[name].Revision})
		}
	}
	return pushes
}

// ref is what a branch or a tag is at.
type ref struct {
	revision batuta.Revision // the commit, also of an annotated tag
	subject  string          // the first line of the commit's message
}

// refs are the branches and tags that lead to a commit.
func (r *repository) refs(ctx context.Context) (map[string]ref, error) {
	const format = "--format=%(refname)%00" +
		"%(objecttype)%00%(objectname)%00%(contents:subject)%00" +
		"%(*objecttype)%00%(*objectname)%00%(*contents:subject)"
	out, err := r.git(ctx, "--git-dir="+r.dir, "for-each-ref", format, "refs/heads", "refs/tags")
	if err != nil {
		return nil, err
	}
	refs := map[string]ref{}
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\x00")
		if len(f) != 7 {
			return nil, fmt.Errorf("git for-each-ref: unexpected line %q", line)
		}
		for _, object := range [][]string{f[1:4], f[4:7]} {
			if object[0] == "commit" && batuta.CheckRevision(object[1]) == nil {
				refs[f[0]] = ref{revision: batuta.Revision(object[1]), subject: object[2]}
			}
		}
	}
	return refs, nil
}
