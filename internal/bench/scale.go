package main

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/shiptest"
)

// The largest fleet that is planned for, and the largest whose status is told.
const (
	planShips     = 5000
	planServices  = 100
	statusShips   = 1000
	statusPerShip = 5
	scaleRounds   = 5
)

// cost is what something took: of each of many, it must not depend on how many
// there are.
type cost struct {
	took  time.Duration
	bytes int
}

// measureScale plans for fleets in memory of a tenth, a third and the whole of
// the largest size, and tells their status: what one instance costs must stay
// the same.
func measureScale(ctx context.Context, _ *bench) ([]row, error) {
	var rows []row
	for _, part := range []int{10, 3, 1} {
		ships := planShips / part
		h, err := newHarbour(ctx, ships, ships)
		if err != nil {
			return nil, err
		}
		next := strings.ReplaceAll(h.text, "RELEASE: first", "RELEASE: next")
		rows = append(rows, scaled(fmt.Sprintf("plan %d services, %d ships: nothing runs", planServices, ships), ships, func() error { return h.empty(ctx) }))
		rows = append(rows, scaled("  as declared", ships, func() error { return h.plan(ctx, h.text, 0) }))
		rows = append(rows, scaled("  all of it changes", ships, func() error { return h.plan(ctx, next, ships) }))
	}
	for _, part := range []int{10, 3, 1} {
		ships := statusShips / part
		h, err := newHarbour(ctx, ships, ships*statusPerShip)
		if err != nil {
			return nil, err
		}
		rows = append(rows, scaled(fmt.Sprintf("status of %d ships, %d instances", ships, ships*statusPerShip), ships*statusPerShip, func() error { return h.status(ctx) }))
	}
	return rows, nil
}

// scaled is the line of something that was done to so many instances: in all,
// and for each of them.
func scaled(what string, instances int, do func() error) row {
	costs := make([]cost, scaleRounds)
	for n := range costs {
		c, err := costOf(do)
		if err != nil {
			return row{what: what, ours: err.Error()}
		}
		costs[n] = c
	}
	took := quantile(each(costs, func(c cost) time.Duration { return c.took }), 0.5)
	bytes := quantile(each(costs, func(c cost) int { return c.bytes }), 0.5)
	return row{
		what: what, ours: asTime(took),
		ratio: fmt.Sprintf("%.1f µs, %.1f kB each", float64(took.Nanoseconds())/1e3/float64(instances), float64(bytes)/1e3/float64(instances)),
	}
}

func costOf(do func() error) (cost, error) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	began := time.Now()
	err := do()
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	return cost{took, int(after.TotalAlloc - before.TotalAlloc)}, err
}

// harbour is a fleet in memory on which everything runs as its document says.
type harbour struct {
	*deployer.Fleet
	bare  *deployer.Fleet // ships of the same names on which nothing runs
	scope deployer.Scope
	infos []deployer.ShipInfo
	text  string
}

// newHarbour has planServices services run so many instances, on the ships.
func newHarbour(ctx context.Context, ships, instances int) (*harbour, error) {
	h := &harbour{scope: deployer.Scope{App: "bench", Environment: "qa"}, text: scaleDocument(instances / planServices)}
	fakes, bare := map[batuta.ShipName]deployer.Ship{}, map[batuta.ShipName]deployer.Ship{}
	for n := range ships {
		name := batuta.ShipName(fmt.Sprintf("ship-%04d", n+1))
		fakes[name], bare[name] = shiptest.New(name), shiptest.New(name)
		h.infos = append(h.infos, deployer.ShipInfo{
			Name: name, Address: fmt.Sprintf("10.%d.%d.1", n/250, n%250),
			Labels: map[string]string{"role": "web", "zone": string(rune('a' + n%3))},
		})
	}
	h.Fleet, h.bare = deployer.New(fakes, deployer.Options{}), deployer.New(bare, deployer.Options{})
	want, err := h.resolve(h.text, nil)
	if err != nil {
		return nil, err
	}
	for _, i := range want.Instances {
		ship := fakes[i.Ship]
		if err := ship.Pull(ctx, i.Image); err != nil {
			return nil, err
		}
		id, err := ship.Create(ctx, h.scope, 1, i)
		if err == nil {
			err = ship.Start(ctx, id)
		}
		if err != nil {
			return nil, err
		}
	}
	return h, nil
}

// scaleDocument declares services that look like a team's.
func scaleDocument(count int) string {
	var b strings.Builder
	b.WriteString("batuta: 1\nservices:\n")
	for n := range planServices {
		fmt.Fprintf(&b, `
  s%03d:
    image: registry.example/s%03d@sha256:%064x
    count: %d
    on: {role: web}
    ports: {http: 8080}
    env: {RELEASE: first, DB_HOST: db.internal, CACHE: cache.internal}
    lifecycle: {running: [{type: http, port: http, path: /up}]}
`, n, n, n, max(1, count))
		if n > 0 {
			fmt.Fprintf(&b, "    requires: [s%03d]\n", n/10*10/10)
		}
	}
	return b.String()
}

func (h *harbour) resolve(text string, current []deployer.Container) (deployer.Spec, error) {
	doc, err := deployer.Parse("qa.yml", []byte(text))
	if err != nil {
		return deployer.Spec{}, err
	}
	return doc.Resolve(deployer.Input{Scope: h.scope, Release: 1, Ships: h.infos, Key: []byte("key"), Current: current})
}

// plan does all that planning is: look, resolve, compare.
func (h *harbour) plan(ctx context.Context, text string, changes int) error {
	return planned(ctx, h, h.Fleet, text, changes)
}

// empty is plan on ships on which nothing runs.
func (h *harbour) empty(ctx context.Context) error {
	return planned(ctx, h, h.bare, h.text, len(h.infos))
}

func planned(ctx context.Context, h *harbour, fleet *deployer.Fleet, text string, changes int) error {
	want, err := h.resolve(text, fleet.Observe(ctx, h.scope).Containers)
	if err != nil {
		return err
	}
	plan, err := fleet.Plan(ctx, want)
	if err != nil {
		return err
	}
	n := 0
	for _, c := range plan.Changes {
		if c.Action != deployer.Keep {
			n++
		}
	}
	if n != changes/planServices*planServices {
		return fmt.Errorf("%d changes are planned, want %d", n, changes)
	}
	return nil
}

func (h *harbour) status(ctx context.Context) error {
	states, silent := h.Status(ctx, h.scope)
	if len(silent) > 0 || len(states) != len(h.infos)*statusPerShip/planServices*planServices {
		return fmt.Errorf("%d instances and %d silent ships", len(states), len(silent))
	}
	return nil
}
