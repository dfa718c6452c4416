package builder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/registry"
	docker "github.com/docker/docker/client"
	"github.com/moby/buildkit/client"

	"batuta"
)

// engine is the BuildKit inside a Docker Engine. Its API is reached through
// two upgraded HTTP connections, as the docker command does; what it builds
// becomes one of the Engine's images, which the Engine then pushes.
type engine struct {
	docker *docker.Client
	client *client.Client
}

var _ daemon = (*engine)(nil)

func newEngine(address string) (*engine, error) {
	d, err := docker.NewClientWithOpts(docker.WithHost(address), docker.WithAPIVersionNegotiation())
	if err != nil {
		return nil, fmt.Errorf("connect to Docker: %w", err)
	}
	upgrade := func(ctx context.Context, path, protocol string, meta map[string][]string) (net.Conn, error) {
		conn, err := d.DialHijack(ctx, path, protocol, meta)
		if err != nil {
			return nil, unavailable(err, "connect to Docker")
		}
		return conn, nil
	}
	bk, err := connect("",
		client.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return upgrade(ctx, "/grpc", "h2c", nil)
		}),
		client.WithSessionDialer(func(ctx context.Context, protocol string, meta map[string][]string) (net.Conn, error) {
			return upgrade(ctx, "/session", protocol, meta)
		}))
	if err != nil {
		return nil, err
	}
	return &engine{docker: d, client: bk}, nil
}

func (e *engine) buildkit() *client.Client { return e.client }

// export names the Engine's own exporter. In an Engine that keeps images in
// containerd the same name stands for the image exporter.
func (e *engine) export(r Request) client.ExportEntry {
	return client.ExportEntry{Type: "moby", Attrs: map[string]string{"name": strings.Join(r.names(), ",")}}
}

// publish pushes the image that has just been given its tags. The push itself
// tells the digest of the manifest that the registry took.
func (e *engine) publish(ctx context.Context, r Request, _ *client.SolveResponse, p *progress) (digest batuta.Digest, err error) {
	l := r.Login(r.host())
	auth, err := registry.EncodeAuthConfig(registry.AuthConfig{Username: l.User, Password: l.Password, ServerAddress: r.host()})
	if err != nil {
		return "", err
	}
	p.start("pushing " + r.Repository)
	for _, reference := range r.names() {
		if digest, err = e.push(ctx, reference, auth, p); err != nil {
			return "", err
		}
	}
	p.line("pushed %s@%s", r.Repository, digest)
	return digest, nil
}

// push pushes what the Engine has under one tag.
func (e *engine) push(ctx context.Context, reference, auth string, p *progress) (batuta.Digest, error) {
	answer, err := e.docker.ImagePush(ctx, reference, image.PushOptions{RegistryAuth: auth})
	if err != nil {
		return "", &pushError{err}
	}
	defer answer.Close()
	digest, err := readPush(answer, p)
	if err != nil {
		return "", &pushError{err}
	}
	return checked(digest)
}

// pushError is a registry's, or the way's to it, as the Engine tells it.
type pushError struct{ err error }

func (e *pushError) Error() string { return e.err.Error() }
func (e *pushError) Unwrap() error { return e.err }

// readPush follows a push to its end and gives the digest it ended with.
func readPush(r io.Reader, p *progress) (digest string, err error) {
	for d := json.NewDecoder(r); ; {
		var m struct {
			Status string
			ID     string
			Error  string
			Aux    struct{ Digest string }
		}
		if err := d.Decode(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return "", fmt.Errorf("read the answer of the Docker Engine: %w", err)
		}
		switch {
		case m.Error != "":
			return "", errors.New(m.Error)
		case m.Aux.Digest != "":
			digest = m.Aux.Digest
		case m.Status == "Pushed", strings.HasPrefix(m.Status, "Retrying in 1 "):
			p.line("layer %s: %s", m.ID, strings.ToLower(m.Status))
		}
	}
	if digest == "" {
		return "", errors.New("the push ended without a digest")
	}
	return digest, nil
}

func (e *engine) version(ctx context.Context) (string, error) {
	v, err := e.docker.ServerVersion(ctx)
	if err != nil {
		return "", err
	}
	return "Docker " + v.Version, nil
}

func (e *engine) Close() error { return errors.Join(e.client.Close(), e.docker.Close()) }
