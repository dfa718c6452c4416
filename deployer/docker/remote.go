package docker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"
	"golang.org/x/sync/errgroup"

	"batuta"
	"batuta/deployer"
)

// Runtime is Batuta's own image: its binary and nothing else. Its entrypoint
// is the binary, whose command probe calls ServeProbes.
type Runtime interface {
	// Name is what a ship calls the image once it is loaded: a tag that only
	// this binary's image has.
	Name(ctx context.Context) (string, error)
	// Save writes the image as docker load reads it.
	Save(ctx context.Context, w io.Writer) error
}

const (
	startTimeout = time.Minute     // of a probe container, its image loaded
	undoTimeout  = 5 * time.Second // for taking back one that did not start
)

// remote makes checks from a probe container in the ship's own network. It is
// started when it is first needed and speaks through its standard streams:
// whatever becomes of this process, the container reads the end of its input,
// ends, and is removed by the ship.
type remote struct {
	ship    *Ship
	runtime Runtime
	idle    time.Duration
	starts  flights[*session]

	mu     sync.Mutex
	live   *session
	closed bool
}

// probe makes one attempt at the check.
func (r *remote) probe(ctx context.Context, t target, c deployer.Check) error {
	a, err := r.ask(ctx, question{Host: t.host, Check: &c})
	switch {
	case err != nil:
		return r.ship.fault(err, "check %.12s over the ship's network", t.id)
	case a.Error != "":
		return unhealthy("%s", a.Error)
	}
	return nil
}

// ask has a probe container answer. A session that has just been ended for
// want of work is followed by another.
func (r *remote) ask(ctx context.Context, q question) (answer, error) {
	for {
		s, err := r.session(ctx)
		if err != nil {
			return answer{}, err
		}
		a, err := s.ask(ctx, q)
		if !errors.Is(err, errOver) {
			return a, err
		}
	}
}

// session gives the live session, or starts one.
func (r *remote) session(ctx context.Context) (*session, error) {
	r.mu.Lock()
	live, closed := r.live, r.closed
	r.mu.Unlock()
	switch {
	case closed:
		return nil, &batuta.Error{Kind: batuta.Unavailable, Message: "the ship was let go of"}
	case live != nil && live.ended() == nil:
		return live, nil
	}
	return r.starts.do(ctx, roleProbe, func(ctx context.Context) (*session, error) {
		ctx, cancel := context.WithTimeout(ctx, startTimeout)
		defer cancel()
		s, err := r.open(ctx)
		if err != nil {
			return nil, fmt.Errorf("start a probe container: %w", err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.closed {
			s.close()
		}
		r.live = s
		return s, nil
	})
}

func (r *remote) close() {
	r.mu.Lock()
	r.closed = true
	live := r.live
	r.mu.Unlock()
	if live != nil {
		live.close()
	}
}

// open starts a probe container and connects to its streams.
func (r *remote) open(ctx context.Context) (_ *session, err error) {
	image, err := r.image(ctx)
	if err != nil {
		return nil, err
	}
	c := r.ship.client
	r.sweep(ctx)
	config, host := probeContainer(image)
	made, err := c.ContainerCreate(ctx, config, host, nil, nil, "batuta-probe-"+strings.ToLower(rand.Text()[:8]))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
			defer cancel()
			_ = c.ContainerRemove(ctx, made.ID, container.RemoveOptions{Force: true}) // what stays is swept later
		}
	}()
	stream, err := r.ship.stream(ctx, "/containers/"+made.ID+"/attach?stream=1&stdin=1&stdout=1&stderr=1", nil, true)
	if err != nil {
		return nil, err
	}
	conn, ok := stream.(io.ReadWriteCloser)
	if !ok {
		return nil, errors.Join(errors.New("the Engine gave a stream that cannot be written"), stream.Close())
	}
	if err := c.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return newSession(conn, r.idle), nil
}

// probeContainer has the ship's network and no other right. Docker need not
// wait for it when it is told to end.
func probeContainer(image string) (*container.Config, *container.HostConfig) {
	return &container.Config{
			Image: image, Cmd: []string{"probe"}, User: "65534:65534", StopSignal: "SIGKILL",
			OpenStdin: true, StdinOnce: true, AttachStdin: true, AttachStdout: true, AttachStderr: true,
			Labels: map[string]string{labelRole: roleProbe},
		}, &container.HostConfig{
			NetworkMode: "host", AutoRemove: true, ReadonlyRootfs: true, CapDrop: []string{"ALL"},
			SecurityOpt: []string{"no-new-privileges"}, LogConfig: container.LogConfig{Type: "none"},
		}
}

// sweep removes probe containers of servers that were killed between the
// creation and the start of one.
func (r *remote) sweep(ctx context.Context) {
	list, err := r.ship.client.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(
		filters.Arg("label", labelRole+"="+roleProbe), filters.Arg("status", container.StateCreated))})
	if err != nil {
		return // there is a next time
	}
	for _, l := range list {
		if time.Since(time.Unix(l.Created, 0)) > startTimeout {
			_ = r.ship.client.ContainerRemove(ctx, l.ID, container.RemoveOptions{Force: true})
		}
	}
}

// image gives the name of the runtime image, which is on the ship after this.
func (r *remote) image(ctx context.Context) (string, error) {
	if r.runtime == nil {
		return "", &batuta.Error{Kind: batuta.Invalid, Message: "there is no image of Batuta's own to check the ship's containers from", Hint: "use a batuta that is statically linked, as make build makes it"}
	}
	name, err := r.runtime.Name(ctx)
	if err != nil {
		return "", err
	}
	c, err := r.ship.engine(ctx)
	if err != nil {
		return "", err
	}
	if _, err = c.ImageInspect(ctx, name); errdefs.IsNotFound(err) {
		err = r.load(ctx)
	}
	return name, err
}

// load brings the runtime image to the ship as it is written.
func (r *remote) load(ctx context.Context) error {
	from, to := io.Pipe()
	var writing errgroup.Group
	writing.Go(func() error {
		err := r.runtime.Save(ctx, to)
		to.CloseWithError(err)
		return err
	})
	answer, err := r.ship.client.ImageLoad(ctx, from, client.ImageLoadWithQuiet(true))
	if err == nil {
		err = errors.Join(follow(answer.Body), answer.Body.Close())
	}
	from.CloseWithError(err)
	if saving := writing.Wait(); saving != nil && !errors.Is(saving, io.ErrClosedPipe) { // the Engine may leave padding unread
		return saving
	}
	return err
}
