package pipeline

import (
	"fmt"
	"strings"
	"time"

	"batuta"
)

// Notice is something that happened and that somebody outside may want to
// know.
type Notice struct {
	At          time.Time              `json:"at"`
	Kind        NoticeKind             `json:"kind"`
	App         batuta.AppName         `json:"app,omitempty"`
	Environment batuta.EnvironmentName `json:"environment,omitempty"`
	Ship        batuta.ShipName        `json:"ship,omitempty"`
	Run         batuta.RunID           `json:"run,omitempty"`
	RunKind     batuta.RunKind         `json:"run_kind,omitempty"`
	Revision    batuta.Revision        `json:"revision,omitempty"`  // what the run is about, once it is known
	Ref         string                 `json:"ref,omitempty"`       // what was pushed to, as the forge names it
	Recovered   bool                   `json:"recovered,omitempty"` // it went well, and the run before it failed
	Text        string                 `json:"text"`
	Stands      *Notice                `json:"stands,omitempty"` // of a run that was skipped: what another run makes of the same revision
	Told        []Told                 `json:"told,omitempty"`   // whom batuta.yml has told of it, beside those whom server.yml does
}

// NoticeKind is what a notice is about.
type NoticeKind string

// The kinds of notices.
const (
	DriftSeen      NoticeKind = "drift seen"
	DriftGone      NoticeKind = "drift gone"
	ShipLost       NoticeKind = "ship lost"
	ShipBack       NoticeKind = "ship back"
	RepairFailed   NoticeKind = "repair failed"
	ApprovalWanted NoticeKind = "approval wanted"
	RunQueued      NoticeKind = "run queued"
	RunStarted     NoticeKind = "run started"
	RunFailed      NoticeKind = "run failed"
	RunPassed      NoticeKind = "run passed" // it was to deploy nothing
	RunSkipped     NoticeKind = "run skipped"
	RunCancelled   NoticeKind = "run cancelled"
	RunSuperseded  NoticeKind = "run superseded"
	WentLive       NoticeKind = "went live"
)

// Topics is what a notice is about; the first that somebody asked for is the
// one that they are told. Of how a run goes on only forges are told, so that
// has none.
func (n Notice) Topics() []batuta.Topic {
	switch n.Kind {
	case DriftSeen, DriftGone:
		return []batuta.Topic{batuta.OnDrift}
	case ShipLost, ShipBack:
		return []batuta.Topic{batuta.OnLost}
	case RepairFailed, RunFailed:
		return []batuta.Topic{batuta.OnFailed}
	case ApprovalWanted:
		return []batuta.Topic{batuta.OnApproval}
	case RunPassed:
		if n.Recovered {
			return []batuta.Topic{batuta.OnRecovery}
		}
	case WentLive:
		var all []batuta.Topic
		if n.Recovered {
			all = append(all, batuta.OnRecovery)
		}
		if n.RunKind == batuta.RunPromotion {
			all = append(all, batuta.OnPromotion)
		}
		return append(all, batuta.OnLive)
	}
	return nil
}

// Key names the event: a notice that is told twice has the same key, and
// reaches each addressee once.
func (n Notice) Key() string {
	if n.Run != 0 {
		return fmt.Sprintf("%s: run %d", n.Kind, n.Run)
	}
	return fmt.Sprintf("%s: %s at %d", n.Kind, n.Lane()+string(n.Environment), n.At.UnixMicro())
}

// Lane is what an addressee hears of in the order in which it happened.
func (n Notice) Lane() string {
	if n.App != "" {
		return "app " + string(n.App) + " "
	}
	return "ship " + string(n.Ship)
}

// NoticeOfRun is what there is to tell of a run as it stands; none of a run
// that nobody asked for, of which Reconcile tells when it sees what it brought.
// Before is how the last run of its kind or environment ended that came before
// it; empty if there is none.
func NoticeOfRun(run batuta.Run, before batuta.RunStatus) (Notice, bool) {
	n := Notice{App: run.App, Environment: run.Environment, Run: run.ID, RunKind: run.Kind, Revision: run.Push.Revision, Ref: run.Push.Ref, At: time.Now(), Text: run.Error}
	switch run.Status {
	case batuta.RunWaiting:
		n.Kind, n.Text = ApprovalWanted, fmt.Sprintf("%s asks to bring release %d to %s; `batuta approve %d` shows the plan", run.By, run.Release, run.Environment, run.ID)
	case batuta.RunQueued:
		n.Kind, n.Text = RunQueued, "waiting for its turn"
	case batuta.RunRunning:
		n.Kind, n.Text = RunStarted, "running"
	case batuta.RunFailed:
		n.Kind = RunFailed
	case batuta.RunSkipped:
		n.Kind = RunSkipped
	case batuta.RunCancelled:
		n.Kind = RunCancelled
	case batuta.RunSuperseded:
		n.Kind = RunSuperseded
	case batuta.RunSucceeded:
		n.Kind, n.Recovered = WentLive, before == batuta.RunFailed
		n.Text = fmt.Sprintf("release %d is live in %s", run.Release, run.Environment)
		if run.Environment == "" { // such as a pull request's
			n.Kind, n.Text = RunPassed, "built and tested"
		}
	}
	return n, n.Kind != "" && run.By != byDrift && run.By != byMoves
}

// NoticeOfDrift is that an environment differs from what its live release
// wants or, without any difference, that it does not any more.
func NoticeOfDrift(d Drift) Notice {
	n := Notice{Kind: DriftSeen, App: d.App, Environment: d.Environment, At: time.Now(), Text: lines(d.Drift)}
	if len(d.Drift) == 0 {
		n.Kind, n.Text = DriftGone, "it is again as its live release wants it"
	}
	return n
}

// NoticeOfShip is that a ship has not answered since an instant, and why, or,
// if that is zero, that it answers again.
func NoticeOfShip(ship batuta.ShipName, silent time.Time, why string) Notice {
	n := Notice{Kind: ShipLost, Ship: ship, At: time.Now(), Text: "it does not answer: " + why}
	if silent.IsZero() {
		n.Kind, n.Text = ShipBack, "it answers again"
	}
	return n
}

// lines is a list on one line.
func lines(all []string) string { return strings.Join(all, "; ") }
