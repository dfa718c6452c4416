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
	Run        batuta.RunID     `json:"run"` // the last that built these bytes
	Bases      []builder.Base   `json:"bases,omitempty"`
	Provenance json.RawMessage  `json:"provenance,omitempty"` // SLSA's predicate, at most 1 MiB; absent if the builder gives none
}

// Foundation is an image of an app's newest release, and what it stands on.
type Foundation struct {
	App        batuta.AppName       `json:"app"`
	Release    batuta.ReleaseNumber `json:"release"`
	Image      batuta.ImageName     `json:"image"`
	Made       batuta.Image         `json:"made"`
	Bases      []Footing            `json:"bases,omitempty"`
	Dependants []batuta.AppName     `json:"dependants,omitempty"` // the other apps whose newest release is built from it, by name
}

// Footing is an image that another is built from.
type Footing struct {
	builder.Base
	App batuta.AppName `json:"app,omitempty"` // whose image it is; empty: from outside
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
	return slices.DeleteFunc(all, func(f Foundation) bool { return app != "" && f.App != app }), err
}

// foundations is the whole graph.
func (p *Pipeline) foundations(ctx context.Context) ([]Foundation, error) {
	var all []Foundation
	for _, app := range slices.Sorted(maps.Keys(p.Apps)) {
		newest, err := p.Store.Releases(ctx, app, 1)
		if err != nil {
			return nil, err
		}
		for _, r := range newest {
			for _, name := range slices.Sorted(maps.Keys(r.Images)) {
				f := Foundation{App: app, Release: r.Number, Image: name, Made: r.Images[name]}
				b, err := p.Store.Build(ctx, app, f.Made.Digest)
				if err != nil && !errors.Is(err, batuta.NotFound) { // built before it was written down
					return nil, err
				}
				for _, base := range b.Bases {
					f.Bases = append(f.Bases, Footing{Base: base})
				}
				all = append(all, f)
			}
		}
	}
	link(all)
	return all, nil
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
			base.App = all[owner].App
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
