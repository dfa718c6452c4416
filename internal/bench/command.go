package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"batuta/internal/lab/host"
)

// commanded is the turn of the docker command line: the same containers, in a
// network of their own, all commands of an act at the same time.
func (q *quay) commanded(ctx context.Context, n int) (l lap, err error) {
	network := string(q.scope.Environment) + "-bare"
	acts := []struct {
		took *time.Duration
		do   func() error
	}{
		{&l.start, func() error { return q.dockerStart(ctx, network, "first", n) }},
		{&l.noop, func() error {
			return q.docker(ctx, append([]string{"container", "inspect"}, bareNames("first", n)...)...)
		}},
		{&l.status, func() error { return q.docker(ctx, "container", "ls", "--all", "--filter", "network="+network) }},
		{&l.restart, func() error {
			return q.abreastly(ctx, n, func(i int) error {
				if err := q.dockerRun(ctx, network, "next", i); err != nil {
					return err
				}
				return q.dockerStop(ctx, "first", i)
			})
		}},
		{&l.stop, func() error { return q.dockerEnd(ctx, network, "next", n) }},
	}
	for _, act := range acts {
		began := time.Now()
		if err := act.do(); err != nil {
			return l, err
		}
		*act.took = time.Since(began)
	}
	return l, nil
}

// commandedAbreast has the docker command line start perShip containers on each
// ship, on all of them at once. What it started is gone when it returns.
func (q *quay) commandedAbreast(ctx context.Context) (time.Duration, error) {
	network := string(q.scope.Environment) + "-bare"
	on := func(n int) *quay {
		return &quay{bench: q.bench, ships: q.ships[n : n+1], image: q.image, scope: q.scope}
	}
	began := time.Now()
	err := q.abreastly(ctx, len(q.ships), func(n int) error { return on(n).dockerStart(ctx, network, "first", perShip) })
	took := time.Since(began)
	if err != nil {
		return 0, err
	}
	return took, q.abreastly(ctx, len(q.ships), func(n int) error { return on(n).dockerEnd(ctx, network, "first", perShip) })
}

// dockerStart makes a network, and starts n containers in it at the same time.
func (q *quay) dockerStart(ctx context.Context, network, release string, n int) error {
	if err := q.docker(ctx, "network", "create", network); err != nil {
		return err
	}
	return q.abreastly(ctx, n, func(i int) error { return q.dockerRun(ctx, network, release, i) })
}

// dockerEnd stops and removes what dockerStart has made.
func (q *quay) dockerEnd(ctx context.Context, network, release string, n int) error {
	if err := q.abreastly(ctx, n, func(i int) error { return q.dockerStop(ctx, release, i) }); err != nil {
		return err
	}
	return q.docker(ctx, "network", "rm", network)
}

func (q *quay) abreastly(ctx context.Context, n int, do func(int) error) error {
	g, _ := errgroup.WithContext(ctx)
	for i := range n {
		g.Go(func() error { return do(i) })
	}
	return g.Wait()
}

func bareName(release string, i int) string { return fmt.Sprintf("bare-%s-%d", release, i+1) }

func bareNames(release string, n int) []string {
	out := make([]string, n)
	for i := range n {
		out[i] = bareName(release, i)
	}
	return out
}

func (q *quay) dockerRun(ctx context.Context, network, release string, i int) error {
	return q.docker(ctx, "run", "--detach", "--name", bareName(release, i), "--network", network, "--network-alias", "web", "--network-alias", fmt.Sprintf("web-%d", i+1), "--restart", "unless-stopped",
		"--env", "RELEASE="+release, q.image.String(), "/bin/busybox", "sh", "-c", script)
}

func (q *quay) dockerStop(ctx context.Context, release string, i int) error {
	if err := q.docker(ctx, "stop", bareName(release, i)); err != nil {
		return err
	}
	return q.docker(ctx, "rm", "--volumes", bareName(release, i))
}

// docker runs a command of Docker's on the first ship.
func (q *quay) docker(ctx context.Context, args ...string) error {
	if err := host.Run(ctx, "docker", append([]string{"--host", q.ships[0].Endpoint}, args...)...); err != nil {
		return fmt.Errorf("docker %s: %w", strings.Join(args[:min(2, len(args))], " "), err)
	}
	return nil
}
