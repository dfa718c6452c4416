package docker

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"

	"batuta/deployer"
)

// Start starts a created or stopped container; one that runs is no error.
func (s *Ship) Start(ctx context.Context, id string) error {
	c, err := s.engine(ctx)
	if err == nil {
		err = c.ContainerStart(ctx, id, container.StartOptions{})
	}
	return s.fault(err, "start %.12s", id)
}

// Stop ends the container with the signal that its image asks for, which is
// SIGTERM unless the image says otherwise; after the timeout, which is rounded
// up to full seconds, with SIGKILL. One that does not run, or is gone, is no
// error.
func (s *Ship) Stop(ctx context.Context, id string, timeout time.Duration) error {
	c, err := s.engine(ctx)
	if err == nil {
		err = c.ContainerStop(ctx, id, container.StopOptions{Timeout: new(seconds(timeout))})
	}
	if errdefs.IsNotFound(err) {
		return nil
	}
	return s.fault(err, "stop %.12s", id)
}

// Kill ends the container with SIGKILL, and its restarts. One that does not
// run, or is gone, is no error.
func (s *Ship) Kill(ctx context.Context, id string) error {
	c, err := s.engine(ctx)
	if err == nil {
		err = c.ContainerKill(ctx, id, "SIGKILL")
	}
	if errdefs.IsConflict(err) { // it does not run, or is between two lives
		err = c.ContainerStop(ctx, id, container.StopOptions{Timeout: new(0)})
	}
	if errdefs.IsNotFound(err) {
		return nil
	}
	return s.fault(err, "kill %.12s", id)
}

// Remove deletes the container, running or not, with its anonymous volumes.
// One that is gone is no error.
func (s *Ship) Remove(ctx context.Context, id string) error {
	return s.fault(s.remove(ctx, id), "remove %.12s", id)
}

// remove asks again while somebody else removes the container: Docker's own
// way to wait for that misses the end of a removal that is almost over.
func (s *Ship) remove(ctx context.Context, id string) error {
	c, err := s.engine(ctx)
	for err == nil {
		err = c.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
		switch {
		case err == nil, errdefs.IsNotFound(err):
			return nil
		case errdefs.IsConflict(err) && strings.Contains(err.Error(), "already in progress"):
			err = pause(ctx, namePause)
		}
	}
	return err
}

// Wait returns when the container does not run (any more). One that its
// restart policy is about to start again has ended, too.
func (s *Ship) Wait(ctx context.Context, id string) (deployer.Exit, error) {
	exit, err := s.exit(ctx, id)
	return exit, s.fault(err, "wait for %.12s", id)
}

func (s *Ship) exit(ctx context.Context, id string) (deployer.Exit, error) {
	code, err := s.wait(ctx, id)
	if err != nil {
		return deployer.Exit{}, err
	}
	exit := deployer.Exit{Code: code}
	found, err := s.client.ContainerInspect(ctx, id)
	switch {
	case errdefs.IsNotFound(err): // it was removed
		return exit, nil
	case err != nil:
		return deployer.Exit{}, err
	}
	exit.OOMKilled, exit.Error = found.State.OOMKilled, found.State.Error
	if exit.Code == 0 && found.RestartCount > 0 {
		exit.Code = s.diedWith(ctx, found)
	}
	return exit, nil
}

// diedWith finds the exit code of a container that its restart policy starts
// again: Docker forgets it at that moment, and may answer 0 to who waited. Its
// events still know; 0 if they do not.
func (s *Ship) diedWith(ctx context.Context, found container.InspectResponse) int {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	past, _ := s.client.Events(ctx, events.ListOptions{
		Since:   found.Created, // by the ship's own clock
		Filters: filters.NewArgs(filters.Arg("container", found.ID), filters.Arg("event", string(events.ActionDie))),
	})
	select {
	case died := <-past:
		code, _ := strconv.Atoi(died.Actor.Attributes["exitCode"])
		return code
	case <-ctx.Done():
		return 0
	}
}

// wait gives the exit code of a container that does not run (any more).
func (s *Ship) wait(ctx context.Context, id string) (int, error) {
	c, err := s.engine(ctx)
	if err != nil {
		return 0, err
	}
	answer, failure := c.ContainerWait(ctx, id, container.WaitConditionNotRunning) // one of the two always comes, by ctx at the latest
	select {
	case ended := <-answer:
		return int(ended.StatusCode), nil
	case err := <-failure:
		return 0, err
	}
}
