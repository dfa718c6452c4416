package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"batuta"
	"batuta/deployer"
)

const defaultTimeout = 5 * time.Second // of one attempt, if the check has none

// Probe makes one attempt at the check. That it did not pass is an error of
// kind Unhealthy that says no more than why: connection refused.
//
// A tcp or http check connects to the container's own address from within the
// ship: from the container's network namespace if the container is a process
// of this machine, else from a probe container in the ship's network. The
// server must not dial the address itself, which may well be that of another
// container on another ship.
//
// What an exec check runs is not ended when ctx ends; Docker has no way to.
func (s *Ship) Probe(ctx context.Context, id string, c deployer.Check) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.Timeout, defaultTimeout))
	defer cancel()
	switch {
	case c.Outside != "":
		return &batuta.Error{Kind: batuta.Invalid, Message: "a check from outside is not for the ship to make"}
	case c.Type == deployer.CheckExec:
		return s.exec(ctx, id, c)
	case c.Type == deployer.CheckTCP, c.Type == deployer.CheckHTTP:
		return s.probe(ctx, id, c)
	case c.Type == deployer.CheckHealth:
		return s.health(ctx, id)
	}
	return &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("%q is not a check that a ship makes", c.Type)}
}

func (s *Ship) probe(ctx context.Context, id string, c deployer.Check) error {
	if t, ok := s.targets.lately(id); ok && s.origin.local() {
		if err := probeInside(ctx, t, c); !errors.Is(err, errElsewhere) {
			return err
		}
	}
	t, err := s.target(ctx, id)
	if err != nil {
		return s.fault(err, "check %.12s", id)
	}
	if s.origin.local() {
		if err := probeInside(ctx, t, c); !errors.Is(err, errElsewhere) {
			return err
		}
	}
	err = s.remote.probe(ctx, t, c)
	if s.origin.local() && errors.Is(err, batuta.Invalid) {
		// A process that is gone looks like one of another machine until the
		// Engine has noticed. If it is none, there is an end to the waiting.
		return unhealthy("%v", err)
	}
	return err
}

// health passes if Docker's own health check has passed last.
func (s *Ship) health(ctx context.Context, id string) error {
	if _, err := s.engine(ctx); err != nil {
		return s.fault(err, "check %.12s", id)
	}
	found, err := s.inspect(ctx, id)
	switch {
	case err != nil:
		return s.fault(err, "check %.12s", id)
	case !found.State.Running:
		return unhealthy("the container does not run: it is %s", found.State.Status)
	case found.State.Health == nil || found.State.Health.Status == container.NoHealthcheck:
		return &batuta.Error{
			Kind: batuta.Invalid, Message: "the container has no health check of Docker's",
			Hint: "declare healthcheck, or a HEALTHCHECK in the image",
		}
	case found.State.Health.Status == container.Healthy:
		return nil
	}
	if log := found.State.Health.Log; len(log) > 0 {
		return unhealthy("%s: %s", found.State.Health.Status, strings.TrimSpace(log[len(log)-1].Output))
	}
	return unhealthy("%s", found.State.Health.Status)
}

// exec runs the check's command in the container.
func (s *Ship) exec(ctx context.Context, id string, c deployer.Check) error {
	code, printed, err := s.run(ctx, id, c.Command)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return unhealthy("it did not end in time")
	case errdefs.IsConflict(err), errors.Is(err, batuta.Conflict):
		return unhealthy("the container does not run")
	case err != nil:
		return s.fault(err, "check %.12s", id)
	case code != 0 && len(printed) > 0:
		return unhealthy("exited %d: %s", code, strings.Join(printed, "\n"))
	case code != 0:
		return unhealthy("exited %d", code)
	}
	return nil
}

// execLines is how much is told of what a check's command printed.
const execLines = 5

func (s *Ship) run(ctx context.Context, id string, command []string) (code int, printed []string, err error) {
	c, err := s.engine(ctx)
	if err != nil {
		return 0, nil, err
	}
	made, err := c.ContainerExecCreate(ctx, id, container.ExecOptions{Cmd: command, AttachStdout: true, AttachStderr: true})
	if err != nil {
		return 0, nil, err
	}
	output, err := s.stream(ctx, "/exec/"+made.ID+"/start", container.ExecStartOptions{}, false)
	if err != nil {
		return 0, nil, err
	}
	defer output.Close()
	t := &tail{keep: execLines}
	if err := t.read(output); err != nil {
		return 0, nil, err
	}
	for {
		found, err := c.ContainerExecInspect(ctx, made.ID)
		if err != nil || !found.Running {
			return found.ExitCode, t.lines, err
		}
		if err := pause(ctx, execPause); err != nil { // its output ends before the Engine knows of its end
			return 0, nil, err
		}
	}
}

const execPause = 10 * time.Millisecond

func unhealthy(format string, args ...any) error {
	return &batuta.Error{Kind: batuta.Unhealthy, Message: fmt.Sprintf(format, args...)}
}
