package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"batuta"
	"batuta/builder"
)

// maxProvenance bounds what is kept of a builder's attestation, in bytes.
const maxProvenance = 1 << 20

// Build is how an image came about.
type Build struct {
	App        batuta.AppName   `json:"app"`
	Image      batuta.ImageName `json:"image"` // as batuta.yml calls it
	Made       batuta.Image     `json:"made"`
	Run        batuta.RunID     `json:"run"`   // the last that built these bytes
	Begun      time.Time        `json:"begun"` // when that run did
	Bases      []builder.Base   `json:"bases,omitempty"`
	Provenance json.RawMessage  `json:"provenance,omitempty"` // SLSA's predicate, at most 1 MiB; absent if the builder gives none
}

// Foundation is an image of an app's newest release, and what it stands on.
type Foundation struct {
	App        batuta.AppName       `json:"app"`
	Release    batuta.ReleaseNumber `json:"release"`
	Run        batuta.RunID         `json:"run"` // that made the release
	Image      batuta.ImageName     `json:"image"`
	Made       batuta.Image         `json:"made"`
	Bases      []Footing            `json:"bases,omitempty"`
	Dependants []batuta.AppName     `json:"dependants,omitempty"` // the other apps whose newest release is built from it, by name
	Behind     string               `json:"behind,omitempty"`     // why the app is not built from the newest of its bases; absent: it is, as far as is known

	created time.Time // the release
}

// Footing is an image that another is built from.
type Footing struct {
	builder.Base
	App batuta.AppName `json:"app,omitempty"` // whose image it is; empty: from outside
	Now batuta.Digest  `json:"now,omitempty"` // what it is by now, if that is another

	by       batuta.RunID // that made what it is now, if it is a newest release
	since    time.Time    // when its tag was first seen to mean what it does now
	released time.Time    // when App had its newest release
}

// Tag is what the tag of a base means, as an app's credentials see it.
type Tag struct {
	App       batuta.AppName
	Reference string
	Digest    batuta.Digest // empty: it could not be asked about yet
	Since     time.Time     // when it was first seen to mean this; zero if never
	Asked     time.Time     // when this was last seen; zero if never
	Tried     time.Time     // when it was last asked about
}

// tagKey tells tags apart.
type tagKey struct {
	app       batuta.AppName
	reference string
}

func (t Tag) key() tagKey { return tagKey{t.App, t.Reference} }

func keyed(tags []Tag) map[tagKey]Tag {
	byKey := make(map[tagKey]Tag, len(tags))
	for _, t := range tags {
		byKey[t.key()] = t
	}
	return byKey
}

// keepBuild saves what an image was built from. An attestation that is longer
// than what is kept is dropped, as half of it is of no use.
func (j *journey) keepBuild(ctx context.Context, name batuta.ImageName, r builder.Result, log io.Writer) error {
	if len(r.Provenance) > maxProvenance {
		fmt.Fprintf(log, "the provenance has %d bytes and is not kept; at most %d are\n", len(r.Provenance), maxProvenance)
		r.Provenance = nil
	}
	return j.Store.SaveBuild(ctx, j.lease, Build{Image: name, Made: r.Image, Bases: r.Bases, Provenance: r.Provenance})
}

// Bases is what the images of the newest releases are built from: those of an
// app, or of all if app is empty, by app and image.
func (p *Pipeline) Bases(ctx context.Context, app batuta.AppName) ([]Foundation, error) {
	if app != "" {
		if _, err := p.app(app); err != nil {
			return nil, err
		}
	}
	all, err := p.foundations(ctx)
	if err != nil {
		return nil, err
	}
	stands, err := p.survey(ctx, all)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].Behind = stands[all[i].App].behind
	}
	return slices.DeleteFunc(all, func(f Foundation) bool { return app != "" && f.App != app }), nil
}

// foundations is the whole graph.
func (p *Pipeline) foundations(ctx context.Context) ([]Foundation, error) {
	tags, err := p.Store.Tags(ctx)
	if err != nil {
		return nil, err
	}
	now := keyed(tags)
	var all []Foundation
	for _, app := range slices.Sorted(maps.Keys(p.Apps)) {
		newest, err := p.Store.Releases(ctx, app, 1)
		if err != nil {
			return nil, err
		}
		for _, r := range newest {
			for _, name := range slices.Sorted(maps.Keys(r.Images)) {
				f := Foundation{App: app, Release: r.Number, Run: r.Run, Image: name, Made: r.Images[name], created: r.Created}
				b, err := p.Store.Build(ctx, app, f.Made.Digest)
				if err != nil && !errors.Is(err, batuta.NotFound) { // built before it was written down
					return nil, err
				}
				for _, base := range b.Bases {
					f.Bases = append(f.Bases, footing(base, b, now[tagKey{app, base.Reference}]))
				}
				all = append(all, f)
			}
		}
	}
	link(all)
	return all, nil
}

// footing is a base of a build. What its tag means counts once it was asked
// about after the build began.
func footing(base builder.Base, b Build, t Tag) Footing {
	f := Footing{Base: base}
	if !base.Newest && base.Digest != "" && t.Digest != "" && t.Digest != base.Digest && t.Asked.After(b.Begun) && !f.fixed() {
		f.Now, f.since = t.Digest, t.Since
	}
	return f
}

// link finds whose images the bases are, and who depends on whom.
func link(all []Foundation) {
	owners := map[string]int{} // by repository
	for i, f := range all {
		owners[f.Made.Repository] = i
	}
	for i := range all {
		for k := range all[i].Bases {
			base := &all[i].Bases[k]
			owner, ours := owners[repositoryOf(base.Reference)]
			if !ours {
				continue
			}
			base.App, base.released = all[owner].App, all[owner].created
			if made := all[owner].Made.Digest; base.Newest && base.Digest != made && base.App != all[i].App {
				base.Now, base.by = made, all[owner].Run
			}
			if on := &all[owner].Dependants; base.App != all[i].App && !slices.Contains(*on, all[i].App) {
				*on = append(*on, all[i].App) // in the order of their names
			}
		}
	}
}

// repositoryOf is a reference without its tag and digest.
func repositoryOf(reference string) string {
	reference, _, _ = strings.Cut(reference, "@")
	if tag := strings.LastIndex(path.Base(reference), ":"); tag >= 0 {
		reference = reference[:len(reference)-len(path.Base(reference))+tag]
	}
	return reference
}

// Provenance is how an image of an app came about, with what its builder
// attests.
func (p *Pipeline) Provenance(ctx context.Context, app batuta.AppName, digest batuta.Digest) (Build, error) {
	return p.Store.Build(ctx, app, digest)
}
