package api

import (
	"context"
	"net/http"

	"batuta"
	"batuta/pipeline"
)

// Postbox tells what the forges delivered, and takes it in once more.
type Postbox interface {
	// Deliveries lists those of an app, newest first, without payloads.
	Deliveries(ctx context.Context, app batuta.AppName, limit int) ([]batuta.Delivery, error)
	Delivery(ctx context.Context, app batuta.AppName, id batuta.DeliveryID) (batuta.Delivery, error)
	Redeliver(ctx context.Context, app batuta.AppName, id batuta.DeliveryID, by string) (batuta.RunID, error)
}

var _ Postbox = (*pipeline.Pipeline)(nil)

// DeliveryPath is the delivery that a request is about.
type DeliveryPath struct {
	App batuta.AppName    `path:"app"`
	ID  batuta.DeliveryID `path:"id" minimum:"1"`
}

func (s *server) aboutDeliveries() {
	register(s, s.at(http.MethodGet, "/apps/{app}/deliveries", "deliveries", "What the forges delivered and what was decided, newest first, without the payloads"), s.deliveries)
	register(s, s.at(http.MethodGet, "/apps/{app}/deliveries/{id}", "delivery", "One delivery with its payload"), s.delivery)
	register(s, s.accepted("/apps/{app}/deliveries/{id}/redeliver", "redeliver", "Run once more what a delivery said"), s.redeliver)
}

func (s *server) deliveries(ctx context.Context, in *struct {
	App batuta.AppName `path:"app"`
	Paging
}) (*list[batuta.Delivery], error) {
	return listOf(s.Postbox.Deliveries(ctx, in.App, in.Limit))
}

func (s *server) delivery(ctx context.Context, in *DeliveryPath) (*only[batuta.Delivery], error) {
	d, err := s.Postbox.Delivery(ctx, in.App, in.ID)
	if err != nil {
		return nil, err
	}
	return &only[batuta.Delivery]{d}, nil
}

func (s *server) redeliver(ctx context.Context, in *DeliveryPath) (*only[batuta.Run], error) {
	return s.answer(ctx)(s.Postbox.Redeliver(ctx, in.App, in.ID, principal(ctx).Name))
}
