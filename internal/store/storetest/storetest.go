// Package storetest is the contract of package store as tests: every database
// behind it passes the same ones.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"batuta"
	"batuta/internal/gitremote"
	"batuta/pipeline"
)

// Store is all that the server asks of its database.
type Store interface {
	pipeline.Store
	gitremote.Inbox
	Runs(ctx context.Context, apps []batuta.AppName, status batuta.RunStatus, limit int) ([]batuta.Run, error)
	Audit(ctx context.Context, e batuta.Entry) error
	Entries(ctx context.Context, app batuta.AppName, limit int) ([]batuta.Entry, error)
	VerifyAudit(ctx context.Context) (whole int64, err error)
	Changed() <-chan struct{}
	Close() error
}

// Opener opens the database that belongs to a directory, as a server that
// starts does: the same directory again is the same database.
type Opener func(ctx context.Context, dir string) (Store, error)

// Test runs the whole contract against the databases that open opens.
func Test(t *testing.T, open Opener) {
	for name, test := range map[string]func(*testing.T, *lab){
		"a push is accepted once":           acceptsOnce,
		"a newer push supersedes":           supersedes,
		"many accept at once":               acceptsFromMany,
		"runs of one lane go in turn":       takesTurns,
		"a run is handed out once":          handsOutOnce,
		"a restart resumes what ran":        resumes,
		"a late writer is fenced":           fences,
		"only a queued run is cancelled":    cancels,
		"an environment has one holder":     holds,
		"a run remembers":                   remembers,
		"steps keep their order":            keepsOrder,
		"lists are filtered":                filters,
		"releases are numbered by app":      numbers,
		"deployments begin and end once":    deploys,
		"what is built from what is known":  keepsBuilds,
		"what tags mean is kept":            keepsTags,
		"old builds are forgotten":          forgetsBuilds,
		"the current deployment is live":    knowsCurrent,
		"refs and pushes are one":           recordsRefs,
		"the audit trail is a chain":        audits,
		"what people change is audited":     auditsChanges,
		"waiters are woken by changes only": wakes,
		"the queue agrees with its model":   agreesWithModel,
		"ships are marked":                  marksShips,
		"ships are lost and come back":      hearsShips,
		"drift comes and goes":              keepsDrift,
		"a busy environment is known":       knowsWhoIsBusy,
		"what ran is remembered":            remembersSightings,
		"history has each event once":       chronicles,
		"history is bounded":                forgetsOldHistory,
		"runs are told of":                  tellsOfRuns,
		"the rules in force are known":      knowsTheRules,
		"a recovery is known":               knowsRecovery,
		"letters keep their order":          deliversInOrder,
		"a recovery of either is known":     knowsRecoveryOfEither,
		"a refused letter lets others pass": letsOthersPass,
		"letters outlive their server":      keepsLetters,
		"ships and drift are told of":       tellsOfShipsAndDrift,
		"as many approve as it needs":       countsApprovals,
		"an app has one agenda":             keepsAgendas,
		"schedules are followed":            followsSchedules,
		"refs are recorded without runs":    recordsRefsWithoutRuns,
		"how far a ref came is known":       knowsHowFarARefCame,
		"a push may cancel an older run":    cancelsOlder,
		"deliveries are listed":             listsDeliveries,
		"a delivery can come again":         redelivers,
		"a push to the remote is logged":    logsWhatIsPushedHere,
		"an image is delivered":             logsImages,
		"a skipped delivery says why":       saysWhySkipped,
		"old deliveries are forgotten":      forgetsOldDeliveries,
		"old logs are listed":               listsOldLogs,
		"the newest run of a step is known": knowsNewest,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newLab(t, open))
		})
	}
}

// lab is one database under test.
type lab struct {
	Store

	t    *testing.T
	open Opener
	dir  string
}

func newLab(t *testing.T, open Opener) *lab {
	l := &lab{t: t, open: open, dir: t.TempDir()}
	l.start()
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return l
}

func (l *lab) start() {
	l.t.Helper()
	s, err := l.open(l.t.Context(), l.dir)
	if err != nil {
		l.t.Fatal(err)
	}
	l.Store = s
}

// restart is what a server that stops and one that starts do.
func (l *lab) restart() {
	l.t.Helper()
	if err := l.Close(); err != nil {
		l.t.Fatal(err)
	}
	l.start()
}

// push is a push to a ref of an app; its delivery is the revision's number.
func push(app batuta.AppName, ref string, n int) batuta.Push {
	return batuta.Push{
		App: app, Forge: "gitea", Delivery: fmt.Sprint("delivery-", n), Ref: "refs/heads/" + ref,
		Before: revision(n - 1), Revision: revision(n), Sender: "ana", Message: "Change the colour",
		Received: time.Date(2026, 3, 4, 5, 6, 7, 89000, time.UTC),
	}
}

func revision(n int) batuta.Revision { return batuta.Revision(fmt.Sprintf("%040x", n)) }

// accept accepts a push and gives its run.
func (l *lab) accept(p batuta.Push) batuta.RunID {
	l.t.Helper()
	r, err := l.Accept(l.t.Context(), p)
	if err != nil {
		l.t.Fatal(err)
	}
	return r.Run
}

func (l *lab) enqueue(r batuta.Run) batuta.RunID {
	l.t.Helper()
	id, err := l.Enqueue(l.t.Context(), r)
	if err != nil {
		l.t.Fatal(err)
	}
	return id
}

// claim claims the run that must be next.
func (l *lab) claim(want batuta.RunID) pipeline.Lease {
	l.t.Helper()
	run, lease, err := l.Claim(l.t.Context())
	if err != nil {
		l.t.Fatalf("claim run %d: %v", want, err)
	}
	if run.ID != want || lease.Run != want || run.Status != batuta.RunRunning {
		l.t.Fatalf("claimed run %d (%s) by %+v, want run %d running", run.ID, run.Status, lease, want)
	}
	return lease
}

// rest makes sure that there is nothing to claim.
func (l *lab) rest() {
	l.t.Helper()
	run, _, err := l.Claim(l.t.Context())
	if !errors.Is(err, batuta.NotFound) {
		l.t.Fatalf("claimed run %d (%v), want NotFound", run.ID, err)
	}
}

func (l *lab) end(lease pipeline.Lease, status batuta.RunStatus) {
	l.t.Helper()
	l.must(l.EndRun(l.t.Context(), lease, status, ""))
}

func (l *lab) run(id batuta.RunID) batuta.Run {
	l.t.Helper()
	r, err := l.Run(l.t.Context(), id)
	if err != nil {
		l.t.Fatal(err)
	}
	return r
}

func (l *lab) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// refused makes sure of the kind and the words of an error.
func (l *lab) refused(err error, kind batuta.Kind, words string) {
	l.t.Helper()
	if !errors.Is(err, kind) || !strings.Contains(err.Error(), words) {
		l.t.Errorf("got error %v, want %s with %q", err, kind, words)
	}
}

func (l *lab) same(what string, got, want any) {
	l.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		l.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
