package deployer_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/shiptest"
)

// The defects of MaestroNG that a play must not have, by their numbers.

func TestDefect01FilterNeverWidens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "web>db: web-1@a web-2@b", "db: db-1@b")
		for _, c := range []struct {
			order deployer.Order
			want  []string
		}{
			{deployer.Order{Verb: deployer.PlayStart, Ships: "a"}, []string{"start web-1"}},
			{deployer.Order{Verb: deployer.PlayStart, Things: []string{"web-2"}, WithDependencies: true, Containers: "web*"}, []string{"start web-2"}},
			{deployer.Order{Verb: deployer.PlayKill, All: true, Ships: "b"}, []string{"kill web-2"}},
			{deployer.Order{Verb: deployer.PlayStart, Containers: "?b-*"}, []string{"start db-1"}},
			{deployer.Order{Verb: deployer.PlayRestart, All: true, Ships: "a"}, []string{"stop web-1", "start web-1"}},
		} {
			wantDone(t, only(s.must(t, c.order), "start", "stop", "kill"), c.want...)
		}
		for want, o := range map[string]deployer.Order{
			`"nowhere" matches no ship that has an instance`: {Verb: deployer.PlayStart, Ships: "nowhere"},
			`"webb-1" matches no instance`:                   {Verb: deployer.PlayStart, Containers: "webb-1"},
			"the filters leave nothing of what was named":    {Verb: deployer.PlayStart, Things: []string{"web-2"}, Ships: "a"},
		} {
			if _, err := s.play(t, o); !errors.Is(err, batuta.Invalid) || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: %v, want %s", o, err, want)
			}
		}
		if _, err := s.play(t, deployer.Order{Verb: deployer.PlayStart, Ships: "[a"}); !errors.Is(err, batuta.Invalid) {
			t.Errorf("a broken glob: %v", err)
		}
	})
}

func tcpCheck(i *deployer.Instance) {
	i.Checks = []deployer.Check{{Type: deployer.CheckTCP, Port: 80, MaxWait: time.Minute, Timeout: time.Second, Interval: time.Second}}
}

func TestDefect02CheckIsMadeInTheContainer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "web: web-1@a")
		s.change("web-1", tcpCheck)
		s.behave(func(deployer.Instance) shiptest.Behaviour { return shiptest.Behaviour{ReadyAfter: 8 * time.Second} })
		began := time.Now()
		s.must(t, deployer.Order{Verb: deployer.PlayStart})
		if took := time.Since(began); took < 8*time.Second {
			t.Errorf("it counted as started after %s, and listened after 8s", took)
		}
	})
}

func TestDefect03CrashAfterStartIsAlwaysAnError(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"no", "always"} {
		for _, after := range []time.Duration{0, time.Millisecond, 50 * time.Millisecond, 400 * time.Millisecond} {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, "web>db: web-1@a", "db: db-1@a")
				s.change("db-1", func(i *deployer.Instance) { i.Restart = policy })
				s.behave(func(i deployer.Instance) shiptest.Behaviour {
					return shiptest.Behaviour{Exits: i.Service == "db", ExitAfter: after, ExitCode: 1, Prints: []string{"last words"}}
				})
				_, err := s.play(t, deployer.Order{Verb: deployer.PlayStart})
				if !errors.Is(err, batuta.Unhealthy) || !strings.Contains(err.Error(), "last words") || len(s.running()) > 0 {
					t.Errorf("%s after %s: %v; running: %v", policy, after, err, s.running())
				}
			})
		}
	}
}

func TestDefect04WithoutItsImageNothingIsStopped(t *testing.T) {
	t.Parallel()
	for _, refresh := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newStage(t, "web: web-1@a web-2@a", "other: other-1@a")
			s.must(t, deployer.Order{Verb: deployer.PlayStart})
			s.change("web-2", func(i *deployer.Instance) { i.Reference = "registry.test/missing" })
			s.fail("Fetch", "", &batuta.Error{Kind: batuta.NotFound, Message: "no such image"})
			did, err := s.play(t, deployer.Order{Verb: deployer.PlayRestart, All: true, Refresh: refresh})
			if !errors.Is(err, batuta.NotFound) || len(did) > 0 || len(s.running()) != 3 {
				t.Errorf("%v; done: %v; running: %v", err, did, s.running())
			}
		})
	}
}

func TestDefect05UnreadyContainerIsStopped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "web: web-1@a")
		s.change("web-1", tcpCheck)
		s.behave(func(deployer.Instance) shiptest.Behaviour {
			return shiptest.Behaviour{NeverReady: true, Prints: []string{"cannot find my database"}}
		})
		for range 2 {
			_, err := s.play(t, deployer.Order{Verb: deployer.PlayStart})
			if !errors.Is(err, batuta.Unhealthy) || !strings.Contains(err.Error(), "cannot find my database") || len(s.running()) > 0 {
				t.Errorf("%v; running: %v", err, s.running())
			}
		}
		s.behave(nil)
		s.must(t, deployer.Order{Verb: deployer.PlayStart})
		s.fail("Probe", "web-1", errors.New("connection refused"))
		_, err := s.play(t, deployer.Order{Verb: deployer.PlayStart})
		if !errors.Is(err, batuta.Unhealthy) || !slices.Equal(s.running(), []string{"web-1"}) {
			t.Errorf("what runs and is not ready: %v; running: %v", err, s.running())
		}
	})
}

func TestDefect09ForeignContainersAreNotAdopted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "web: web-1@a")
		s.spec.Scope = deployer.Scope{Environment: "theirs"}
		s.must(t, deployer.Order{Verb: deployer.PlayStart})
		s.spec.Scope = deployer.Scope{Environment: "ours"}
		wantDone(t, only(s.must(t, deployer.Order{Verb: deployer.PlayStart}), "start"), "start web-1")
		for _, v := range []deployer.Verb{deployer.PlayRestart, deployer.PlayStop, deployer.PlayClean} {
			s.must(t, deployer.Order{Verb: v, All: true})
		}
		all := s.ships["a"].All()
		if len(all) != 1 || all[0].Scope.Environment != "theirs" || all[0].State != "running" {
			t.Errorf("left: %+v", all)
		}
	})
}

// sights shows the environment.
func (s *stage) sights(t *testing.T, o deployer.Order) []deployer.Sight {
	t.Helper()
	o.Verb = deployer.PlayStatus
	p, err := deployer.NewPlay(s.spec, o)
	if err != nil {
		t.Fatal(err)
	}
	return s.Sights(t.Context(), p)
}

func TestDefect10OrphansAreShown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "web: web-1@a web-2@b", "gone: gone-1@b")
		s.must(t, deployer.Order{Verb: deployer.PlayStart})
		time.Sleep(3 * time.Minute)
		s.spec.Instances = s.spec.Instances[:2]
		s.change("web-2", func(i *deployer.Instance) {
			i.Env = []deployer.Variable{{Name: "FOO", Value: "2"}}
			deployer.Seal(i, []byte("key"))
		})
		var lines []string
		for _, i := range s.sights(t, deployer.Order{}) {
			lines = append(lines, fmt.Sprintf("%s on %s: %s", i.Instance, i.Ship, i.Text(time.Now())))
		}
		want := []string{
			"web-1 on a: up for 3m", "web-2 on b: up for 3m, differs from the document: env FOO added", "gone-1 on b: up for 3m, not declared",
		}
		if !slices.Equal(lines, want) {
			t.Errorf("%s", strings.Join(lines, "\n"))
		}
		if got := s.sights(t, deployer.Order{Ships: "a"}); len(got) != 1 {
			t.Errorf("on a: %+v", got)
		}
		s.must(t, deployer.Order{Verb: deployer.PlayStart})
		if got := s.final("web-2"); got != "up, differs from the document: env FOO added (restart to apply)" {
			t.Errorf("start says %q", got)
		}
	})
}

func TestDefect11DeadShipIsShown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "web: web-1@a web-2@b web-3@b")
		s.must(t, deployer.Order{Verb: deployer.PlayStart})
		s.ships["b"].Before = func(shiptest.Call) error { return shiptest.ErrHangs }
		began := time.Now()
		got := s.sights(t, deployer.Order{})
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("it took %s", took)
		}
		if got[0].Standing != deployer.Up || got[1].Standing != deployer.HostDown || got[2].Standing != deployer.HostDown || got[1].Why == "" {
			t.Errorf("%+v", got)
		}
	})
}

func TestDefect12RestartTakesOneOfEachServiceAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a>b: a-1@x a-2@x", "b: b-1@x", "lone: lone-1@y lone-2@y")
		s.must(t, deployer.Order{Verb: deployer.PlayStart})
		did := only(s.must(t, deployer.Order{Verb: deployer.PlayRestart, All: true, Things: []string{"a", "b"}}), "stop", "start")
		wantDone(t, did, "stop a-1", "stop b-1", "start b-1", "start a-1", "stop a-2", "start a-2")
		wantDone(t, only(s.must(t, deployer.Order{Verb: deployer.PlayRestart, All: true, Ships: "y"}), "stop", "start"),
			"stop lone-1", "start lone-1", "stop lone-2", "start lone-2")

		began := time.Now()
		did = only(s.must(t, deployer.Order{Verb: deployer.PlayRestart, All: true, Concurrency: 1, StepDelay: time.Hour, StopStartDelay: time.Minute}), "stop", "start")
		wantDone(t, did, "stop a-1", "stop b-1", "start b-1", "start a-1", "stop a-2", "start a-2", "stop lone-1", "start lone-1", "stop lone-2", "start lone-2")
		if took := time.Since(began).Round(time.Minute); took != 3*time.Hour+4*time.Minute {
			t.Errorf("with its delays it took %s", took)
		}
	})
}

func TestRestartOnlyIfChanged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "web: web-1@a web-2@a", "db: db-1@a", "app: app-1@a")
		s.must(t, deployer.Order{Verb: deployer.PlayStart})
		o := deployer.Order{Verb: deployer.PlayRestart, All: true, OnlyIfChanged: true, Refresh: true}
		wantDone(t, only(s.must(t, o), "stop", "start"))
		s.ships["a"].Rebuilt("registry.test/web")
		s.change("db-1", func(i *deployer.Instance) { i.User = "nobody" })
		did := only(s.must(t, o), "stop")
		slices.Sort(did) // neither service waits for the other
		wantDone(t, did, "stop db-1", "stop web-1", "stop web-2")
		if got := s.final("app-1"); !strings.HasPrefix(got, "unchanged, up for") {
			t.Errorf("app-1: %s", got)
		}
	})
}

func TestRestartThatFailsLeavesNothingHalf(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a>b: a-1@x a-2@x", "b: b-1@x")
		s.must(t, deployer.Order{Verb: deployer.PlayStart})
		s.fail("Stop", "b-1", errors.New("it does not want to"))
		did, err := s.play(t, deployer.Order{Verb: deployer.PlayRestart, All: true})
		if err == nil || !strings.Contains(err.Error(), "b-1 on x: it does not want to") || len(s.running()) != 3 {
			t.Errorf("%v; done: %v; running: %v", err, did, s.running())
		}
		s.fail("Stop", "", nil)
		before := s.ships["x"].All()[0].ID
		s.must(t, deployer.Order{Verb: deployer.PlayRestart, Things: []string{"a-1"}, Reuse: true})
		if s.ships["x"].All()[0].ID != before {
			t.Error("--reuse made another container")
		}
	})
}

func TestDefect13UsedUpRetriesAreAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "web: web-1@a web-2@a")
		tries := 0
		s.ships["a"].Before = func(c shiptest.Call) error {
			if c.Method == "Fetch" {
				tries++
				return &batuta.Error{Kind: batuta.Unavailable, Message: "503 Service Unavailable"}
			}
			return nil
		}
		retry := func(string) deployer.Source {
			return deployer.Source{Attempts: 3, Again: func(err error) bool { return errors.Is(err, batuta.Unavailable) }}
		}
		_, err := s.play(t, deployer.Order{Verb: deployer.PlayPull, Source: retry})
		if !errors.Is(err, batuta.Unavailable) || tries != 3 {
			t.Errorf("after %d attempts: %v", tries, err)
		}
		if err := s.Printed(t.Context(), s.spec, "web", -1, false, io.Discard, nil); !errors.Is(err, batuta.Invalid) {
			t.Errorf("the logs of two instances: %v", err)
		}
	})
}

func TestDefect14ErrorsAreForPeople(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "web: web-1@a")
		s.must(t, deployer.Order{Verb: deployer.PlayStart})
		s.fail("Stop", "web-1", errors.New("the daemon is tired"))
		_, err := s.play(t, deployer.Order{Verb: deployer.PlayStop, All: true})
		if err == nil || err.Error() != "stop web-1 on a: the daemon is tired" {
			t.Errorf("%v", err)
		}
		for _, o := range []deployer.Order{
			{Verb: deployer.PlayStart, Things: []string{"wbe-1"}}, {Verb: deployer.PlayStop}, {Verb: deployer.PlayKill, Things: []string{"web"}},
		} {
			_, err := s.play(t, o)
			e, ok := errors.AsType[*batuta.Error](err)
			if !ok || e.Kind != batuta.Invalid || e.Hint == "" {
				t.Errorf("%+v: %v", o, err)
			}
		}
	})
}

func TestDefect07InstancesThatNeedEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "web: web-1@a web-2@a", "data: data-1@a")
		s.change("web-1", func(i *deployer.Instance) { i.VolumesFrom = []batuta.InstanceName{"web-2", "data-1"} })
		wantDone(t, only(s.must(t, deployer.Order{Verb: deployer.PlayStart}), "start")[2:], "start web-1")
		wantDone(t, only(s.must(t, deployer.Order{Verb: deployer.PlayStop, All: true}), "stop")[:1], "stop web-1")
		s.change("web-2", func(i *deployer.Instance) { i.VolumesFrom = []batuta.InstanceName{"web-1"} })
		if _, err := s.play(t, deployer.Order{Verb: deployer.PlayStart}); !errors.Is(err, batuta.Invalid) || !strings.Contains(err.Error(), "web-1, web-2") {
			t.Errorf("a circle: %v", err)
		}
	})
}

func TestTree(t *testing.T) {
	t.Parallel()
	s := newStage(t, "web>app,db: web-1@a", "app>db: app-1@a", "db: db-1@a")
	for deep, want := range map[bool]string{
		false: "web\n|-- app\n`-- db\n",
		true:  "web\n|-- app\n|   `-- db\n`-- db\n",
	} {
		if got, err := s.spec.Tree([]string{"web-1"}, deep); err != nil || got != want {
			t.Errorf("%v: %v\n%s", deep, err, got)
		}
	}
}
