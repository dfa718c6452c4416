package deployer

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"batuta"
)

// pullPause is between two attempts to pull an image.
const pullPause = time.Second

// start has the part run. One that runs is compared with what is declared and
// checked once, and not touched.
func (s *scene) start(ctx context.Context, p *part) (string, error) {
	d, of, err := s.of(ctx, p)
	if err != nil {
		return "", err
	}
	if c := aliveOf(of); c != nil && c.running() {
		return s.up(ctx, d, p, *c)
	}
	if c := stoppedOf(of); c != nil && s.order.Reuse {
		return s.again(ctx, d, p, *c)
	}
	if err := d.image(ctx, p, s.order.Refresh); err != nil {
		return "", err
	}
	return s.renew(ctx, d, p, of)
}

// up tells since when it runs, and as what; that it does not pass its checks
// is an error.
func (s *scene) up(ctx context.Context, d *deck, p *part, c Container) (string, error) {
	a := s.awaited(d, p, c.ID)
	for _, check := range p.Checks {
		if err := a.probe(ctx, check); err != nil {
			return "", a.unhealthy(fmt.Sprintf("up for %s, but %s: %v", Age(time.Since(c.Started)), check, err))
		}
	}
	return upText(c, p.Instance), nil
}

func upText(c Container, want Instance) string {
	if why := differs(c, want); len(why) > 0 {
		return "up, differs from the document: " + strings.Join(why, "; ") + " (restart to apply)"
	}
	return "up for " + Age(time.Since(c.Started))
}

// differs says what differs from a container to an instance as declared. An
// image that is known by digest on one side, and as written on the other, is
// taken for the same if the repository is.
func differs(c Container, want Instance) []string {
	if c.Config == want.Config {
		return c.Altered
	}
	was, known := recall(c)
	now, _ := recall(Container{Spec: want.Spec})
	switch {
	case !known:
		return []string{"configuration changed"}
	case strings.HasPrefix(now.Reference, builtMark), was.Reference == "" && now.Reference != "" && sameRepository(now.Reference, was.Image.Repository),
		was.Reference != "" && now.Reference == "" && sameRepository(was.Reference, now.Image.Repository):
		was.Reference, was.Image = now.Reference, now.Image
	}
	out := was.changes(now)
	if was.Reference != now.Reference {
		out = append([]string{fmt.Sprintf("image %s → %s", was.imageText(), now.imageText())}, out...)
	}
	if len(out) == 0 && !reflect.DeepEqual(was, now) {
		out = []string{"configuration changed"}
	}
	return out
}

func (f fingerprint) imageText() string {
	if f.Reference != "" {
		return f.Reference
	}
	return f.Image.String()
}

func sameRepository(reference, repository string) bool {
	rest, ok := strings.CutPrefix(reference, repository)
	if !ok {
		rest, ok = strings.CutPrefix(reference, strings.TrimPrefix(strings.TrimPrefix(repository, "docker.io/"), "library/"))
	}
	return ok && !strings.Contains(rest, "/")
}

// again starts the container that there is, whatever its configuration.
func (s *scene) again(ctx context.Context, d *deck, p *part, c Container) (string, error) {
	if err := s.fleet.lifecycle(ctx, d.ship, "", p.Env, p.Lifecycle.PreStart); err != nil {
		return "", err
	}
	return s.run(ctx, d, p, c.ID)
}

// renew makes a new container in the place of the stopped ones, and has it
// run. The name is the instance's own, so that the old has to go first.
func (s *scene) renew(ctx context.Context, d *deck, p *part, old []Container) (string, error) {
	if err := s.fleet.lifecycle(ctx, d.ship, "", p.Env, p.Lifecycle.PreStart); err != nil {
		return "", err
	}
	for _, c := range old {
		if c.alive() { // restarting, paused
			if err := s.fleet.stop(ctx, c); err != nil {
				return "", err
			}
		}
		if err := s.fleet.remove(ctx, c); err != nil {
			return "", err
		}
	}
	s.say(p, "creating…")
	var id string
	err := s.fleet.act(ctx, 0, func(ctx context.Context) (err error) {
		id, err = d.ship.Create(ctx, s.play.spec.Scope, s.play.spec.Release, p.Instance)
		return err
	})
	if err != nil {
		return "", err
	}
	return s.run(ctx, d, p, id)
}

// run starts a container and waits until it is ready. One that does not become
// so is stopped again: a failed start leaves nothing half.
func (s *scene) run(ctx context.Context, d *deck, p *part, id string) (string, error) {
	began := time.Now()
	s.say(p, "starting…")
	if err := s.fleet.act(ctx, 0, func(ctx context.Context) error { return d.ship.Start(ctx, id) }); err != nil {
		return "", err
	}
	if len(p.Checks) > 0 {
		s.say(p, "waiting for its checks…")
	}
	a := s.awaited(d, p, id)
	a.settle = s.fleet.settle(p.Checks)
	err := a.ready(ctx)
	if err == nil {
		err = s.lasting(ctx, d, a, id)
	}
	if err == nil {
		return fmt.Sprintf("started %.12s in %s", shortID(id), time.Since(began).Round(time.Millisecond)), nil
	}
	if errors.Is(err, errLost) {
		return "", err // another has its say now
	}
	s.say(p, "stopping what did not become ready…")
	c := Container{ID: id, Ship: p.Ship, Instance: p.Name, Spec: p.Spec}
	if down := s.fleet.halt(context.WithoutCancel(ctx), c); down != nil {
		err = errors.Join(err, fmt.Errorf("and it could not be stopped: %w", down))
	}
	return "", err
}

func (s *scene) awaited(d *deck, p *part, id string) awaited {
	return awaited{ship: d.ship, id: id, checks: p.Checks, env: p.Env, secrets: p.secrets}
}

// lasting makes sure that the container is still in its first life: one that
// crashes at once may be restarted before anybody could wait for its end.
func (s *scene) lasting(ctx context.Context, d *deck, a awaited, id string) error {
	if a.checks != nil && a.settle == 0 {
		return nil
	}
	now, err := d.now(ctx)
	if err != nil {
		return err
	}
	n := slices.IndexFunc(now, func(c Container) bool { return c.ID == id })
	switch {
	case n < 0:
		return &batuta.Error{Kind: batuta.Conflict, Message: "somebody removed it"}
	case now[n].running() && now[n].Restarts == 0:
		return nil
	}
	return a.withTail(ctx, a.unhealthy(fmt.Sprintf("it crashed, and Docker restarted it (%s)", now[n].condition())))
}

// Age is a duration as people say it: 45s, 3m, 2h, 5d.
func Age(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Second:
		return "less than a second"
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dd", d/day)
}

func shortID(id string) string { return id[:min(len(id), 12)] }

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
