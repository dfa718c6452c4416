package storetest

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"batuta"
	"batuta/pipeline"
)

// agreesWithModel does random things to the queue, and the same to a model of
// it that is too simple to be wrong, and compares all runs after each.
func agreesWithModel(t *testing.T, l *lab) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			m := &model{lab: newLab(t, l.open), random: rand.New(rand.NewPCG(seed, 1)), deliveries: map[string]batuta.RunID{}, since: map[batuta.AppName]int{}}
			for i := range 120 {
				what := m.step()
				if t.Failed() {
					t.Fatalf("at step %d: %s", i, what)
				}
				if diff := m.compare(); diff != "" {
					t.Fatalf("after step %d, %s: %s", i, what, diff)
				}
			}
		})
	}
}

// model is the queue as a list of runs.
type model struct {
	*lab

	random     *rand.Rand
	runs       []modelRun // by number
	deliveries map[string]batuta.RunID
	leases     []pipeline.Lease       // all there ever were
	turns      int                    // how many runs were started
	since      map[batuta.AppName]int // the run with which an app that waits began to
}

type modelRun struct {
	app    batuta.AppName
	lane   string
	status batuta.RunStatus
	epoch  int64
	mine   bool // claimed by the server that runs now
	holds  []batuta.EnvironmentName
	turn   int // of those that were started, from 1; 0: it was not
}

// step does one thing and says what.
func (m *model) step() string {
	switch n := m.random.IntN(100); {
	case n < 30:
		return m.push()
	case n < 40:
		return m.order()
	case n < 65:
		return m.take()
	case n < 72:
		return m.cancel()
	case n < 82:
		return m.hold()
	case n < 96:
		return m.finish()
	}
	for i := range m.runs {
		m.runs[i].mine = false
	}
	m.restart()
	return "restart"
}

func (m *model) app() batuta.AppName {
	return []batuta.AppName{"portal", "shop"}[m.random.IntN(2)]
}

func (m *model) push() string {
	p := push(m.app(), []string{"main", "next"}[m.random.IntN(2)], m.random.IntN(60))
	got, err := m.Accept(m.t.Context(), p)
	m.must(err)
	key := string(p.App) + p.Delivery
	want, known := m.deliveries[key]
	if !known {
		lane := "push " + p.Ref
		want = m.add(modelRun{app: p.App, lane: lane, status: batuta.RunQueued})
		for i, r := range m.runs[:want-1] {
			if r.app == p.App && r.lane == lane && r.status == batuta.RunQueued {
				m.runs[i].status = batuta.RunSuperseded
			}
		}
		m.deliveries[key] = want
	}
	if got != (pipeline.Receipt{Run: want, Duplicate: known}) {
		m.t.Errorf("accepted as %+v, want run %d, duplicate %t", got, want, known)
	}
	return fmt.Sprintf("push %s of %s to %s: run %d", p.Delivery, p.Ref, p.App, want)
}

func (m *model) add(r modelRun) batuta.RunID {
	if !slices.ContainsFunc(m.runs, func(o modelRun) bool { return o.app == r.app && o.status == batuta.RunQueued }) {
		m.since[r.app] = len(m.runs)
	}
	m.runs = append(m.runs, r)
	return batuta.RunID(len(m.runs))
}

func (m *model) order() string {
	r := batuta.Run{App: m.app(), Kind: batuta.RunPromotion, Environment: m.environment()}
	id := m.enqueue(r)
	if want := m.add(modelRun{app: r.App, lane: "deploy " + string(r.Environment), status: batuta.RunQueued}); id != want {
		m.t.Errorf("queued as run %d, want %d", id, want)
	}
	return fmt.Sprintf("promote %s to %s: run %d", r.App, r.Environment, id)
}

func (m *model) environment() batuta.EnvironmentName {
	return []batuta.EnvironmentName{"qa", "production"}[m.random.IntN(2)]
}

func (m *model) take() string {
	run, lease, err := m.Claim(m.t.Context())
	want := slices.IndexFunc(m.runs, func(r modelRun) bool { return r.status == batuta.RunRunning && !r.mine })
	if want < 0 {
		want = m.next()
	}
	if want < 0 {
		if !errors.Is(err, batuta.NotFound) {
			m.t.Errorf("claimed run %d (%v), want nothing", run.ID, err)
		}
		return "claim nothing"
	}
	r := &m.runs[want]
	if r.turn == 0 {
		m.turns++
		r.turn = m.turns
	}
	r.status, r.mine = batuta.RunRunning, true
	r.epoch++
	if err != nil || lease != (pipeline.Lease{Run: batuta.RunID(want + 1), Epoch: r.epoch}) {
		m.t.Errorf("claimed %+v (%v), want run %d, claim %d", lease, err, want+1, r.epoch)
	}
	m.leases = append(m.leases, lease)
	return fmt.Sprintf("claim run %d", want+1)
}

// next is the oldest run that may start of the app that was served least
// recently, or of those never served began to wait first; -1 if there is none.
func (m *model) next() int {
	served, best := map[batuta.AppName]int{}, -1
	for _, r := range m.runs {
		served[r.app] = max(served[r.app], r.turn)
	}
	for i, r := range m.runs {
		if !m.may(r) {
			continue
		}
		if best < 0 || cmp.Or(served[r.app]-served[m.runs[best].app], m.since[r.app]-m.since[m.runs[best].app]) < 0 {
			best = i
		}
	}
	return best
}

// may tells whether r is queued and none of its lane runs.
func (m *model) may(r modelRun) bool {
	return r.status == batuta.RunQueued && !slices.ContainsFunc(m.runs, func(o modelRun) bool {
		return o.status == batuta.RunRunning && o.app == r.app && o.lane == r.lane
	})
}

func (m *model) cancel() string {
	if len(m.runs) == 0 {
		return "nothing"
	}
	i := m.random.IntN(len(m.runs))
	queued, err := m.Cancel(m.t.Context(), batuta.RunID(i+1), "ana")
	if err != nil || queued != (m.runs[i].status == batuta.RunQueued) {
		m.t.Errorf("cancelled: %t, %v; the run was %s", queued, err, m.runs[i].status)
	}
	if queued {
		m.runs[i].status = batuta.RunCancelled
	}
	return fmt.Sprintf("cancel run %d", i+1)
}

// lease picks one, often a recent one, and gives its run if it is still good.
func (m *model) lease() (l pipeline.Lease, r *modelRun, good bool) {
	if len(m.leases) == 0 {
		return l, nil, false
	}
	l = m.leases[len(m.leases)-1-m.random.IntN(min(len(m.leases), 6))]
	r = &m.runs[l.Run-1]
	return l, r, r.epoch == l.Epoch && r.status == batuta.RunRunning
}

func (m *model) hold() string {
	lease, r, good := m.lease()
	if r == nil {
		return "nothing"
	}
	env := m.environment()
	holder, held, err := m.HoldEnvironment(m.t.Context(), lease, env)
	if !good {
		m.refused(err, batuta.Conflict, "run")
		return fmt.Sprintf("hold %s with the stale %+v", env, lease)
	}
	want := slices.IndexFunc(m.runs, func(o modelRun) bool { return o.app == r.app && slices.Contains(o.holds, env) })
	if want < 0 {
		want = int(lease.Run) - 1
		r.holds = append(r.holds, env)
	}
	if err != nil || holder != batuta.RunID(want+1) || held != (holder == lease.Run) {
		m.t.Errorf("run %d holds (%t, %v), want run %d", holder, held, err, want+1)
	}
	return fmt.Sprintf("hold %s for %+v", env, lease)
}

func (m *model) finish() string {
	lease, r, good := m.lease()
	if r == nil {
		return "nothing"
	}
	status := []batuta.RunStatus{batuta.RunSucceeded, batuta.RunFailed, batuta.RunSkipped, batuta.RunCancelled}[m.random.IntN(4)]
	err := m.EndRun(m.t.Context(), lease, status, "")
	if !good {
		m.refused(err, batuta.Conflict, "run")
		return fmt.Sprintf("end with the stale %+v", lease)
	}
	m.must(err)
	r.status, r.holds = status, nil
	return fmt.Sprintf("end %+v as %s", lease, status)
}

// compare tells how the runs differ from the model's.
func (m *model) compare() string {
	runs, err := m.Runs(m.t.Context(), nil, "", len(m.runs)+1)
	m.must(err)
	if len(runs) != len(m.runs) {
		return fmt.Sprintf("%d runs, want %d", len(runs), len(m.runs))
	}
	for _, r := range runs {
		if want := m.runs[r.ID-1].status; r.Status != want || r.Status.Ended() == r.Ended.IsZero() {
			return fmt.Sprintf("run %d is %s, ended %s, want %s", r.ID, r.Status, r.Ended, want)
		}
	}
	return ""
}
