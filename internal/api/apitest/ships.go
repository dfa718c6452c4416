package apitest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/pipeline"
)

// ListShips is api.Harbour: node1 and node2 answer, node3 is lost.
func (w *World) ListShips(ctx context.Context) ([]pipeline.ShipStatus, error) {
	var all []pipeline.ShipStatus
	for _, name := range []batuta.ShipName{"node1", "node2", "node3"} {
		s, err := w.ShowShip(ctx, name)
		if err != nil {
			return nil, err
		}
		for i := range s.Runs {
			s.Runs[i].Containers = nil
		}
		all = append(all, s)
	}
	return all, nil
}

// ShowShip is api.Harbour.
func (w *World) ShowShip(_ context.Context, name batuta.ShipName) (pipeline.ShipStatus, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := slices.Index([]batuta.ShipName{"node1", "node2", "node3"}, name)
	if n < 0 {
		return pipeline.ShipStatus{}, &batuta.Error{Kind: batuta.NotFound, Message: fmt.Sprintf("no ship %s", name)}
	}
	s := pipeline.ShipStatus{Name: name, Address: fmt.Sprintf("10.0.0.%d", 10+n), Labels: map[string]string{"role": "web"}, ShipRecord: w.marks[name]}
	if name == "node3" {
		s.Silent, s.SilentWhy, s.Reason = Now.Add(-10*time.Minute), "no answer for 5s", "no answer for 1s"
		return s, nil
	}
	s.Reachable = true
	s.Facts = deployer.Facts{Engine: "20.10.24", API: "1.41", Platform: "linux/x86_64", CPUs: 4, Memory: 8 << 30, Load: 0.5, DiskFree: 40 << 30, DiskSize: 100 << 30, Time: Now}
	for _, env := range []batuta.EnvironmentName{"qa", "production"} {
		if w.live[env] == 0 || w.marks[name].Mark == pipeline.Draining {
			continue
		}
		containers := slices.DeleteFunc(w.containers(env, w.releases[w.live[env]-1]), func(c batuta.ContainerState) bool { return c.Ship != name })
		s.Runs = append(s.Runs, pipeline.Cargo{App: "portal", Environment: env, Instances: len(containers), Running: len(containers), Containers: containers})
	}
	return s, nil
}

// MarkShip is api.Harbour.
func (w *World) MarkShip(ctx context.Context, name batuta.ShipName, mark pipeline.Mark, by, why string) error {
	if _, err := w.ShowShip(ctx, name); err != nil {
		return err
	}
	w.with(func() {
		w.marks[name] = pipeline.ShipRecord{Mark: mark, Marked: Now, By: by, Why: why}
		if mark == pipeline.Open {
			delete(w.marks, name)
		}
	})
	return nil
}

// Drain is api.Harbour. On node2 something stays.
func (w *World) Drain(ctx context.Context, name batuta.ShipName, by, why string) (pipeline.Drain, error) {
	if err := w.MarkShip(ctx, name, pipeline.Draining, by, why); err != nil {
		return pipeline.Drain{}, err
	}
	d := pipeline.Drain{Ship: name, Runs: []batuta.RunID{w.deploy(batuta.RunDeploy, "production", 2, by)}}
	if name == "node2" {
		d.Stuck = []pipeline.Stuck{{App: "portal", Environment: "production", Instance: "db", Why: "its document names the ship"}}
	}
	return d, nil
}

// History is api.Chronicle.
func (w *World) History(_ context.Context, app batuta.AppName, env batuta.EnvironmentName, f pipeline.EventFilter) ([]pipeline.Event, error) {
	event := func(id int64, kind deployer.EventKind, text string) pipeline.Event {
		return pipeline.Event{
			ID: id, At: Now.Add(time.Duration(id-10) * time.Minute), App: "portal", Environment: "production", Kind: kind, Ship: "node1",
			Service: "web", Instance: "web-1", Container: "c1", Release: 2, Text: text, Teller: pipeline.ToldByShip,
		}
	}
	all := []pipeline.Event{event(1, deployer.Created, ""), event(2, deployer.Started, ""), event(3, deployer.Crashed, "exit code 137, out of memory")}
	all[2].ExitCode, all[2].OOMKilled = 137, true
	return newest(all, max(f.Limit, 1), func(e pipeline.Event) bool {
		return app == e.App && (env == "" || env == e.Environment) && (f.Kind == "" || f.Kind == e.Kind) &&
			(f.Instance == "" || f.Instance == e.Instance) && !e.At.Before(f.Since)
	}), nil
}
