package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"batuta"
	"batuta/internal/api/client"
	"batuta/internal/lab"
)

// The environment that a push goes to, and what it is compared with: the
// examples say so.
const (
	qa        = "qa"
	readyPage = "/up"
)

// stand is where both sides of the push measurement work: one BuildKit, one
// Docker Engine, one registry (the server's), one working copy.
type stand struct {
	*bench
	app     batuta.AppName
	server  *service
	client  *client.Client
	engine  *engine
	starts  <-chan string // containers of the app
	copy    *workingCopy
	tools   tools
	address string // of the registry
}

// turn is how long one side took, in all and for each part.
type turn struct {
	answers time.Duration // until the new container's first 200
	ended   time.Duration // until the run had ended; Batuta only
	parts   map[string]time.Duration
}

// measurePush has Batuta and the bare commands take turns. The first turn of
// each warms the caches and does not count.
func measurePush(ctx context.Context, b *bench) ([]row, error) {
	s, err := newStand(ctx, b)
	if err != nil {
		return nil, err
	}
	var ours, bare []turn
	for round := range b.rounds + 1 {
		sides := []func() error{
			func() error { return take(ctx, &ours, s.pushed, fmt.Sprintf("%s-batuta-%d", s.app, round)) },
			func() error { return take(ctx, &bare, s.commanded, fmt.Sprintf("%s-bare-%d", s.app, round)) },
		}
		if round%2 == 1 {
			sides[0], sides[1] = sides[1], sides[0]
		}
		for _, side := range sides {
			if err := side(); err != nil {
				return nil, err
			}
		}
	}
	return pushRows(ours[1:], bare[1:]), nil
}

func take(ctx context.Context, all *[]turn, side func(context.Context, string) (turn, error), mark string) error {
	t, err := side(ctx, mark)
	*all = append(*all, t)
	return err
}

// runTime bounds a run, also one on cold caches.
const runTime = 5 * time.Minute

// pushed pushes a changed file to the server and follows what comes of it. The
// clock starts when the push is durably kept, a little before git push ends.
func (s *stand) pushed(ctx context.Context, mark string) (t turn, err error) {
	revision, err := s.copy.change(ctx, mark)
	if err != nil {
		return t, err
	}
	if err := s.copy.git(ctx, "push", "--quiet", "batuta", "main"); err != nil {
		return t, err
	}
	runs, err := s.client.Runs(ctx, s.app, "", 1)
	if err != nil {
		return t, err
	}
	if len(runs) == 0 || runs[0].Push.Revision != revision {
		return t, fmt.Errorf("no run came of the push of %s", revision)
	}
	run := runs[0]
	first, err := s.firstAnswer(ctx, run.ID, mark)
	if err != nil {
		return t, err
	}
	if run, err = s.end(ctx, run.ID); err != nil {
		return t, err
	}
	t = turn{first.Sub(run.Created), run.Ended.Sub(run.Created), map[string]time.Duration{
		"queued": run.Started.Sub(run.Created),
		// What the environment's promises cost after the new container answers.
		"settled, old one removed, run ended": run.Ended.Sub(first),
	}}
	for _, step := range run.Steps {
		t.parts[step.Name] = step.Ended.Sub(step.Started)
	}
	if s.log {
		return t, s.client.Log(ctx, run.ID, "", false, os.Stderr)
	}
	return t, nil
}

// firstAnswer waits for the container that the run starts, and for its first
// 200.
func (s *stand) firstAnswer(ctx context.Context, id batuta.RunID, mark string) (time.Time, error) {
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for {
		select {
		case container, ok := <-s.starts:
			if !ok {
				return time.Time{}, errors.New("the Engine tells no more what starts")
			}
			return s.poll(ctx, container, mark)
		case <-look.C:
			if run, err := s.client.Run(ctx, id); err != nil || run.Status.Ended() {
				return time.Time{}, fmt.Errorf("run %d is %s without a container: %s %w", id, run.Status, run.Error, err)
			}
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
	}
}

// pollEvery is how often a container that starts is asked.
const pollEvery = 2 * time.Millisecond

// poll asks a container until it answers with 200 and is the one of the mark.
// It gives the time of that answer.
func (s *stand) poll(ctx context.Context, container, mark string) (time.Time, error) {
	address, err := s.engine.address(ctx, container)
	if err != nil {
		return time.Time{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		body, err := get(ctx, "http://"+address+readyPage)
		if err == nil {
			if now := time.Now(); body == answerOf(mark) {
				return now, nil
			}
			return time.Time{}, fmt.Errorf("the new container answers %q, want %q", body, answerOf(mark))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("poll the new container: %w", err)
		}
	}
}

// end waits for the run to succeed.
func (s *stand) end(ctx context.Context, id batuta.RunID) (run batuta.Run, err error) {
	err = lab.Eventually(ctx, runTime, func() (err error) {
		if run, err = s.client.Run(ctx, id); err == nil && !run.Status.Ended() {
			err = fmt.Errorf("run %d is %s", id, run.Status)
		}
		return err
	})
	if err == nil && run.Status != batuta.RunSucceeded {
		err = fmt.Errorf("run %d %s: %s", id, run.Status, run.Error)
	}
	return run, err
}

// pushRows is the whole and its parts.
func pushRows(ours, bare []turn) []row {
	answers := func(t turn) time.Duration { return t.answers }
	rows := []row{
		compared("push accepted until the first 200", each(ours, answers), each(bare, answers), asTime),
		compared("push accepted until the run has ended", each(ours, func(t turn) time.Duration { return t.ended }), each(bare, answers), asTime),
	}
	named := func(name string) func(turn) time.Duration {
		return func(t turn) time.Duration { return t.parts[name] }
	}
	for _, pair := range []struct{ step, command string }{
		{"queued", ""}, {"source", "git clone"}, {"read", ""}, {"build web", "buildctl build"}, {"release", ""},
		{"deploy " + qa, ""}, {"", "docker pull"}, {"", "docker run"}, {"", "poll"}, {"settled, old one removed, run ended", ""},
	} {
		switch {
		case pair.command == "":
			rows = append(rows, part(pair.step, each(ours, named(pair.step)), nil))
		case pair.step == "":
			rows = append(rows, part(pair.command, nil, each(bare, named(pair.command))))
		default:
			rows = append(rows, part(pair.step+" | "+pair.command, each(ours, named(pair.step)), each(bare, named(pair.command))))
		}
	}
	return rows
}
