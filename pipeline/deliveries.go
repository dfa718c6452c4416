package pipeline

import (
	"context"

	"batuta"
)

// Take takes in what a forge or a registry delivered. It is on disk when Take returns.
func (p *Pipeline) Take(ctx context.Context, d batuta.Delivery) (Receipt, error) {
	if _, err := p.app(d.App); err != nil {
		return Receipt{}, err
	}
	d.Message = batuta.Headline(d.Message)
	ignored := ""
	if image, ok := d.Image(); ok && d.Decision == "" {
		var err error
		if ignored, err = p.unwantedImage(ctx, d.App, image); err != nil {
			return Receipt{}, err
		}
		if ignored != "" {
			d.Decision = "ignored: " + ignored
		}
	}
	r, err := p.Store.Take(ctx, d)
	r.Ignored = ignored
	if err == nil && r.Run > 0 && !r.Duplicate {
		p.Wake()
	}
	return r, err
}

// Deliveries lists what the forges delivered to an app, newest first, without
// the payloads.
func (p *Pipeline) Deliveries(ctx context.Context, app batuta.AppName, limit int) ([]batuta.Delivery, error) {
	return p.Store.Deliveries(ctx, app, limit)
}

// Delivery gives one delivery with its payload.
func (p *Pipeline) Delivery(ctx context.Context, app batuta.AppName, id batuta.DeliveryID) (batuta.Delivery, error) {
	return p.Store.Delivery(ctx, app, id)
}

// Redeliver starts a run of what a delivery said, once more. A delivery that
// no run followed from is a Conflict.
func (p *Pipeline) Redeliver(ctx context.Context, app batuta.AppName, id batuta.DeliveryID, by string) (batuta.RunID, error) {
	run, err := p.Store.Redeliver(ctx, app, id, by)
	if err == nil {
		p.Wake()
	}
	return run, err
}
