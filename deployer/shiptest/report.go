package shiptest

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"batuta"
	"batuta/deployer"
)

// Find tells which image a reference means: one that was pulled or fetched.
func (f *Fake) Find(ctx context.Context, reference string) (id string, err error) {
	err = f.call(ctx, Call{Method: "Find"}, func() error {
		id = f.find(reference)
		return nil
	})
	return id, err
}

func (f *Fake) find(reference string) string {
	for image := range f.images {
		if image.String() == reference || image.Digest == "" && image.Repository == tagged(reference) {
			return fmt.Sprintf("sha256:%s#%d", image, f.pulled[tagged(reference)])
		}
	}
	return ""
}

// Rebuilt puts another image behind a reference in its registry. The ship has
// the one before until it fetches it.
func (f *Fake) Rebuilt(reference string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.builds[tagged(reference)]++
}

// tagged is a reference with the tag that it means.
func tagged(reference string) string {
	if last := reference[strings.LastIndex(reference, "/")+1:]; strings.ContainsAny(last, ":@") {
		return reference
	}
	return reference + ":latest"
}

// Fetch takes note of the image that a reference means.
func (f *Fake) Fetch(ctx context.Context, reference string, _ *deployer.Login, progress func(int)) error {
	image := batuta.Image{Repository: tagged(reference)}
	if repository, digest, ok := strings.Cut(reference, "@"); ok {
		image = batuta.Image{Repository: repository, Digest: batuta.Digest(digest)}
	}
	err := f.call(ctx, Call{Method: "Fetch", Image: image}, func() error {
		f.images[image] = true
		f.pulled[tagged(reference)] = f.builds[tagged(reference)]
		return nil
	})
	if err == nil && progress != nil {
		progress(100)
	}
	return err
}

// Facts tells of a large idle ship, unless Own says otherwise.
func (f *Fake) Facts(ctx context.Context) (facts deployer.Facts, err error) {
	err = f.call(ctx, Call{Method: "Facts"}, func() error {
		if facts = f.Own; facts == (deployer.Facts{}) {
			facts = deployer.Facts{
				Engine: "20.10.24", API: "1.41", Platform: "linux/x86_64", CPUs: 16, Memory: 64 << 30,
				Load: 0.1, DiskFree: 800 << 30, DiskSize: 1000 << 30,
			}
		}
		facts.Time, facts.Containers, facts.Running = time.Now(), len(f.boxes), len(f.list((*box).alive))
		return nil
	})
	return facts, err
}

// Logs writes what the container printed; with follow it goes on until the
// container ends.
func (f *Fake) Logs(ctx context.Context, id string, lines int, follow bool, to io.Writer) error {
	var b *box
	from := 0
	err := f.call(ctx, f.about("Logs", id), func() (err error) {
		if b, err = f.box(id); err == nil && lines >= 0 {
			from = max(0, len(b.printed)-lines)
		}
		return err
	})
	for err == nil {
		f.mu.Lock()
		printed, alive, grown := b.printed[from:], b.alive(), f.diary.grown()
		from = len(b.printed)
		f.mu.Unlock()
		for _, line := range printed {
			if _, err := fmt.Fprintln(to, line); err != nil {
				return err
			}
		}
		if !follow || !alive {
			return nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return err
}

// Watch tells everything since the instant, and then what happens.
func (f *Fake) Watch(ctx context.Context, since time.Time, each func(deployer.Occurrence)) error {
	if err := f.call(ctx, Call{Method: "Watch"}, func() error { return nil }); err != nil {
		return err
	}
	for {
		f.mu.Lock()
		news, grown := f.diary.after(since), f.diary.grown()
		f.mu.Unlock()
		for _, o := range news {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			since = o.At
			each(o)
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// diary is all that ever happened on a fake ship. Its mutex is the ship's.
type diary struct {
	past    []deployer.Occurrence
	waiting chan struct{} // closed at the next entry; nil if nobody waits
}

func (d *diary) grown() <-chan struct{} {
	if d.waiting == nil {
		d.waiting = make(chan struct{})
	}
	return d.waiting
}

func (d *diary) after(since time.Time) []deployer.Occurrence {
	n, _ := slices.BinarySearchFunc(d.past, since, func(o deployer.Occurrence, t time.Time) int {
		if o.At.After(t) {
			return 1
		}
		return -1
	})
	return slices.Clone(d.past[n:])
}

// note takes down what happened to a container. No two things happen at one
// instant.
func (d *diary) note(c deployer.Container, kind deployer.EventKind, code int) {
	o := deployer.Occurrence{
		At: time.Now(), Scope: c.Scope, Service: c.Service, Instance: c.Instance, Release: c.Release,
		Container: c.ID, Kind: kind, ExitCode: code,
	}
	if n := len(d.past); n > 0 && !o.At.After(d.past[n-1].At) {
		o.At = d.past[n-1].At.Add(1)
	}
	d.past = append(d.past, o)
	if d.waiting != nil {
		close(d.waiting)
		d.waiting = nil
	}
}
