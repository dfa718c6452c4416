package docker

import (
	"context"
	"io"
	"strconv"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// Logs copies what the container printed, both streams, from the last lines on
// (negative: all); with follow, until it ends or ctx does. To attach anew to
// one that was started again is the caller's.
func (s *Ship) Logs(ctx context.Context, id string, lines int, follow bool, to io.Writer) error {
	o := container.LogsOptions{ShowStdout: true, ShowStderr: true, Follow: follow, Tail: "all"}
	if lines >= 0 {
		o.Tail = strconv.Itoa(lines)
	}
	return s.fault(s.printed(ctx, id, o, to, to), "read what %.12s printed", id)
}

// printed takes the two streams of a container apart, which the Engine sends
// in one. One with a terminal has a single stream, and it is sent as it is.
func (s *Ship) printed(ctx context.Context, id string, o container.LogsOptions, out, errs io.Writer) error {
	c, err := s.engine(ctx)
	if err != nil {
		return err
	}
	found, err := c.ContainerInspect(ctx, id)
	if err != nil {
		return err
	}
	from, err := c.ContainerLogs(ctx, found.ID, o)
	if err != nil {
		return err
	}
	defer from.Close()
	if found.Config.Tty {
		_, err = io.Copy(out, from)
	} else {
		_, err = stdcopy.StdCopy(out, errs, from)
	}
	return err
}
