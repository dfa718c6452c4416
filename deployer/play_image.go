package deployer

import (
	"context"
	"fmt"
	"strings"

	"batuta"
)

// image makes sure that the part's ship has its image: that of today's
// registry if fetch is set, or else whichever there is. Parts with the same
// image share the work.
func (d *deck) image(ctx context.Context, p *part, fetch bool) error {
	if p.Image != (batuta.Image{}) {
		return d.once(p.Image.String(), p, func(*part) error {
			d.scene.say(p, "pulling %s", p.Image)
			return retry(ctx, func() error { return d.ship.Pull(ctx, p.Image) })
		})
	}
	if build, built := strings.CutPrefix(p.Reference, builtMark); built {
		return invalid(fmt.Sprintf("nobody says which image the build %s is", build), fmt.Sprintf("add --image %s=REPOSITORY@DIGEST, or deploy through a server", build))
	}
	if !fetch {
		id, err := d.find(ctx, p.Reference)
		if err != nil || id != "" {
			return err
		}
	}
	return d.once(p.Reference, p, func(p *part) error { return d.fetch(ctx, p) })
}

// find asks the ship once which image a reference means.
func (d *deck) find(ctx context.Context, reference string) (string, error) {
	return entry(d, d.found, reference).get(func() (string, error) {
		f := d.scene.fleet
		return ask(ctx, f, d.name, f.options.Ask, func(ctx context.Context, s Ship) (string, error) { return s.Find(ctx, reference) })
	})
}

// once does the work for the first who wants it, and lets the others wait.
func (d *deck) once(key string, p *part, do func(*part) error) error {
	_, err := entry(d, d.got, key).get(func() (struct{}, error) {
		err := do(p)
		if err != nil {
			err = fmt.Errorf("pull %s: %w", key, err)
		}
		return struct{}{}, err
	})
	return err
}

// fetch pulls what the reference means now, as often as its registry's retry
// allows; when that is used up, the last error counts.
func (d *deck) fetch(ctx context.Context, p *part) error {
	var from Source
	if d.scene.order.Source != nil {
		from = d.scene.order.Source(p.Reference)
	}
	for n := 1; ; n++ {
		d.scene.say(p, "pulling %s", p.Reference)
		err := d.ship.Fetch(ctx, p.Reference, from.Login, func(percent int) { d.scene.say(p, "pulling %s: %d%%", p.Reference, percent) })
		if err == nil || n >= from.Attempts || from.Again == nil || !from.Again(err) {
			return err
		}
		d.scene.say(p, "pull again: %s", firstLine(err.Error()))
		if err := pause(ctx, pullPause); err != nil {
			return err
		}
	}
}
