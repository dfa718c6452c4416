package builder

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/moby/buildkit/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"batuta"
)

const defaultEndpoint = "docker://"

// dial gives the daemon at the configured endpoint, not yet connected.
func dial(c Config) (daemon, error) {
	u, err := url.Parse(c.Endpoint)
	if err != nil {
		return nil, badEndpoint(c.Endpoint)
	}
	address := u.Scheme + "://" + u.Host + u.Path
	switch {
	case address == defaultEndpoint:
		return newEngine("unix:///var/run/docker.sock")
	case u.Scheme == "docker+unix" && u.Path != "", u.Scheme == "docker+tcp" && u.Host != "":
		return newEngine(strings.TrimPrefix(address, "docker+"))
	case u.Scheme == "unix" && u.Path != "", u.Scheme == "tcp" && u.Host != "":
		return newBuildkitd(address, c)
	}
	return nil, badEndpoint(c.Endpoint)
}

func badEndpoint(s string) error {
	return invalid("write docker://, docker+unix:///path, docker+tcp://host:port, unix:///path or tcp://host:port",
		"%q is not the address of a BuildKit", s)
}

// connect gives a BuildKit client that connects when it is first used, and
// again when the connection broke: after a second at most, so that a caller
// who tries again finds a daemon that came back.
func connect(address string, opts ...client.ClientOpt) (*client.Client, error) {
	opts = append(opts, client.WithGRPCDialOption(grpc.WithConnectParams(grpc.ConnectParams{
		Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 2, MaxDelay: time.Second},
		MinConnectTimeout: 5 * time.Second,
	})))
	// The context only carries a tracer.
	c, err := client.New(context.Background(), address, opts...)
	if err != nil {
		return nil, fmt.Errorf("connect to BuildKit: %w", err)
	}
	return c, nil
}

// buildkitd is a BuildKit daemon on its own; it pushes what it builds.
type buildkitd struct {
	client   *client.Client
	insecure bool
}

var _ daemon = (*buildkitd)(nil)

func newBuildkitd(address string, c Config) (*buildkitd, error) {
	bk, err := connect(address)
	if err != nil {
		return nil, err
	}
	return &buildkitd{client: bk, insecure: c.Insecure}, nil
}

func (d *buildkitd) buildkit() *client.Client { return d.client }

func (d *buildkitd) export(r Request) client.ExportEntry {
	attrs := map[string]string{
		"name":           strings.Join(r.names(), ","),
		"push":           "true",
		"oci-mediatypes": "true",
	}
	if epoch := r.epoch(); epoch != "" {
		attrs["source-date-epoch"] = epoch
		// Layers from the cache have the dates of the build that made them.
		// To date them anew is to compress each again, with every commit:
		// 10 s for 200 MB, and a layer that all ships have to pull.
		attrs["rewrite-timestamp"] = strconv.FormatBool(r.Recipe.NoCache)
	}
	if d.insecure {
		attrs["registry.insecure"] = "true"
	}
	return client.ExportEntry{Type: client.ExporterImage, Attrs: attrs}
}

// publish has only the digest to read: the daemon has pushed.
func (d *buildkitd) publish(_ context.Context, _ Request, res *client.SolveResponse, _ *progress) (batuta.Digest, error) {
	return checked(res.ExporterResponse["containerimage.digest"])
}

func (d *buildkitd) version(ctx context.Context) (string, error) {
	info, err := d.client.Info(ctx)
	if err != nil {
		return "", err
	}
	return "BuildKit " + info.BuildkitVersion.Version, nil
}

func (d *buildkitd) Close() error { return d.client.Close() }

// checked is a digest that a daemon told.
func checked(s string) (batuta.Digest, error) {
	if err := batuta.CheckDigest(s); err != nil {
		return "", fmt.Errorf("read the digest of the pushed image: %w", err)
	}
	return batuta.Digest(s), nil
}
