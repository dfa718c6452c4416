package api

import (
	"context"
	"fmt"
	"net/http"

	"batuta"
	"batuta/internal/config"
)

// Start is what a run by hand is about.
type Start struct {
	Ref         string                 `json:"ref,omitempty" maxLength:"500" doc:"a branch, a tag or a full revision; absent: the repository's default branch"`
	Environment batuta.EnvironmentName `json:"environment,omitempty" maxLength:"40" doc:"where to deploy; absent: the first of promote. Takes the right to deploy"`
}

// RunPath is the run that a request is about.
type RunPath struct {
	ID batuta.RunID `path:"id" minimum:"1"`
}

func (s *server) aboutRuns() {
	register(s, s.at(http.MethodGet, "/runs", "runs", "The newest runs, without their steps"), s.runs)
	register(s, s.at(http.MethodGet, "/runs/{id}", "run", "One run with its steps"), s.run)
	register(s, s.at(http.MethodGet, "/runs/{id}/log", "log", "What a run printed, as it prints it"), s.log)
	register(s, s.accepted("/runs/{id}/cancel", "cancel", "Stop a run, or keep it from starting"), s.cancel)
	register(s, s.accepted("/runs/{id}/approve", "approve", "Say yes to the plan of a run that waits for it"), s.approve)
	register(s, s.accepted("/runs/{id}/rerun", "rerun", "Do again what an ended run was about"), s.rerun)
	register(s, s.accepted("/apps/{app}/runs", "start", "Build and deploy a ref by hand"), s.start)
}

func (s *server) runs(ctx context.Context, in *struct {
	App    batuta.AppName   `query:"app"`
	Status batuta.RunStatus `query:"status" enum:"waiting,queued,running,succeeded,failed,cancelled,superseded,skipped"`
	Paging
}) (*list[batuta.Run], error) {
	apps := principal(ctx).Apps
	if in.App != "" {
		apps = []batuta.AppName{in.App}
	}
	return listOf(s.Runs.Runs(ctx, apps, in.Status, in.Limit))
}

func (s *server) run(ctx context.Context, in *RunPath) (*only[batuta.Run], error) {
	return s.answer(ctx)(in.ID, nil)
}

func (s *server) start(ctx context.Context, in *struct {
	App  batuta.AppName `path:"app"`
	Body Start
}) (*only[batuta.Run], error) {
	who := principal(ctx)
	if in.Body.Environment != "" && !who.Can(config.Deploy, in.App) {
		return nil, denied(who, config.Deploy, in.App)
	}
	return s.answer(ctx)(s.Runner.Start(ctx, in.App, in.Body.Ref, in.Body.Environment, who.Name))
}

func (s *server) cancel(ctx context.Context, in *RunPath) (*only[batuta.Run], error) {
	if err := s.changeable(ctx, in.ID); err != nil {
		return nil, err
	}
	return s.answer(ctx)(in.ID, s.Runner.Cancel(ctx, in.ID, principal(ctx).Name))
}

func (s *server) approve(ctx context.Context, in *RunPath) (*only[batuta.Run], error) {
	if err := s.changeable(ctx, in.ID); err != nil {
		return nil, err
	}
	return s.answer(ctx)(in.ID, s.Runner.Approve(ctx, in.ID, principal(ctx).Name))
}

func (s *server) rerun(ctx context.Context, in *struct {
	RunPath
	From string `query:"from" maxLength:"200" doc:"the step to begin with; what came before is reused. Absent: all"`
}) (*only[batuta.Run], error) {
	if err := s.changeable(ctx, in.ID); err != nil {
		return nil, err
	}
	return s.answer(ctx)(s.Runner.Rerun(ctx, in.ID, in.From, principal(ctx).Name))
}

// answer gives the run that a request was about, or came to.
func (s *server) answer(ctx context.Context) func(batuta.RunID, error) (*only[batuta.Run], error) {
	return func(id batuta.RunID, err error) (*only[batuta.Run], error) {
		if err != nil {
			return nil, err
		}
		run, err := s.visible(ctx, id)
		if err != nil {
			return nil, err
		}
		for i := range run.Steps {
			run.Steps[i].Output = nil // the engine's own; what it means is in the release
		}
		return &only[batuta.Run]{run}, nil
	}
}

// visible is a run if the caller may see its app. One that is not looks like
// one that is not there.
func (s *server) visible(ctx context.Context, id batuta.RunID) (batuta.Run, error) {
	run, err := s.Runs.Run(ctx, id)
	if err != nil {
		return batuta.Run{}, err
	}
	if !principal(ctx).Can(config.Read, run.App) {
		return batuta.Run{}, &batuta.Error{Kind: batuta.NotFound, Message: fmt.Sprintf("no run %d", id)}
	}
	return run, nil
}

// ordered tells whether a run deploys where a person said, rather than where a
// push goes.
func (s *server) ordered(ctx context.Context, run batuta.Run) (bool, error) {
	if run.Kind != batuta.RunPush || run.Environment == "" || run.Release == 0 {
		return run.Kind != batuta.RunPush || run.Environment != "", nil
	}
	release, err := s.Shelf.Release(ctx, run.App, run.Release)
	return err == nil && run.Environment != release.Order[0], err
}

// changeable tells why the caller may not cancel or repeat a run. For a run
// that a person ordered it takes the right to order it.
func (s *server) changeable(ctx context.Context, id batuta.RunID) error {
	run, err := s.visible(ctx, id)
	if err != nil {
		return err
	}
	right := config.Push
	if ordered, err := s.ordered(ctx, run); err != nil {
		return err
	} else if ordered {
		right = config.Deploy
	}
	if who := principal(ctx); !who.Can(right, run.App) {
		return denied(who, right, run.App)
	}
	return nil
}
