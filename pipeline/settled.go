package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"batuta"
)

// Settled is what an app's batuta.yml came to mean in a run.
type Settled struct {
	App      batuta.AppName  `json:"app"`
	Run      batuta.RunID    `json:"run"`
	Revision batuta.Revision `json:"revision"`
	Recipe   string          `json:"recipe"`            // batuta.yml in full, with every default
	Promote  []Term          `json:"promote,omitempty"` // the rules in force where server.yml has some, too
}

// Settled gives the recipe of the app's newest run that read one, with what it
// left to the server filled in; NotFound if no run did yet.
func (p *Pipeline) Settled(ctx context.Context, name batuta.AppName) (Settled, error) {
	app, err := p.app(name)
	if err != nil {
		return Settled{}, err
	}
	run, err := p.Store.Newest(ctx, name, ReadStep)
	if err != nil {
		return Settled{}, err
	}
	var b Blueprint
	if err := json.Unmarshal(run.Steps[0].Output, &b); err != nil {
		return Settled{}, fmt.Errorf("read the recipe of run %d: %w", run.ID, err)
	}
	r := b.Recipe
	if r.Retries == nil {
		r.Retries = new(min(p.Retries, mostRetries))
	}
	if r.On.Poll == 0 {
		r.On.Poll = app.Poll
	}
	s := Settled{App: name, Run: run.ID, Revision: run.Push.Revision}
	for _, env := range slices.Sorted(maps.Keys(app.Floors)) {
		s.Promote = append(s.Promote, terms{env, r.Stages[env], app.Floors[env]}.list()...)
	}
	text, err := r.YAML()
	s.Recipe = string(text)
	return s, err
}
