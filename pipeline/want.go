package pipeline

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"batuta"
	"batuta/deployer"
)

// view is an environment as it is meant to be and as it is.
type view struct {
	release batuta.Release
	have    deployer.State
	seen    map[batuta.ShipName][]deployer.Container // what ran when all was as it should be
	want    deployer.Spec
	ships   map[batuta.ShipName]ShipRecord
	last    batuta.Deployment // to the environment, however it ended; only live finds it
}

// look compares what a release wants in an environment with what runs there.
func (p *Pipeline) look(ctx context.Context, app App, r batuta.Release, env batuta.EnvironmentName) (view, error) {
	have := p.Fleet.Observe(ctx, scope(app.Name, env))
	return p.view(ctx, app, r, env, have)
}

// view is what a release wants in an environment, where have runs.
func (p *Pipeline) view(ctx context.Context, app App, r batuta.Release, env batuta.EnvironmentName, have deployer.State) (view, error) {
	v := view{release: r, have: have}
	text, ok := r.Documents[env]
	if !ok {
		return v, &batuta.Error{Kind: batuta.NotFound, Message: fmt.Sprintf("release %d of %s has no document for %s", r.Number, r.App, env), Hint: "its " + RecipeFile + " names " + names(r.Order) + " in promote"}
	}
	grant, err := app.grant(env)
	if err != nil {
		return v, err
	}
	records, err := p.Store.Ships(ctx)
	if err != nil {
		return v, err
	}
	v.ships = records
	if v.seen, err = p.Store.Sightings(ctx, app.Name, env); err != nil {
		return v, err
	}
	in := app.input(env, grant)
	in.Release, in.Images, in.Pins, in.Key = r.Number, r.Images, r.Pins, p.Key
	in.Ships, in.Current = marked(grant.Ships, records), v.current()
	if len(v.seen) > 0 {
		v.shun(in.Ships)
	}
	doc := ReadDocument(EnvironmentFile(env), []byte(text))
	if v.want, err = app.resolve(doc, in); err != nil {
		return v, err
	}
	v.rescue(app, doc, in, records)
	return v, nil
}

// shun has nothing new come to ships that do not answer. It is known what ran
// there, so that it stays.
func (v view) shun(ships []deployer.ShipInfo) {
	for i := range ships {
		if _, away := v.have.Unreachable[ships[i].Name]; away {
			ships[i].Cordoned = true
		}
	}
}

// marked is the ships with what people want of them.
func marked(ships []deployer.ShipInfo, records map[batuta.ShipName]ShipRecord) []deployer.ShipInfo {
	out := slices.Clone(ships)
	for i := range out {
		mark := records[out[i].Name].Mark
		out[i].Cordoned, out[i].Leaving = mark != Open, mark == Draining
	}
	return out
}

// current is what runs, and what ran last on the ships that do not answer: so
// that nothing moves away from a ship because it is silent for a moment.
func (v view) current() []deployer.Container {
	out := slices.Clone(v.have.Containers)
	for _, ship := range slices.Sorted(maps.Keys(v.have.Unreachable)) {
		out = append(out, v.seen[ship]...)
	}
	return out
}

// rescue places what ran on a ship that has been silent for longer than its
// service allows elsewhere, if there is a place for it.
func (v *view) rescue(app App, doc Document, in deployer.Input, records map[batuta.ShipName]ShipRecord) {
	for _, name := range slices.Sorted(maps.Keys(v.want.Services)) {
		lost := v.lost(name, records)
		if len(lost) == 0 {
			continue
		}
		elsewhere := in
		elsewhere.Ships = slices.Clone(in.Ships)
		for i := range elsewhere.Ships {
			if slices.Contains(lost, elsewhere.Ships[i].Name) {
				elsewhere.Ships[i].Cordoned, elsewhere.Ships[i].Leaving = true, true
			}
		}
		if spec, err := app.resolve(doc, elsewhere); err == nil {
			v.replace(name, spec)
		}
	}
}

// lost are the ships that a service's counted instances have waited for long
// enough.
func (v view) lost(name batuta.ServiceName, records map[batuta.ShipName]ShipRecord) []batuta.ShipName {
	s := v.want.Services[name]
	if !s.Counted || s.LostAfter == 0 {
		return nil
	}
	var out []batuta.ShipName
	for _, i := range v.want.Instances {
		silent := records[i.Ship].Silent
		_, away := v.have.Unreachable[i.Ship]
		if i.Service == name && away && !silent.IsZero() && time.Since(silent) >= s.LostAfter {
			out = append(out, i.Ship)
		}
	}
	return out
}

// replace takes the instances of one service from another specification of the
// same document.
func (v *view) replace(name batuta.ServiceName, from deployer.Spec) {
	v.want.Instances = slices.Clone(v.want.Instances)
	v.want.Services = maps.Clone(v.want.Services)
	v.want.Services[name] = from.Services[name]
	for i, was := range v.want.Instances {
		for _, now := range from.Instances {
			if was.Service == name && was.Name == now.Name {
				v.want.Instances[i] = now
			}
		}
	}
}

// within is what is wanted on the ships that answer: what is on the others
// stays as it is, whatever that may be.
func (v view) within() deployer.Spec {
	want := v.want
	want.Instances = slices.DeleteFunc(slices.Clone(want.Instances), func(i deployer.Instance) bool {
		_, away := v.have.Unreachable[i.Ship]
		return away
	})
	return want
}
