package deployer_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/shiptest"
)

// stage is a harbour with an environment to play with.
type stage struct {
	*harbour
	spec deployer.Spec

	mu    sync.Mutex
	heard []deployer.Cue
	order []string // what was done, in order: start web-1
}

// newStage declares services: "web>db: web-1@a web-2@b" is a service web that
// requires db, with two instances on the ships a and b.
func newStage(t *testing.T, services ...string) *stage {
	t.Helper()
	names := map[batuta.ShipName]bool{}
	s := &stage{spec: deployer.Spec{Scope: qa, Services: map[batuta.ServiceName]deployer.Service{}}}
	for _, line := range services {
		head, rest, _ := strings.Cut(line, ":")
		name, requires, _ := strings.Cut(head, ">")
		s.spec.Services[batuta.ServiceName(name)] = deployer.Service{}
		if requires != "" {
			var all []batuta.ServiceName
			for r := range strings.SplitSeq(requires, ",") {
				all = append(all, batuta.ServiceName(r))
			}
			s.spec.Services[batuta.ServiceName(name)] = deployer.Service{Requires: all}
		}
		for word := range strings.FieldsSeq(rest) {
			instance, ship, _ := strings.Cut(word, "@")
			names[batuta.ShipName(ship)] = true
			s.spec.Instances = append(s.spec.Instances, s.instance(instance, name, ship))
		}
	}
	s.harbour = newHarbour(slices.Sorted(maps.Keys(names))...)
	for _, ship := range s.ships {
		ship.Before = s.note
	}
	return s
}

func (s *stage) instance(name, service, ship string) deployer.Instance {
	i := deployer.Instance{
		Name: batuta.InstanceName(name), Service: batuta.ServiceName(service), Ship: batuta.ShipName(ship),
		Reference: "registry.test/" + service, Restart: "no", StopTimeout: 10 * time.Second, Called: name,
	}
	return i
}

// change edits an instance of the environment.
func (s *stage) change(name string, how func(*deployer.Instance)) {
	for n := range s.spec.Instances {
		if string(s.spec.Instances[n].Name) == name {
			how(&s.spec.Instances[n])
		}
	}
}

func (s *stage) note(c shiptest.Call) error {
	if slices.Contains([]string{"Start", "Stop", "Kill", "Remove", "Fetch"}, c.Method) {
		s.mu.Lock()
		defer s.mu.Unlock()
		what := string(c.Instance)
		if c.Method == "Fetch" {
			what = c.Image.Repository
		}
		s.order = append(s.order, strings.ToLower(c.Method)+" "+what)
	}
	return nil
}

// fail makes a call for an instance fail.
func (s *stage) fail(method, instance string, why error) {
	for _, ship := range s.ships {
		ship.Before = func(c shiptest.Call) error {
			if c.Method == method && string(c.Instance) == instance {
				return why
			}
			return s.note(c)
		}
	}
}

// play seals the environment, plays the order, and gives what was done.
func (s *stage) play(t *testing.T, o deployer.Order) ([]string, error) {
	t.Helper()
	return s.playIn(t.Context(), t, o)
}

func (s *stage) playIn(ctx context.Context, t *testing.T, o deployer.Order) ([]string, error) {
	t.Helper()
	for n := range s.spec.Instances {
		deployer.Seal(&s.spec.Instances[n], []byte("key"))
	}
	p, err := deployer.NewPlay(s.spec, o)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.heard, s.order = nil, nil
	s.mu.Unlock()
	err = s.Play(ctx, p, func(c deployer.Cue) { s.heard = append(s.heard, c) })
	return s.order, err
}

func (s *stage) must(t *testing.T, o deployer.Order) []string {
	t.Helper()
	did, err := s.play(t, o)
	if err != nil {
		t.Fatal(err)
	}
	return did
}

// final is what became of an instance.
func (s *stage) final(name string) string {
	for _, c := range s.heard {
		if c.Final && string(c.Instance) == name {
			return c.Text
		}
	}
	return ""
}

// running are the names of the instances that run.
func (s *stage) running() []string {
	var out []string
	for _, ship := range s.ships {
		for _, c := range ship.All() {
			if c.State == "running" {
				out = append(out, string(c.Instance))
			}
		}
	}
	slices.Sort(out)
	return out
}

func wantDone(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("done:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// only gives the acts of some kinds.
func only(did []string, kinds ...string) []string {
	return slices.DeleteFunc(slices.Clone(did), func(act string) bool {
		kind, _, _ := strings.Cut(act, " ")
		return !slices.Contains(kinds, kind)
	})
}

func TestPlayOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "web>app: web-1@a", "app>db: app-1@b", "db: db-1@a")
		wantDone(t, only(s.must(t, deployer.Order{Verb: deployer.PlayStart}), "start"), "start db-1", "start app-1", "start web-1")
		wantDone(t, s.must(t, deployer.Order{Verb: deployer.PlayStart}))
		if got := s.final("web-1"); !strings.HasPrefix(got, "up for ") {
			t.Errorf("what runs is %q", got)
		}
		wantDone(t, only(s.must(t, deployer.Order{Verb: deployer.PlayStop, Things: []string{"db-1"}, WithDependencies: true}), "stop"),
			"stop web-1", "stop app-1", "stop db-1")
		wantDone(t, only(s.must(t, deployer.Order{Verb: deployer.PlayStart, Things: []string{"web"}}), "start"), "start web-1")
		if !slices.ContainsFunc(s.heard, func(c deployer.Cue) bool { return c.Number < 0 && strings.Contains(c.Text, "app-1") }) {
			t.Errorf("nobody was told that app-1 does not run: %v", s.heard)
		}
		wantDone(t, only(s.must(t, deployer.Order{Verb: deployer.PlayStart, Things: []string{"app-1"}, WithDependencies: true}), "start"), "start db-1", "start app-1")
		wantDone(t, only(s.must(t, deployer.Order{Verb: deployer.PlayKill, All: true}), "kill"), "kill web-1", "kill app-1", "kill db-1")
		wantDone(t, only(s.must(t, deployer.Order{Verb: deployer.PlayClean, Things: []string{"app", "db"}}), "remove"), "remove db-1", "remove app-1")
		if got := s.final("web-1"); got != "" {
			t.Errorf("web-1 was cleaned, too: %s", got)
		}
	})
}

func TestConcurrency(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{0, 1, 2} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, "web: web-1@a web-2@a web-3@b web-4@b")
				s.behave(func(deployer.Instance) shiptest.Behaviour { return shiptest.Behaviour{ReadyAfter: 10 * time.Second} })
				for _, i := range s.spec.Instances {
					s.change(string(i.Name), func(i *deployer.Instance) {
						i.Checks = []deployer.Check{{Type: deployer.CheckTCP, Port: 80, MaxWait: time.Minute, Timeout: time.Second, Interval: time.Millisecond}}
					})
				}
				began := time.Now()
				s.must(t, deployer.Order{Verb: deployer.PlayStart, Concurrency: limit})
				took := time.Since(began).Round(5 * time.Second)
				if want := map[int]time.Duration{0: 10 * time.Second, 1: 40 * time.Second, 2: 20 * time.Second}[limit]; took != want {
					t.Errorf("it took %s, want %s", took, want)
				}
			})
		})
	}
}

func TestFirstErrorBeginsNothingNew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "web>db: web-1@a web-2@a", "db: db-1@a", "other: other-1@b other-2@b")
		s.behave(func(i deployer.Instance) shiptest.Behaviour {
			return shiptest.Behaviour{Exits: i.Service == "db", ExitAfter: time.Millisecond, ExitCode: 3, Prints: []string{"no room for my tables"}}
		})
		_, err := s.play(t, deployer.Order{Verb: deployer.PlayStart})
		if err == nil || !strings.Contains(err.Error(), "start db-1 on a: exited 3") || !strings.Contains(err.Error(), "no room for my tables") {
			t.Errorf("%v", err)
		}
		if got := s.running(); !slices.Equal(got, []string{"other-1", "other-2"}) {
			t.Errorf("running: %v", got)
		}
		if got := s.final("web-1"); !strings.HasPrefix(got, "aborted") {
			t.Errorf("web-1: %s", got)
		}
	})
}

func TestDeadShipIsNobodyElsesTrouble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "web>db: web-1@a web-2@b", "db: db-1@a db-2@c", "lone>far: lone-1@a", "far: far-1@b")
		s.ships["b"].Before = func(shiptest.Call) error { return shiptest.ErrHangs }
		_, err := s.play(t, deployer.Order{Verb: deployer.PlayStart})
		if !errors.Is(err, batuta.Unavailable) {
			t.Errorf("%v", err)
		}
		if got := s.running(); !slices.Equal(got, []string{"db-1", "db-2", "web-1"}) {
			t.Errorf("running: %v", got)
		}
		if got := s.final("lone-1"); !strings.Contains(got, "aborted") || !strings.Contains(got, "far-1") {
			t.Errorf("lone-1: %s", got)
		}
		_, err = s.play(t, deployer.Order{Verb: deployer.PlayStop, All: true})
		if !errors.Is(err, batuta.Unavailable) || len(s.running()) > 0 {
			t.Errorf("%v; running: %v", err, s.running())
		}
	})
}

func TestInterruptedPlay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "web>db: web-1@a", "db: db-1@a")
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(500*time.Millisecond, cancel) // db-1 settles for a second
		_, err := s.playIn(ctx, t, deployer.Order{Verb: deployer.PlayStart})
		if !errors.Is(err, context.Canceled) || s.final("web-1") == "" {
			t.Errorf("%v; web-1: %s", err, s.final("web-1"))
		}
		if got := s.running(); len(got) > 0 {
			t.Errorf("what was half started runs: %v", got)
		}
	})
}
