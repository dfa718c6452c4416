package main

import (
	"context"

	"batuta"
	"batuta/internal/config"
	"batuta/internal/notify"
	"batuta/pipeline"
)

// statuses is the forges that are told of the runs of pushes, by app.
type statuses map[batuta.AppName]forge

// forge shows the statuses of an app's commits.
type forge struct {
	notify.Reporter

	context string
}

func newStatuses(c *config.Config) statuses {
	all := statuses{}
	for name, a := range c.Apps {
		if a.Status != nil {
			all[name] = forge{reporter(a.Status), a.Status.Context}
		}
	}
	return all
}

// reporter is the forge that server.yml names.
func reporter(s *config.Status) notify.Reporter {
	r := notify.Repository{URL: s.URL, Path: s.Repository, User: s.User, Token: s.Token.Reveal()}
	return map[config.ForgeName]notify.Reporter{
		config.GitHub:          notify.GitHub{Repository: r},
		config.GitLab:          notify.GitLab{Repository: r},
		config.Gitea:           notify.Gitea{Repository: r},
		config.Forgejo:         notify.Gitea{Repository: r},
		config.Bitbucket:       notify.Bitbucket{Repository: r},
		config.BitbucketServer: notify.BitbucketServer{Repository: r},
	}[s.Forge]
}

// states is what a run's news make of the commit that it is about.
var states = map[pipeline.NoticeKind]notify.State{
	pipeline.RunQueued: notify.Waiting, pipeline.RunStarted: notify.Running, pipeline.WentLive: notify.Succeeded, pipeline.RunFailed: notify.Failed,
	pipeline.RunSkipped: notify.Skipped, pipeline.RunPassed: notify.Succeeded, pipeline.RunCancelled: notify.Stopped, pipeline.RunSuperseded: notify.Stopped,
}

// addressee names the forge that is to be told; empty for none. A promotion is
// about an environment, not about a commit.
func (all statuses) addressee(n pipeline.Notice) string {
	_, tells := all[n.App]
	if _, known := states[n.Kind]; !tells || !known || n.RunKind != batuta.RunPush || n.Revision == "" {
		return ""
	}
	return "status of " + string(n.App)
}

// deliver shows a run at its commit. One that was skipped leaves there what
// stood before: a branch that starts nothing does not make good what failed.
func (all statuses) deliver(ctx context.Context, n pipeline.Notice, page func(batuta.RunID) string) error {
	f := all[n.App]
	if n.Stands != nil {
		n = *n.Stands
	}
	return f.Report(ctx, notify.Status{
		Revision: n.Revision, Ref: n.Ref, State: states[n.Kind], Context: f.context, Description: n.Text, URL: page(n.Run),
	})
}
