package deployer

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"sync"
	"time"

	"batuta"
)

// Fleet is all ships that deployments may use.
type Fleet struct {
	ships   map[batuta.ShipName]Ship
	options Options
	silent  silences

	applying sync.Mutex       // guards what follows
	holders  map[Scope]string // who applies a plan to it through this fleet
}

// Options are the patience of a fleet, and its bounds. Zero values get the defaults.
type Options struct {
	Ask           time.Duration // for a ship to say what it runs (5 s)
	Glance        time.Duration // the same, for one that did not answer lately and may not be needed (300 ms)
	Act           time.Duration // for a ship to create, start or remove a container, and beyond its stop timeout to stop it (30 s)
	Settle        time.Duration // how long after its start a container with checks must still run (100 ms)
	SettleBlindly time.Duration // the same, without checks (1 s)
	Undo          time.Duration // for putting back what ran before a failed deployment (5 min)
	Pulls         int           // images being pulled at once, in the whole fleet (8)
	PullsPerShip  int           // images being pulled at once by one ship (3)
	MinDisk       int64         // bytes that a ship must have left to be brought anything (512 MiB); less than 0: none
	Lease         time.Duration // after which a lease on an environment ends whose holder is gone (30 s)
	Holder        string        // who deploys, for whom that keeps waiting: ada@laptop, server main (this process, by number and host)

	// Addresses are where the ships' published ports answer, for URLs.
	Addresses map[batuta.ShipName]string
}

// New makes a fleet. Ships are reached when they are first needed.
func New(ships map[batuta.ShipName]Ship, o Options) *Fleet {
	o.Ask = cmp.Or(o.Ask, 5*time.Second)
	o.Glance = cmp.Or(o.Glance, 300*time.Millisecond)
	o.Act = cmp.Or(o.Act, 30*time.Second)
	o.Settle = cmp.Or(o.Settle, 100*time.Millisecond)
	o.SettleBlindly = cmp.Or(o.SettleBlindly, time.Second)
	o.Undo = cmp.Or(o.Undo, 5*time.Minute)
	o.Pulls = cmp.Or(o.Pulls, 8)
	o.PullsPerShip = cmp.Or(o.PullsPerShip, 3)
	o.MinDisk = cmp.Or(o.MinDisk, 512<<20)
	o.Lease = cmp.Or(o.Lease, 30*time.Second)
	o.Holder = cmp.Or(o.Holder, thisProcess())
	return &Fleet{ships: maps.Clone(ships), options: o}
}

func thisProcess() string {
	host, err := os.Hostname()
	return fmt.Sprintf("process %d on %s", os.Getpid(), cmp.Or(host, fmt.Sprint(err)))
}

// Observe asks all ships at once what they run of the scope. A ship that does
// not answer in time is listed as such, and holds up no other. For half a
// minute it then gets less time.
func (f *Fleet) Observe(ctx context.Context, s Scope) State {
	return f.observe(ctx, s, f.ships, f.patience)
}

func (f *Fleet) observe(ctx context.Context, s Scope, ships map[batuta.ShipName]Ship, patience func(batuta.ShipName) time.Duration) State {
	state := State{Unreachable: map[batuta.ShipName]string{}, hasty: map[batuta.ShipName]bool{}}
	var mu sync.Mutex
	var all sync.WaitGroup
	for name := range ships {
		all.Go(func() {
			given := patience(name)
			containers, err := f.containers(ctx, name, s, given)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				state.Unreachable[name], state.hasty[name] = err.Error(), given < f.options.Ask
			}
			state.Containers = append(state.Containers, containers...)
		})
	}
	all.Wait()
	return state.sorted()
}

// answered are the ships that could say what they run when the plan was made.
func (f *Fleet) answered(p Plan) map[batuta.ShipName]Ship {
	ships := maps.Clone(f.ships)
	for _, u := range p.Unreachable {
		delete(ships, u.Ship)
	}
	return ships
}

// ended is why ctx ended; nil if it did not.
func ended(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return context.Cause(ctx)
}

// Plan compares what is wanted with what runs.
func (f *Fleet) Plan(ctx context.Context, want Spec) (Plan, error) {
	have := f.Observe(ctx, want.Scope)
	if err := ended(ctx); err != nil {
		return Plan{}, err
	}
	for _, i := range want.Instances {
		if _, known := f.ships[i.Ship]; !known {
			return Plan{}, &batuta.Error{Kind: batuta.NotFound, Message: fmt.Sprintf("no ship %q", i.Ship)}
		}
	}
	plan := f.Compare(ctx, want, have)
	return plan, ended(ctx)
}

// Status tells what runs of the scope, and which ships do not answer.
func (f *Fleet) Status(ctx context.Context, s Scope) ([]batuta.ContainerState, map[batuta.ShipName]string) {
	have := f.Observe(ctx, s)
	return f.Show(have), have.Unreachable
}

// Show gives the containers of a state as the world sees them. A container's
// URLs are its published ports that are checked by HTTP or named http…, at the
// ship's address.
func (f *Fleet) Show(have State) []batuta.ContainerState {
	out := make([]batuta.ContainerState, 0, len(have.Containers))
	for _, c := range have.Containers {
		if _, is := c.hook(); is {
			continue
		}
		out = append(out, batuta.ContainerState{
			App: c.Scope.App, Environment: c.Scope.Environment, Service: c.Service, Instance: c.Instance, Ship: c.Ship,
			ID: c.ID, Release: c.Release, Image: c.Image.String(), State: c.State, ExitCode: c.ExitCode, Started: c.Started,
			URLs: c.urls(f.options.Addresses[c.Ship]),
		})
	}
	return out
}

func unavailable(ship batuta.ShipName, why error) error {
	return &batuta.Error{Kind: batuta.Unavailable, Message: fmt.Sprintf("ship %s does not answer", ship), Err: why}
}
