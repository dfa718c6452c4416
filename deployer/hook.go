package deployer

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"batuta"
)

// The moments at which hooks run.
const (
	hookBefore    = "before"
	hookAfter     = "after"
	hookOnFailure = "on_failure"
)

const (
	defaultHookTimeout = 10 * time.Minute
	hookLines          = 200 // of its output, in the log
)

// hookMark is what the label batuta.spec of a hook's container holds in the
// place of an instance's specification, so that nobody takes it for one.
type hookMark struct {
	Hook    string             `json:"hook"` // the moment
	Service batuta.ServiceName `json:"of"`
}

const hookPrefix = `{"hook":`

// hook tells whether the container ran a hook, and whose.
func (c Container) hook() (m hookMark, is bool) {
	if !strings.HasPrefix(c.Spec, hookPrefix) {
		return m, false
	}
	return m, json.Unmarshal([]byte(c.Spec), &m) == nil
}

// marked is the hook's container as it is created: told apart from every
// instance, known to no peer by the service's name, and never restarted.
func (h Hook) marked(service batuta.ServiceName, moment string, n int) Instance {
	i := h.Instance
	i.Name = cmp.Or(i.Name, batuta.InstanceName(fmt.Sprintf("%s-%s-%d", service, moment, n+1)))
	i.Service = batuta.ServiceName(i.Name)
	i.Called, i.Aliases, i.Ports, i.Checks, i.Restart = "", nil, nil, nil, "no"
	mark, err := json.Marshal(hookMark{moment, service})
	if err != nil {
		panic(err) // two strings
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d\x00%s\x00%s", mark, n, h.Instance.Config, h.Instance.Command))
	i.Spec, i.Config = string(mark), hex.EncodeToString(sum[:])
	return i
}

// before runs the hooks that gate the group's changes.
func (r *rollout) before(ctx context.Context, g *group) error {
	if !r.touches(g) {
		return nil
	}
	return r.hooks(ctx, g, hookBefore, g.Hooks.Before)
}

// promise makes the containers of the hooks that are to run when all is ready,
// before anything changes: whoever is killed meanwhile leaves them to tell the
// next deployment that it has to run them.
func (r *rollout) promise(ctx context.Context) error {
	for _, wave := range r.waves() {
		for _, g := range r.groups(wave) {
			if !r.touches(g) {
				continue
			}
			for n, h := range g.Hooks.After {
				if err := r.owe(ctx, g.service, h.marked(g.service, hookAfter, n)); err != nil {
					return &failure{g.service, fmt.Sprintf("prepare hook %s of %s on %s", hookAfter, g.service, h.Instance.Ship), err}
				}
			}
		}
	}
	return nil
}

// owe makes the container of one hook. One that was interrupted is not gone
// before the new one is there.
func (r *rollout) owe(ctx context.Context, service batuta.ServiceName, i Instance) error {
	ship := r.fleet.ships[i.Ship]
	return r.fleet.act(ctx, 0, func(ctx context.Context) error {
		for _, c := range r.plan.interrupted {
			if !matches(c, &i) || !c.alive() {
				continue
			}
			if err := ship.Kill(ctx, c.ID); err != nil {
				return err
			}
		}
		id, err := ship.Create(ctx, r.plan.Scope, r.plan.Release, i)
		if err == nil {
			r.owed = append(r.owed, owed{id, i.Ship, service})
		}
		return err
	})
}

// owed is a hook that is to run when all is ready.
type owed struct {
	id      string
	ship    batuta.ShipName
	service batuta.ServiceName
}

// waive removes the containers of hooks that are not to run any more. What is
// new of a service may have to stay; then its hooks are still to run.
func (r *rollout) waive(ctx context.Context, stay map[batuta.ServiceName]bool) {
	for _, o := range r.owed {
		if !stay[o.service] {
			_ = r.fleet.remove(ctx, Container{ID: o.id, Ship: o.ship}) // the next deployment does it otherwise
		}
	}
}

// oweAgain makes the containers of after hooks that failed, of groups whose new
// containers stay: the next deployment has to run them. It does not matter if
// that does not work; they are told of with what failed.
func (r *rollout) oweAgain(ctx context.Context, stays func(*group) bool) {
	for _, g := range r.begun {
		if !r.touches(g) || !stays(g) {
			continue
		}
		for n, h := range g.Hooks.After {
			if i := h.marked(g.service, hookAfter, n); !r.done[i.Name] {
				_ = r.owe(ctx, g.service, i)
			}
		}
	}
}

// after runs the hooks of all services that changed, each service's in order.
func (r *rollout) after(ctx context.Context) error {
	all, ctx := errgroup.WithContext(ctx)
	for _, g := range r.begun {
		if r.touches(g) {
			all.Go(func() error { return r.hooks(ctx, g, hookAfter, g.Hooks.After) })
		}
	}
	return all.Wait()
}

// touches tells whether anything happens to the group's service, or did when a
// hook of it was interrupted.
func (r *rollout) touches(g *group) bool {
	for _, c := range r.plan.interrupted {
		if m, _ := c.hook(); m.Service == g.service {
			return true
		}
	}
	return g.changes()
}

// onFailure tells the services of a deployment that has failed, once all is
// put back. Nothing depends on how that goes.
func (r *rollout) onFailure(ctx context.Context) {
	var all sync.WaitGroup
	for _, g := range r.begun {
		if r.touches(g) {
			all.Go(func() {
				if err := r.hooks(ctx, g, hookOnFailure, g.Hooks.OnFailure); err != nil {
					r.tell(Event{Service: g.service, Ship: g.tasks[0].Ship, Instance: g.tasks[0].Instance, Text: err.Error()})
				}
			})
		}
	}
	all.Wait()
}

// hooks runs hooks one after the other.
func (r *rollout) hooks(ctx context.Context, g *group, moment string, hooks []Hook) error {
	for n, h := range hooks {
		i := h.marked(g.service, moment, n)
		if moment == hookBefore && r.wasDone(i.Name) {
			r.hookSays(g, i, fmt.Sprintf("hook %s of %s was done before the deployment was interrupted", moment, g.service), 0)
			continue
		}
		began := time.Now()
		if err := r.run(ctx, i, cmp.Or(h.Timeout, defaultHookTimeout)); err != nil {
			return &failure{g.service, fmt.Sprintf("hook %s of %s on %s: %s", moment, g.service, i.Ship, commandText(i.Command)), err}
		}
		r.isDone(i.Name)
		r.hookSays(g, i, fmt.Sprintf("hook %s of %s is done", moment, g.service), time.Since(began))
	}
	return nil
}

func (r *rollout) isDone(hook batuta.InstanceName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done[hook] = true
}

func (r *rollout) wasDone(hook batuta.InstanceName) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.done[hook]
}

func (r *rollout) hookSays(g *group, i Instance, text string, took time.Duration) {
	r.tell(Event{Ship: i.Ship, Service: g.service, Instance: i.Name, Release: r.plan.Release, Text: text, Took: took})
}

// run runs a container to its end, and disposes of it however that was.
func (r *rollout) run(ctx context.Context, i Instance, timeout time.Duration) (err error) {
	ship := r.fleet.ships[i.Ship]
	var id string
	err = r.fleet.act(ctx, 0, func(ctx context.Context) (err error) {
		id, err = ship.Create(ctx, r.plan.Scope, r.plan.Release, i)
		return err
	})
	if err != nil {
		return err
	}
	defer func() { r.dispose(ctx, Container{ID: id, Ship: i.Ship, Spec: i.Spec}, err) }()
	if err := r.fleet.act(ctx, 0, func(ctx context.Context) error { return ship.Start(ctx, id) }); err != nil {
		return err
	}
	waited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	began := time.Now()
	exit, err := ship.Wait(waited, id)
	a := awaited{ship: ship, id: id, secrets: i.secrets}
	switch {
	case ended(ctx) != nil:
		return r.cutShort(ctx, a, i, time.Since(began))
	case waited.Err() != nil:
		_ = r.askToEnd(ctx, a, i) // it is removed in any case
		return a.withTail(ctx, a.unhealthy(fmt.Sprintf("not done within %s", timeout)))
	case err != nil:
		return err
	case exit.Code != 0 || exit.Error != "":
		return a.withTail(ctx, a.unhealthy(exit.String()))
	}
	return r.print(ctx, a, i)
}

// cutShort has a hook that somebody cancelled end of itself.
func (r *rollout) cutShort(ctx context.Context, a awaited, i Instance, after time.Duration) error {
	cause := ended(ctx)
	if errors.Is(cause, ErrSuspended) || r.isLost() {
		return cause
	}
	if err := r.askToEnd(ctx, a, i); err != nil {
		return fmt.Errorf("%w, and it does not end: %w", cause, err)
	}
	_ = r.print(context.WithoutCancel(ctx), a, i) // that it was cancelled is what matters
	return fmt.Errorf("%w %s after it began, and what it has done is not undone", cause, after.Round(time.Second))
}

// askToEnd gives a hook's command time to end: a migration may have something
// to finish, or to take back.
func (r *rollout) askToEnd(ctx context.Context, a awaited, i Instance) error {
	text := fmt.Sprintf("%s is asked to end, and has %s for it", commandText(i.Command), i.StopTimeout)
	r.tell(Event{Ship: i.Ship, Service: i.Service, Instance: i.Name, Release: r.plan.Release, Text: text})
	return r.fleet.act(context.WithoutCancel(ctx), i.StopTimeout, func(ctx context.Context) error { return a.ship.Stop(ctx, a.id, i.StopTimeout) })
}

// dispose removes a hook's container. That of a deployment which is suspended is
// ended and stays, to run again; that of one which failed may have to; and that
// of one which was to run before all else, and did, stays until the deployment
// has ended, to tell whoever takes it up.
func (r *rollout) dispose(ctx context.Context, c Container, err error) {
	if m, _ := c.hook(); err == nil && m.Hook == hookBefore {
		r.keep(c)
		return
	}
	gone := r.fleet.remove
	owed := slices.ContainsFunc(r.owed, func(o owed) bool { return o.id == c.ID })
	if errors.Is(context.Cause(ctx), ErrSuspended) || owed && err != nil {
		gone = r.fleet.kill
	}
	_ = gone(context.WithoutCancel(ctx), c) // the next deployment does it otherwise
}

// print puts what a hook printed into the log.
func (r *rollout) print(ctx context.Context, a awaited, i Instance) error {
	ctx, cancel := context.WithTimeout(ctx, tailWait)
	defer cancel()
	lines, err := a.ship.Tail(ctx, a.id, hookLines)
	if err != nil {
		lines = []string{"(what it printed is not to be had: " + err.Error() + ")"}
	}
	for _, line := range lines {
		r.tell(Event{Ship: i.Ship, Instance: i.Name, Release: r.plan.Release, Text: a.blank(line)})
	}
	return nil
}

// sweep removes the containers of hooks that were interrupted: whoever ran
// them no longer holds the lease.
func (r *rollout) sweep(ctx context.Context) error {
	for _, c := range r.plan.interrupted {
		if slices.ContainsFunc(r.owed, func(o owed) bool { return o.id == c.ID }) || r.recalls(c) {
			continue
		}
		if err := r.fleet.remove(ctx, c); err != nil {
			return fmt.Errorf("remove the interrupted hook %s on %s: %w", c.Name, c.Ship, err)
		}
		r.sayOf(c, "", "a hook that was interrupted is removed; it runs again")
	}
	return nil
}
