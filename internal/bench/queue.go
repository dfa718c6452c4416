package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"batuta"
	"batuta/internal/api/client"
	"batuta/internal/lab"
)

// What a measurement of the queue is made of.
const (
	pace        = 500 // deliveries a second, evenly
	paceTime    = 4 * time.Second
	singlePush  = 60     // pushes, each when the one before has ended
	manyQueued  = 1000   // runs that wait
	burst       = 10_000 // deliveries at once
	burstApps   = 100
	refusalBody = "no such repository"
)

// measureQueue looks at how soon what was pushed is begun: at an even pace,
// alone, behind many others, and after a burst. The forge answers that it
// knows no such repository, so that a run is over once it has begun.
func measureQueue(ctx context.Context, b *bench) ([]row, error) {
	payload, err := os.ReadFile(filepath.Join(b.source, "webhooks", "testdata", "gitea", "push.branch.json"))
	if err != nil {
		return nil, err
	}
	forge, err := b.gatedForge(ctx)
	if err != nil {
		return nil, err
	}
	apps := b.manyApps("http://"+forge.address+"/app.git", burstApps)
	server, err := b.serve(ctx, "runs: {at_once: 2, retries: 0}\n"+apps)
	if err != nil {
		return nil, err
	}
	c, err := client.New(server.url(), b.token)
	if err != nil {
		return nil, err
	}
	q := &queue{b: b, server: server, client: c, forge: forge, payload: payload}
	var rows []row
	for _, take := range []func(context.Context) ([]row, error){q.alone, q.behindMany, q.paced, q.burst} {
		more, err := take(ctx)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// queue is a server whose runs end as soon as they begin, or begin to wait.
type queue struct {
	b       *bench
	server  *service
	client  *client.Client
	forge   *gate
	payload []byte
}

// push delivers a push to a branch of an app.
func (q *queue) push(ctx context.Context, app, branch int) error {
	payload := bytes.ReplaceAll(q.payload, []byte("refs/heads/main"), fmt.Appendf(nil, "refs/heads/release/%d", branch))
	return q.b.newGun(payload).deliver(ctx, fmt.Sprintf("%s/webhooks/app-%d", q.server.url(), app))
}

// ended waits until no run waits or runs, and gives the n newest, oldest first.
func (q *queue) ended(ctx context.Context, n int) (runs []batuta.Run, err error) {
	err = lab.Eventually(ctx, runTime, func() (err error) {
		for _, status := range []batuta.RunStatus{batuta.RunQueued, batuta.RunRunning} {
			left, err := q.client.Runs(ctx, "", status, 1)
			if err != nil || len(left) > 0 {
				return errors.Join(err, fmt.Errorf("a run is %s", status))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	newest, err := q.client.Runs(ctx, "", "", 1)
	if err != nil || len(newest) == 0 {
		return nil, errors.Join(err, errors.New("there is no run"))
	}
	for id := newest[0].ID - batuta.RunID(n) + 1; id <= newest[0].ID; id++ {
		run, err := q.client.Run(ctx, id)
		if err != nil {
			return nil, err
		}
		runs = append(runs, run)
	}
	return runs, nil
}

// alone is how soon a push is begun that nothing stands before.
func (q *queue) alone(ctx context.Context) ([]row, error) {
	q.forge.open()
	for i := range singlePush {
		if err := q.push(ctx, i%burstApps, i); err != nil {
			return nil, err
		}
		if _, err := q.ended(ctx, 1); err != nil {
			return nil, err
		}
	}
	runs, err := q.ended(ctx, singlePush)
	if err != nil {
		return nil, err
	}
	waits := each(runs, func(r batuta.Run) time.Duration { return r.Started.Sub(r.Created) })
	return []row{
		{what: "push accepted until its first step, alone", ours: asTime(quantile(waits, 0.5))},
		{what: "  99th percentile", ours: asTime(quantile(waits, 0.99))},
	}, nil
}

// behindMany is how soon the next run begins once one has ended, while many
// wait and when few do.
func (q *queue) behindMany(ctx context.Context) ([]row, error) {
	q.forge.shut()
	for i := range manyQueued {
		if err := q.push(ctx, i%burstApps, singlePush+i); err != nil {
			return nil, err
		}
	}
	q.forge.open()
	runs, err := q.ended(ctx, manyQueued)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(runs, func(a, b batuta.Run) int { return a.Started.Compare(b.Started) })
	var gaps []time.Duration // from one start to the next
	for i := 3; i < len(runs); i++ {
		gaps = append(gaps, runs[i].Started.Sub(runs[i-1].Started))
	}
	const some = 100
	many, few := gaps[:some], gaps[len(gaps)-some:]
	return []row{compared(fmt.Sprintf("from one start to the next, %d wait | %d do", manyQueued, some), []time.Duration{quantile(many, 0.5)}, []time.Duration{quantile(few, 0.5)}, asTime)}, nil
}

// paced is how soon deliveries are answered that come evenly.
func (q *queue) paced(ctx context.Context) ([]row, error) {
	q.forge.shut()
	g := q.b.newGun(q.payload)
	var mu sync.Mutex
	var times []time.Duration
	var errs []error
	var all sync.WaitGroup
	tick := time.NewTicker(time.Second / pace)
	defer tick.Stop()
	for i := range int(pace * paceTime.Seconds()) {
		<-tick.C
		all.Go(func() {
			sent := time.Now()
			err := g.deliver(ctx, fmt.Sprintf("%s/webhooks/app-%d", q.server.url(), i%teamApps))
			mu.Lock()
			defer mu.Unlock()
			times, errs = append(times, time.Since(sent)), append(errs, err)
		})
	}
	all.Wait()
	return []row{
		{what: fmt.Sprintf("deliveries at %d/s: median answer", pace), ours: asTime(quantile(times, 0.5))},
		{what: "  99th percentile", ours: asTime(quantile(times, 0.99))},
	}, errors.Join(errs...)
}

// burst is what becomes of many deliveries at once, to few apps.
func (q *queue) burst(ctx context.Context) ([]row, error) {
	g := q.b.newGun(q.payload)
	began := time.Now()
	errs := make([]error, clients)
	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() {
			for i := c; i < burst && errs[c] == nil; i += clients {
				errs[c] = g.deliver(ctx, fmt.Sprintf("%s/webhooks/app-%d", q.server.url(), i%burstApps))
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	took := time.Since(began)
	queued, err := q.client.Runs(ctx, "", batuta.RunQueued, 2*burstApps)
	if err != nil {
		return nil, err
	}
	if len(queued) > burstApps {
		return nil, fmt.Errorf("%d runs wait for %d apps: what is newer does not supersede what is older", len(queued), burstApps)
	}
	m, err := memoryOf(q.server.process.ID())
	q.forge.open()
	return []row{
		{what: fmt.Sprintf("%d deliveries over %d apps", burst, burstApps), ours: asRate(float64(burst) / took.Seconds())},
		{what: "  memory then", ours: asSize(m.resident)},
	}, err
}

// manyApps is n apps for a server.yml.
func (b *bench) manyApps(repository string, n int) string {
	var text strings.Builder
	text.WriteString("ships:\n  unused: {endpoint: \"unix:///nowhere\"}\napps:\n")
	for i := range n {
		fmt.Fprintf(&text, "  app-%d: {repository: %q, webhook_secrets: [%s]}\n", i, repository, b.token)
	}
	return text.String()
}

// gate is a forge that lets nobody hear an answer while it is shut.
type gate struct {
	address string
	mu      sync.Mutex
	opened  chan struct{} // closed while it is open
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.opened:
	default:
		close(g.opened)
	}
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.opened = make(chan struct{})
}

func (g *gate) way() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.opened
}

// ServeHTTP answers that there is no such repository.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case <-g.way():
		http.Error(w, refusalBody, http.StatusNotFound)
	case <-r.Context().Done():
	}
}

// gatedForge starts a gate, which is shut.
func (b *bench) gatedForge(ctx context.Context) (*gate, error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	g := &gate{address: address, opened: make(chan struct{})}
	server := &http.Server{Addr: address, Handler: g, ReadHeaderTimeout: startTime}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	b.later(func(context.Context) error {
		g.open()
		err := server.Close()
		if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		return err
	})
	return g, nil
}
