package deployer_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/shiptest"
)

func TestDriftIsToldInWords(t *testing.T) {
	h := newHarbour("ship-a", "ship-b")
	want := h.spec(t, strings.ReplaceAll(portal, "count: 2", "count: 3"), image(1))
	next := h.spec(t, strings.ReplaceAll(portal, "count: 2", "count: 3"), image(2))
	orphan := want.Instances[1]
	orphan.Name = "web-9"
	plan := deployer.Diff(want, deployer.State{Containers: []deployer.Container{
		container(want.Instances[0], 1, "exited", 137),
		container(want.Instances[1], 1, "running", 0),
		container(next.Instances[2], 1, "running", 0),
		container(orphan, 1, "running", 0),
	}})
	var got []string
	for _, d := range plan.Drift() {
		got = append(got, d.String())
	}
	wanted := []string{
		"db-1 on ship-b: it was stopped, or ended by itself: exited 137",
		"web-2 on ship-b: it is not as declared: image 222222222222 → 111111111111",
		"web-3 on ship-a: it is gone",
		"web-9 on ship-a: it is not declared, and carries our labels",
	}
	if !slices.Equal(got, wanted) {
		t.Errorf("drift:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(wanted, "\n"))
	}
	if d := deployer.Diff(want, deployer.State{Containers: all(want)}).Drift(); len(d) != 0 {
		t.Errorf("drift of what is as declared: %v", d)
	}
}

func TestWhatSomebodyChangedOrPausedIsPutRight(t *testing.T) {
	for _, text := range []string{oneService, fixedPort} {
		synctest.Test(t, func(t *testing.T) {
			h := newHarbour("ship-a", "ship-b")
			want := h.spec(t, text, image(1))
			h.live(t, want)
			have := h.Observe(t.Context(), qa).Containers
			h.ships["ship-a"].Alter(have[0].ID, "limit memory none → 1g")
			h.ships["ship-b"].Pause(have[1].ID)
			plan, err := h.Plan(t.Context(), want)
			if err != nil {
				t.Fatal(err)
			}
			found := plan.Drift()
			slices.SortFunc(found, func(a, b deployer.Drift) int { return strings.Compare(a.String(), b.String()) })
			if drift := fmt.Sprint(found); drift != "[web-1 on ship-a: it is not as declared: changed by hand: limit memory none → 1g web-2 on ship-b: it was stopped, or ended by itself: paused]" {
				t.Errorf("drift: %s\n%s", drift, plan)
			}
			h.live(t, want)
			h.wantRuns(t, "web-1 on ship-a: 1111 running", "web-2 on ship-b: 1111 running")
			if plan, err := h.Plan(t.Context(), want); err != nil || !plan.Empty() || slices.ContainsFunc(h.Observe(t.Context(), qa).Containers, func(c deployer.Container) bool { return c.ID == have[0].ID || c.ID != have[1].ID && c.Ship == "ship-b" }) {
				t.Errorf("it is not put right: %v\n%s", err, plan)
			}
			// a release that fails leaves what was changed as it was
			have = h.Observe(t.Context(), qa).Containers
			h.ships["ship-a"].Alter(have[0].ID, "limit memory none → 1g")
			h.behave(behaves(image(2), shiptest.Behaviour{NeverReady: true}))
			if outcome, err := h.apply(t.Context(), h.spec(t, text, image(2))); outcome.Status != batuta.RolledBack || outcome.Undone != nil {
				t.Errorf("apply = %+v, %v", outcome, err)
			}
			h.wantRuns(t, "web-1 on ship-a: 1111 running", "web-2 on ship-b: 1111 running")
		})
	}
}

func TestThePlanShowsPoliciesHooksAndCommits(t *testing.T) {
	h := newHarbour("ship-a", "ship-b")
	base := h.spec(t, portal, image(1))
	next := hooked(h.policy(t, portal, image(2), deployer.Update{
		AtOnce: deployer.Amount{N: 1}, Canary: deployer.Amount{N: 1}, Wait: 10 * time.Second, Watch: 30 * time.Second, Tolerate: deployer.Amount{Percent: 10},
	}), before, "drush", "updatedb")
	plan := deployer.Diff(next, deployer.State{Containers: all(base)})
	plain := plan.Hash()
	plan.Commits = []deployer.Commit{{Revision: "0123456789abcdef", Author: "Ada", Message: "The front page greets\n\nat length"}}
	want := `commit 0123456789 by Ada: The front page greets
web: replace 2: image 111111111111 → 222222222222
  hook before, once, on ship-b: drush updatedb
  a canary of 1 first, watched for 30s; 1 at once; 10s between batches; watched for 30s before it counts as live; 10% may fail
  web-1 on ship-a: replace
  web-2 on ship-b: replace
nothing is unavailable meanwhile
1 instance runs as declared: db-1
`
	if plan.String() != want {
		t.Errorf("plan:\n%s\nwant:\n%s", plan, want)
	}
	if plan.Hash() != plain {
		t.Error("the commits are part of the hash")
	}
	data, err := json.Marshal(plan)
	var read deployer.Plan
	if err != nil || json.Unmarshal(data, &read) != nil || read.Hash() != plain || read.String() != want || strings.Contains(string(data), "hush") {
		t.Errorf("the plan read from JSON is another, or shows a secret: %v\n%s\n%s", err, read, data)
	}
	next.Services["web"] = deployer.Service{Hooks: next.Services["web"].Hooks}
	if deployer.Diff(next, deployer.State{Containers: all(base)}).Hash() == plain {
		t.Error("the hash is blind to the policy")
	}
	delete(next.Services, "web")
	if deployer.Diff(next, deployer.State{Containers: all(base)}).Hash() == plain {
		t.Error("the hash is blind to the hooks")
	}
}

func TestOrphansStopInReverseOfTheirDependencies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a")
		text := `
services:
  gone: {build: web, count: 1}
  a: {build: web, count: 2}
  b: {build: web, count: 2, requires: [a]}
`
		h.live(t, h.spec(t, text, image(1)))
		stops := h.order("Stop")
		for _, s := range h.ships {
			slow(s, "Stop", time.Second)
		}
		h.live(t, h.spec(t, strings.ReplaceAll(strings.ReplaceAll(text, "count: 2", "count: 1"), "  gone: {build: web, count: 1}\n", ""), image(1)))
		if got := stops(); got != "gone-1 | b-2 | a-2" {
			t.Errorf("stopped %s", got)
		}
	})
}

// What no document tells of any more is known from the containers' labels.
func TestWhatIsGoneStopsBeforeWhatItRequired(t *testing.T) {
	text := `
services:
  cache: {build: web, count: 1}
  api: {build: web, count: 1, requires: [db]}
  db: {build: web, count: 2, requires: [cache]}
  site: {build: web, count: 1, requires: [api]}
  last: {build: web, count: 1, requires: [site]}
`
	for name, c := range map[string]struct{ after, want string }{
		"all":           {"services: {}", "last-1 | site-1 | api-1 | db-1 db-2 | cache-1"},
		"some":          {"services: {db: {build: web, count: 1}, last: {build: web, count: 1}}", "site-1 | api-1 | db-2 | cache-1"},
		"turned round":  {"services: {cache: {build: web, count: 1, requires: [last]}, last: {build: web, count: 1}}", "site-1 | api-1 | db-1 db-2"},
		"taken down":    {"", "last-1 | site-1 | api-1 | db-1 db-2 | cache-1"},
		"a middle gone": {"services: {api: {build: web, count: 1, requires: [cache]}, cache: {build: web, count: 1}}", "db-1 db-2 last-1 | site-1"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHarbour("ship-a")
				h.live(t, h.spec(t, text, image(1)))
				stops := h.order("Stop")
				for _, s := range h.ships {
					slow(s, "Stop", time.Second)
				}
				if c.after != "" {
					h.live(t, h.spec(t, c.after, image(1)))
				} else if err := h.Down(t.Context(), qa); err != nil {
					t.Fatal(err)
				}
				if got := stops(); got != c.want {
					t.Errorf("stopped %s; want %s", got, c.want)
				}
			})
		})
	}
}

func TestEventsTellTheHistoryOfEveryInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a")
		text := strings.ReplaceAll(oneService, "count: 2", "count: 1")
		var got []string
		apply := func(want deployer.Spec) {
			plan, err := h.Plan(t.Context(), want)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = h.Apply(t.Context(), plan, func(e deployer.Event) {
				if e.Kind == "" {
					return
				}
				if e.Service != "web" || e.Container == "" || e.Release != 7 || e.At.IsZero() {
					t.Errorf("%+v", e)
				}
				got = append(got, fmt.Sprintf("%s %s %d", e.Container, e.Kind, e.ExitCode))
			})
		}
		apply(h.spec(t, text, image(1)))
		apply(h.spec(t, text, image(2)))
		h.behave(behaves(image(3), shiptest.Behaviour{Exits: true, ExitCode: 5, NeverReady: true}))
		apply(h.spec(t, text, image(3)))
		apply(h.spec(t, "services: {}", image(3)))
		want := []string{
			"ship-a-0001 created 0", "ship-a-0001 started 0", "ship-a-0001 ready 0",
			"ship-a-0002 created 0", "ship-a-0002 started 0", "ship-a-0002 ready 0", "ship-a-0001 replaced 0", "ship-a-0001 removed 0",
			"ship-a-0003 created 0", "ship-a-0003 started 0", "ship-a-0003 crashed 5", "ship-a-0003 removed 0",
			"ship-a-0002 stopped 0", "ship-a-0002 removed 0",
		}
		if !slices.Equal(got, want) {
			t.Errorf("events:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

func TestPruneKeepsWhatARollbackNeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour("ship-a", "ship-b")
		deploy := func(n int) {
			want := h.spec(t, oneService, image(n))
			want.Own, want.Keep = []string{image(1).Repository}, []batuta.Image{image(n - 1)}
			h.live(t, want)
		}
		foreign := batuta.Image{Repository: "registry.test/other", Digest: image(1).Digest}
		for _, s := range h.ships {
			if err := s.Pull(t.Context(), foreign); err != nil {
				t.Fatal(err)
			}
		}
		deploy(2)
		deploy(3)
		h.events = nil
		deploy(4)
		gone := 0
		for _, e := range h.events {
			if strings.Contains(e, "nobody needs any more are removed: "+image(2).String()) {
				gone++
			}
			if strings.Contains(e, foreign.String()) || strings.Contains(e, "removed: "+image(3).String()) {
				t.Errorf("%s", e)
			}
		}
		if gone != 2 {
			t.Errorf("the image before last went from %d of 2 ships: %q", gone, h.events)
		}
		for name, s := range h.ships {
			for image, kept := range map[batuta.Image]bool{image(2): false, image(3): true, image(4): true, foreign: true} {
				if id, err := s.Find(t.Context(), image.String()); err != nil || (id != "") != kept {
					t.Errorf("%s has %s: %q, %v; want it kept: %v", name, image, id, err, kept)
				}
			}
		}
	})
}

// BenchmarkDiff plans 100 services on 5,000 ships, an instance of each on
// every fiftieth, and the full house of half a million instances.
// What an instance costs must not grow with their number.
func BenchmarkDiff(b *testing.B) {
	for _, each := range []int{50, 500, 5000} {
		for what, config := range map[string]string{"unchanged": "new", "changed": "old"} {
			b.Run(fmt.Sprintf("%d instances %s", 100*each, what), func(b *testing.B) {
				want, have := crowd(each, config)
				b.ReportAllocs()
				for b.Loop() {
					deployer.Diff(want, have)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*100*each), "ns/instance")
			})
		}
	}
}

// crowd is 100 services of so many instances each over 5,000 ships, and what
// runs of them.
func crowd(each int, config string) (deployer.Spec, deployer.State) {
	want := deployer.Spec{Scope: qa}
	var have deployer.State
	for n := range 100 {
		service := batuta.ServiceName(fmt.Sprintf("service-%d", n))
		want.Waves = append(want.Waves, []batuta.ServiceName{service})
		for k := range each {
			i := deployer.Instance{
				Name: batuta.InstanceName(fmt.Sprintf("%s-%d", service, k)), Service: service, Config: "new", Image: image(1),
				Ship: batuta.ShipName(fmt.Sprintf("ship-%d", k*5000/each)), Ports: []deployer.Port{{Name: "http", Container: 80, Protocol: "tcp"}},
				Spec: `{"name":"x","service":"y","ship":"z","image":{"repository":"registry.test/web","digest":"sha256:11"},"env":{"A":"b","C":"d"},"restart":"always","stop_timeout":10000000000}`,
			}
			want.Instances = append(want.Instances, i)
			i.Config = config
			have.Containers = append(have.Containers, container(i, 1, "running", 0))
		}
	}
	return want, have
}
