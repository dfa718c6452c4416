package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"batuta"
	"batuta/internal/api"
)

// The lines of the example's page that the story tells versions apart by.
const (
	demoLine    = "Pushed, built, deployed."
	demoNewLine = "Changed, pushed, built, deployed."
)

// story is what the demo tells, as it happens.
type story struct {
	*program
	*stage
	began time.Time
	repo  *demoRepository
	told  map[batuta.RunID]int // how many steps of a run were told
}

func (p *program) newStory(s *stage) *story {
	return &story{program: p, stage: s, began: time.Now(), told: map[batuta.RunID]int{}}
}

// say prints a line of the demo.
func (p *program) say(format string, args ...any) { fmt.Fprintf(p.stdout, format+"\n", args...) }

// tell prints a line of the story, with the time since it began.
func (s *story) tell(format string, args ...any) {
	s.say("%s  %s", s.paint(grey, fmt.Sprintf("%6.2fs", time.Since(s.began).Seconds())), fmt.Sprintf(format, args...))
}

// firstPush is the first act: from a commit to a QA that answers.
func (s *story) firstPush(ctx context.Context) (err error) {
	s.say("A push becomes QA.\n")
	s.tell("server     %s, data in %s", s.url, s.dir)
	if s.repo, err = newDemoRepository(ctx, s.dir, s.app, s.remoteURL()); err != nil {
		return err
	}
	s.tell("commit     %s, a copy of examples/static", s.repo.revision.Short())
	if err := s.push(ctx); err != nil {
		return err
	}
	return s.expect(ctx, demoQA, demoLine)
}

// theRest is what the person would do next: promote, push again, promote that,
// and roll back; each time the answers are checked.
func (s *story) theRest(ctx context.Context) error {
	s.say("\nA promotion becomes production, with the same bytes.\n")
	if err := s.order(ctx, batuta.RunPromotion); err != nil {
		return err
	}
	if err := s.expect(ctx, demoProd, demoLine); err != nil {
		return err
	}
	s.say("\nA second push changes QA, and only QA.\n")
	if err := s.repo.change(ctx, "public/index.html", demoLine, demoNewLine, "Change a line"); err != nil {
		return err
	}
	s.tell("commit     %s, a changed line", s.repo.revision.Short())
	if err := s.push(ctx); err != nil {
		return err
	}
	if err := s.expect(ctx, demoQA, demoNewLine); err != nil {
		return err
	}
	if err := s.expect(ctx, demoProd, demoLine); err != nil {
		return err
	}
	s.say("\nPromoted, and rolled back.\n")
	for _, act := range []struct {
		kind batuta.RunKind
		line string
	}{{batuta.RunPromotion, demoNewLine}, {batuta.RunRollback, demoLine}} {
		if err := s.order(ctx, act.kind); err != nil {
			return err
		}
		if err := s.expect(ctx, demoProd, act.line); err != nil {
			return err
		}
	}
	return s.summary(ctx)
}

func (s *story) remoteURL() string {
	u, _ := url.Parse(s.url) // it is ours
	u.User = url.UserPassword(demoUser, s.token)
	return u.JoinPath("git", string(s.app)+".git").String()
}

// push pushes what was committed and follows the run to its end.
func (s *story) push(ctx context.Context) error {
	s.tell("$ git push %s/git/%s.git main", s.url, s.app)
	if err := s.repo.push(ctx); err != nil {
		return err
	}
	runs, err := s.asks.Runs(ctx, s.app, "", 1)
	if err != nil {
		return err
	}
	if len(runs) == 0 || runs[0].Push.Revision != s.repo.revision {
		return &batuta.Error{Kind: batuta.Internal, Message: "the push was accepted, and no run came of it"}
	}
	s.tell("accepted   run %d, %s/runs/%d", runs[0].ID, s.url, runs[0].ID)
	return s.follow(ctx, runs[0])
}

// order asks for the plan to production, approves it, and follows the run.
func (s *story) order(ctx context.Context, kind batuta.RunKind) error {
	o := api.Order{Kind: kind}
	proposal, err := s.asks.Plan(ctx, s.app, demoProd, o)
	if err != nil {
		return err
	}
	verb := map[batuta.RunKind]string{batuta.RunPromotion: "promote", batuta.RunRollback: "rollback"}[kind]
	s.tell("$ batuta %s %s %s --yes    # release %d", verb, s.app, demoProd, proposal.Release.Number)
	for line := range strings.Lines(proposal.Text) {
		s.tell("plan       %s", strings.TrimRight(line, "\n"))
	}
	o.Approved = proposal.Hash
	run, err := s.asks.Deploy(ctx, s.app, demoProd, o)
	if err != nil {
		return err
	}
	return s.follow(ctx, run)
}

// followEvery is how often the story looks how far a run has come.
const followEvery = 20 * time.Millisecond

// follow tells each step of a run as it ends.
func (s *story) follow(ctx context.Context, run batuta.Run) error {
	for {
		run, err := s.asks.Run(ctx, run.ID)
		if err != nil {
			return err
		}
		for _, step := range run.Steps[s.told[run.ID]:] {
			if step.Status == batuta.StepRunning {
				break
			}
			s.told[run.ID]++
			if err := s.tellStep(ctx, run, step); err != nil {
				return err
			}
		}
		switch {
		case run.Status == batuta.RunSucceeded:
			return nil
		case run.Status.Ended():
			return ended(run)
		}
		select {
		case <-time.After(followEvery):
		case <-s.ended:
			return errors.Join(errors.New("the server stopped"), s.err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tellStep tells a step that has ended, with what came of it.
func (s *story) tellStep(ctx context.Context, run batuta.Run, step batuta.Step) error {
	what := ""
	switch step.Name {
	case "source":
		what = run.Push.Revision.Short()
	case "release":
		what = fmt.Sprintf("number %d", run.Release)
	}
	took := step.Ended.Sub(step.Started).Round(time.Millisecond)
	s.tell("%-10s %s %s", step.Name, what, s.paint(grey, took.String()))
	if step.Name != "release" || step.Status != batuta.StepSucceeded {
		return nil
	}
	releases, err := s.asks.Releases(ctx, s.app, 1)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(releases[0].Images)) {
		s.tell("           %s is %s", name, releases[0].Images[name])
	}
	return nil
}

// expect asks every instance of an environment and wants the line in each
// answer.
func (s *story) expect(ctx context.Context, env batuta.EnvironmentName, line string) error {
	urls, err := s.urls(ctx, env)
	if err != nil {
		return err
	}
	for _, u := range urls {
		body, err := get(ctx, u)
		if err != nil {
			return err
		}
		if !strings.Contains(body, line) {
			return &batuta.Error{Kind: batuta.Unhealthy, Message: fmt.Sprintf("%s at %s answers, but not with %q", env, u, line)}
		}
		s.tell("%-10s %s answers: %s", env, s.paint(green, u), line)
	}
	return nil
}

// urls is where an environment answers.
func (s *story) urls(ctx context.Context, env batuta.EnvironmentName) ([]string, error) {
	all, err := s.asks.Status(ctx, s.app)
	if err != nil {
		return nil, err
	}
	var urls []string
	for _, e := range all {
		if e.Environment != env {
			continue
		}
		if !e.Healthy {
			return nil, &batuta.Error{Kind: batuta.Unhealthy, Message: fmt.Sprintf("%s is not healthy: %s", env, e.Reason)}
		}
		for _, c := range e.Containers {
			urls = append(urls, c.URLs...)
		}
	}
	if len(urls) == 0 {
		return nil, &batuta.Error{Kind: batuta.Unhealthy, Message: string(env) + " has no address"}
	}
	return urls, nil
}

// get is one GET, which must be answered with 200.
func get(ctx context.Context, address string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s", address, response.Status)
	}
	return string(body), err
}

// summary proves that production ran what QA ran.
func (s *story) summary(ctx context.Context) error {
	releases, err := s.asks.Releases(ctx, s.app, 10)
	if err != nil {
		return err
	}
	s.say("\nEvery answer was as it should be, in %.1f s:", time.Since(s.began).Seconds())
	for _, r := range releases {
		for name, image := range r.Images {
			s.say("  release %d of revision %s: %s is %s", r.Number, r.Revision.Short(), name, image.Digest)
		}
	}
	all, err := s.asks.Status(ctx, s.app)
	if err != nil {
		return err
	}
	for _, e := range all {
		s.say("  %s runs release %d (containers: %d)", e.Environment, e.Release, len(e.Containers))
	}
	return nil
}

// invite says what can be done with the demo while it is up.
func (s *story) invite() {
	s.say(`
The server stays up until Ctrl-C. The dashboard: %s

In another terminal:
  export BATUTA_URL=%s BATUTA_TOKEN=%s
  batuta status %s
  batuta promote %s %s        # the same bytes, after you have seen the plan
The repository is in %s: change a line, commit, and git push.`,
		s.paint(green, s.url), s.url, s.token, s.app, s.app, demoProd, s.repo.dir)
}
