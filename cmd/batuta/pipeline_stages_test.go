package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"batuta"
	"batuta/internal/lab"
	"batuta/pipeline"
)

// stages is a world whose production has these rules, with a release in QA.
func stages(t *testing.T, rules string) *works {
	t.Helper()
	w := newWorld(t)
	w.edit("batuta.yml", "promote: [qa, production]", "promote: [qa, {to: production, "+rules+"}]")
	s := w.start(t)
	s.succeeds(t, s.push(t, "one"))
	return s
}

// asks orders a promotion to production, of the plan that there is.
func (s *works) asks(t *testing.T, by string) (batuta.RunID, error) {
	t.Helper()
	o := pipeline.Order{Kind: batuta.RunPromotion, App: testApp, Environment: "production", By: by}
	proposal, err := s.Propose(t.Context(), o)
	if err != nil {
		return 0, err
	}
	o.Approved = proposal.Hash
	return s.Order(t.Context(), o)
}

// refused wants an error of a kind that says so.
func refused(t *testing.T, err error, kind batuta.Kind, text string) {
	t.Helper()
	if !errors.Is(err, kind) || !strings.Contains(err.Error(), text) {
		t.Fatalf("%v; want %s with %q", err, kind, text)
	}
}

func TestAPromotionWaitsForAsManyAsItNeeds(t *testing.T) {
	t.Parallel()
	s := stages(t, "approvals: 2, approvers: [ana, ben, eva]")
	id, err := s.asks(t, "ana")
	if err != nil {
		t.Fatal(err)
	}
	run, err := s.store.Run(t.Context(), id)
	if err != nil || run.Status != batuta.RunWaiting || len(run.Approvals) != 1 {
		t.Fatalf("%+v, %v", run, err)
	}
	if again, err := s.asks(t, "ana"); err != nil || again != id {
		t.Fatalf("the same person again: run %d, %v", again, err)
	}
	refused(t, s.Approve(t.Context(), id, "dan"), batuta.Denied, "dan is not among those who approve")
	if got := s.world.running("production"); len(got) != 0 {
		t.Fatalf("in production run %v", got)
	}
	lab.Wait(t, 10*time.Second, func() error {
		s.world.mu.Lock()
		defer s.world.mu.Unlock()
		if !slices.ContainsFunc(s.world.notices, func(n pipeline.Notice) bool { return n.Kind == pipeline.ApprovalWanted && n.Run == id }) {
			return errors.New("nobody was told that an approval is wanted")
		}
		return nil
	})
	if joined, err := s.asks(t, "eva"); err != nil || joined != id { // another who asks for the same says yes to it
		t.Fatalf("run %d, %v", joined, err)
	}
	s.succeeds(t, id)
	if run, err = s.store.Run(t.Context(), id); err != nil || strings.Join(run.Approvals, " ") != "ana eva" {
		t.Errorf("approved by %v, %v", run.Approvals, err)
	}
	refused(t, s.Approve(t.Context(), id, "ben"), batuta.Conflict, "waits for nobody")
}

func TestAWaitingPromotionIsCancelledOrOutdated(t *testing.T) {
	t.Parallel()
	s := stages(t, "approvals: 1, approvers: [eva]")
	id, err := s.asks(t, "ana") // who may ask, but not approve
	if err != nil {
		t.Fatal(err)
	}
	s.succeeds(t, s.push(t, "two"))
	if err := s.Approve(t.Context(), id, "eva"); err == nil {
		t.Fatal("an outdated plan was approved")
	}
	if err := s.Cancel(t.Context(), id, "ana"); err != nil {
		t.Fatal(err)
	}
	if run := s.ended(t, id); run.Status != batuta.RunCancelled {
		t.Errorf("run %d is %s", id, run.Status)
	}
	_, err = s.Order(t.Context(), pipeline.Order{Kind: batuta.RunPromotion, App: testApp, Environment: "production", By: "eva"})
	refused(t, err, batuta.Invalid, "takes only what a person approved")
	next, err := s.asks(t, "eva")
	if err != nil {
		t.Fatal(err)
	}
	s.succeeds(t, next)
}

func TestAWaitingRunOutlivesTheServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit("batuta.yml", "promote: [qa, production]", "promote: [qa, {to: production, approvals: 2}]")
	s := w.open(t, nil)
	stop := s.work(t)
	s.succeeds(t, s.push(t, "one"))
	id, err := s.asks(t, "ana")
	if err != nil {
		t.Fatal(err)
	}
	stop()
	again := w.start(t)
	if err := again.Approve(t.Context(), id, "ben"); err != nil {
		t.Fatal(err)
	}
	again.succeeds(t, id)
}

// TestWhoIsOutsideAsksAndWaits has everybody ask, and those who may approve,
// whether the rule says of how many or not.
func TestWhoIsOutsideAsksAndWaits(t *testing.T) {
	t.Parallel()
	for _, rules := range []string{"approvers: [eva]", "approvers: [eva], approvals: 1"} {
		t.Run(rules, func(t *testing.T) {
			t.Parallel()
			s := stages(t, rules)
			id, err := s.asks(t, "ana")
			if err != nil {
				t.Fatal(err)
			}
			if again, err := s.asks(t, "ben"); err != nil || again != id {
				t.Errorf("another who asks for the same gets run %d (%v), not %d", again, err, id)
			}
			if run, err := s.store.Run(t.Context(), id); err != nil || run.Status != batuta.RunWaiting || len(run.Approvals) != 0 {
				t.Errorf("it does not wait: %+v, %v", run, err)
			}
			refused(t, s.Approve(t.Context(), id, "ana"), batuta.Denied, "ana is not among those who approve what goes to production")
			if joined, err := s.asks(t, "eva"); err != nil || joined != id {
				t.Fatalf("who may approve gets run %d (%v), not %d", joined, err, id)
			}
			s.succeeds(t, id)
			s.succeeds(t, s.push(t, "two"))
			if id, err = s.asks(t, "eva"); err != nil {
				t.Fatal(err)
			}
			s.succeeds(t, id) // nobody else is needed
		})
	}
}

// TestAPromotionRemembersWhereItIsFrom takes a release that QA does not run to
// production, with two people.
func TestAPromotionRemembersWhereItIsFrom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit("batuta.yml", "promote: [qa, production]", "promote: [qa, {to: production, approvals: 2}]")
	w.files["environments/preview.yml"] = qaDocument
	s := w.start(t)
	s.succeeds(t, s.push(t, "one"))
	preview, err := s.Start(t.Context(), testApp, "two", "preview", "ana")
	if err != nil {
		t.Fatal(err)
	}
	s.succeeds(t, preview)
	o := pipeline.Order{Kind: batuta.RunPromotion, App: testApp, Environment: "production", From: "preview", By: "ana"}
	proposal, err := s.Propose(t.Context(), o)
	if err != nil || proposal.From != "preview" || proposal.Release.Number != 2 {
		t.Fatalf("proposed is release %d of %q: %v", proposal.Release.Number, proposal.From, err)
	}
	o.Approved = proposal.Hash
	id, err := s.Order(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Approve(t.Context(), id, "ben"); err != nil {
		t.Fatal(err)
	}
	s.succeeds(t, id)
	why, err := s.Why(t.Context(), testApp, "production")
	if err != nil || len(why.Containers) == 0 {
		t.Fatalf("%+v, %v", why, err)
	}
	for _, c := range why.Containers {
		if d := c.Deployed; d == nil || d.From != "preview" || c.Release != 2 {
			t.Errorf("%s of release %d came by %+v", c.Instance, c.Release, d)
		}
	}
}

func TestAReleaseSoaksBeforeItGoesOn(t *testing.T) {
	t.Parallel()
	s := stages(t, "soak: 1h")
	_, err := s.asks(t, "ana")
	refused(t, err, batuta.Conflict, "production wants release 1 to have been live in qa for 1h0m0s")
	quick := stages(t, "soak: 1ms")
	id, err := quick.asks(t, "ana")
	if err != nil {
		t.Fatal(err)
	}
	quick.succeeds(t, id)
}

func TestWindowsAndFreezes(t *testing.T) {
	t.Parallel()
	today := time.Now().UTC()
	tomorrow := today.AddDate(0, 0, 1).Format("Mon")
	for rules, want := range map[string]string{
		`freeze: ["` + today.AddDate(0, 0, -1).Format(time.DateOnly) + ".." + today.AddDate(0, 0, 1).Format(time.DateOnly) + `"]`: "production is frozen",
		`freeze: ["2020-01-01..2020-01-07"]`:             "",
		`windows: ["` + tomorrow + ` 00:00-00:01"]`:      "production takes promotions only at its times",
		`windows: ["Mon-Sun 00:00-24:00 Europe/Berlin"]`: "",
	} {
		t.Run(rules, func(t *testing.T) {
			t.Parallel()
			s := stages(t, rules)
			id, err := s.asks(t, "ana")
			if want != "" {
				refused(t, err, batuta.Conflict, want)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			s.succeeds(t, id)
		})
	}
}

// TestTheYesOfWhoMayNotApproveAnyMoreDoesNotCount has one of two who approve
// leave before the other says yes.
func TestTheYesOfWhoMayNotApproveAnyMoreDoesNotCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rules := func(approvers ...string) {
		w.floors = map[batuta.EnvironmentName]batuta.Stage{"production": {Approvals: 2, Approvers: approvers}}
	}
	rules("ana", "ben", "eva")
	s := w.open(t, nil)
	stop := s.work(t)
	s.succeeds(t, s.push(t, "one"))
	id, err := s.asks(t, "ana")
	if err != nil {
		t.Fatal(err)
	}
	stop()
	rules("ben", "eva")
	s = w.start(t)
	refused(t, s.Approve(t.Context(), id, "ana"), batuta.Denied, "ana is not among those who approve")
	if err := s.Approve(t.Context(), id, "ben"); err != nil {
		t.Fatal(err)
	}
	if run, err := s.store.Run(t.Context(), id); err != nil || run.Status != batuta.RunWaiting {
		t.Errorf("with one yes that counts of two it is %s, %v", run.Status, err)
	}
	if err := s.Approve(t.Context(), id, "eva"); err != nil {
		t.Fatal(err)
	}
	s.succeeds(t, id)
}

// TestAFreezeHoldsForWhatHasNotBegun has a server die when it is about to
// promote, and production be frozen when the next one starts.
func TestAFreezeHoldsForWhatHasNotBegun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.open(t, nil)
	stop := s.work(t)
	s.succeeds(t, s.push(t, "one"))
	stop()
	s = w.open(t, nil)
	id, err := s.asks(t, "ana")
	if err != nil {
		t.Fatal(err)
	}
	_, lease, err := s.store.Claim(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.store.SaveStep(t.Context(), lease, batuta.Step{Name: "deploy production", Status: batuta.StepRunning, Started: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	today := time.Now().UTC()
	w.floors = map[batuta.EnvironmentName]batuta.Stage{"production": {Freeze: []string{today.AddDate(0, 0, -1).Format(time.DateOnly) + ".." + today.AddDate(0, 0, 1).Format(time.DateOnly)}}}
	s = w.start(t)
	run := s.ended(t, id)
	if run.Status != batuta.RunFailed || !strings.Contains(run.Error, "production is frozen") || len(w.running("production")) > 0 {
		t.Errorf("it %s: %s; in production run %v", run.Status, run.Error, w.running("production"))
	}
}

// TestAReleaseGoesByItsOwnOrder promotes a release, of which the newest one,
// of another branch, leaves out a stage.
func TestAReleaseGoesByItsOwnOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.files["environments/preview.yml"] = qaDocument
	w.edit("batuta.yml", "promote: [qa, production]", "promote: [qa, preview, production]")
	s := w.start(t)
	s.succeeds(t, s.push(t, "one"))
	w.edit("batuta.yml", "promote: [qa, preview, production]", "promote: [qa, production]")
	s.succeeds(t, s.push(t, "two"))
	s.succeeds(t, s.order(t, pipeline.Order{Kind: batuta.RunRollback, Environment: "qa"}))
	_, err := s.asks(t, "ana")
	refused(t, err, batuta.Conflict, "release 1 goes to preview before production")
}
