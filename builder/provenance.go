package builder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/content/proxy"
	control "github.com/moby/buildkit/api/services/control"
	"github.com/moby/buildkit/util/grpcerrors"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"google.golang.org/grpc/codes"
)

// provenance is what a daemon attests of one build, by platform; of a build
// for the daemon's own, the platform is empty.
type provenance map[string]json.RawMessage

// json is the form that Result has.
func (p provenance) json() (json.RawMessage, error) {
	if one, only := p[""]; only || len(p) == 0 {
		return one, nil
	}
	return json.Marshal(p)
}

// slsa begins the type of a provenance among attestations.
const slsa = "https://slsa.dev/provenance/"

// provenance reads from the daemon's history what it attests of a build. It
// is not made part of the image: it tells when and where the build ran, and
// with that a revision built twice would not be one image.
func (d *buildkitd) provenance(ctx context.Context, build string) (provenance, error) {
	record, err := d.record(ctx, build)
	if err != nil || record == nil {
		return nil, err
	}
	results := maps.Clone(record.Results)
	if record.Result != nil && len(results) == 0 {
		results = map[string]*control.BuildResultInfo{"": record.Result}
	}
	all := provenance{}
	for platform, result := range results {
		one, err := d.predicate(ctx, result)
		if err != nil {
			return nil, err
		}
		if one != nil {
			all[platform] = one
		}
	}
	return all, nil
}

// record finds a build in the history; nil if the daemon keeps none.
func (d *buildkitd) record(ctx context.Context, build string) (*control.BuildHistoryRecord, error) {
	events, err := d.client.ControlClient().ListenBuildHistory(ctx, &control.BuildHistoryRequest{Ref: build, EarlyExit: true})
	for err == nil {
		var event *control.BuildHistoryEvent
		if event, err = events.Recv(); err == nil && event.Record.GetRef() == build {
			return event.Record, nil
		}
	}
	if errors.Is(err, io.EOF) || grpcerrors.Code(err) == codes.Unimplemented {
		return nil, nil
	}
	return nil, fmt.Errorf("read the build's record: %w", err)
}

// predicate reads a result's provenance; nil if it has none.
func (d *buildkitd) predicate(ctx context.Context, result *control.BuildResultInfo) (json.RawMessage, error) {
	for _, a := range result.GetAttestations() {
		if !strings.HasPrefix(a.Annotations["in-toto.io/predicate-type"], slsa) {
			continue
		}
		text, err := content.ReadBlob(ctx, proxy.NewContentStore(d.client.ContentClient()), ocispecs.Descriptor{
			MediaType: a.MediaType, Digest: digest.Digest(a.Digest), Size: a.Size,
		})
		if err != nil {
			return nil, fmt.Errorf("read the build's provenance: %w", err)
		}
		if !json.Valid(text) {
			return nil, errors.New("read the build's provenance: it is not JSON")
		}
		return text, nil
	}
	return nil, nil
}

// provenance is nothing: an Engine's BuildKit keeps no history that it shows.
func (*engine) provenance(context.Context, string) (provenance, error) { return nil, nil }
