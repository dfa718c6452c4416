package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"batuta"
	"batuta/pipeline"
)

// told has ana told of all that happens, and the forge of the runs of pushes.
func (l *lab) told() {
	l.Subscribe(func(n pipeline.Notice) []string {
		if n.Run != 0 && n.RunKind == batuta.RunPush {
			return []string{"ana", "forge"}
		}
		return []string{"ana"}
	})
}

// letter claims the letter that must be next, which is for ana.
func (l *lab) letter(key string) pipeline.Letter {
	l.t.Helper()
	got, err := l.ClaimLetter(l.t.Context(), nil)
	if err != nil || got.To != "ana" || got.Key() != key {
		l.t.Fatalf("claimed %s for %s (%v), want %s for ana", got.Key(), got.To, err, key)
	}
	return got
}

func (l *lab) noLetter(busy ...string) {
	l.t.Helper()
	if got, err := l.ClaimLetter(l.t.Context(), busy); !errors.Is(err, batuta.NotFound) {
		l.t.Fatalf("claimed %s for %s (%v), want NotFound", got.Key(), got.To, err)
	}
}

// keys takes all letters of one addressee.
func (l *lab) keys(to string) (keys []string) {
	l.t.Helper()
	var others []string
	for _, name := range []string{"ana", "forge"} {
		if name != to {
			others = append(others, name)
		}
	}
	for {
		got, err := l.ClaimLetter(l.t.Context(), others)
		if errors.Is(err, batuta.NotFound) {
			return keys
		}
		l.must(err)
		l.must(l.EndLetter(l.t.Context(), got, ""))
		keys = append(keys, got.Key())
	}
}

// tellsOfRuns has each change of a run told in its transaction.
func tellsOfRuns(t *testing.T, l *lab) {
	l.told()
	l.accept(push("portal", "main", 1))
	l.accept(push("portal", "main", 2))
	lease := l.claim(2)
	l.must(l.SaveRun(t.Context(), lease, batuta.Run{Push: batuta.Push{Revision: revision(2)}, Environment: "qa", Release: 1}))
	l.end(lease, batuta.RunSucceeded)
	l.accept(push("portal", "main", 3))
	if _, err := l.Cancel(t.Context(), 3, "ben"); err != nil {
		t.Fatal(err)
	}
	l.same("the forge's letters", l.keys("forge"), []string{
		"run queued: run 1", "run queued: run 2", "run superseded: run 1", "run started: run 2", "went live: run 2", "run queued: run 3", "run cancelled: run 3",
	})
	mend := l.enqueue(batuta.Run{App: "portal", Kind: batuta.RunDeploy, Environment: "qa", By: "batuta: drift", Reason: "it is gone"})
	l.end(l.claim(mend), batuta.RunFailed)
	if keys := l.keys("ana"); slices.ContainsFunc(keys, func(k string) bool { return k == fmt.Sprintf("run failed: run %d", mend) }) {
		t.Errorf("people are told of a run that nobody asked for: %q", keys)
	}
}

// knowsRecovery tells a success after a failure from others.
func knowsRecovery(t *testing.T, l *lab) {
	l.Subscribe(func(n pipeline.Notice) []string {
		if n.Kind == pipeline.WentLive {
			return []string{"ana"}
		}
		return nil
	})
	for n, c := range []struct {
		ref       string
		status    batuta.RunStatus
		recovered bool
	}{
		{"main", batuta.RunSucceeded, false}, {"main", batuta.RunFailed, false}, {"other", batuta.RunSucceeded, false},
		{"main", batuta.RunSkipped, false}, {"main", batuta.RunSucceeded, true}, {"main", batuta.RunSucceeded, false},
	} {
		lease := l.claim(l.accept(push("portal", c.ref, n+1)))
		l.must(l.SaveRun(t.Context(), lease, batuta.Run{Push: push("portal", c.ref, n+1), Environment: batuta.EnvironmentName(c.ref)}))
		l.end(lease, c.status)
		if c.status != batuta.RunSucceeded {
			continue
		}
		got := l.letter(fmt.Sprintf("went live: run %d", n+1))
		l.must(l.EndLetter(t.Context(), got, ""))
		if got.Recovered != c.recovered {
			t.Errorf("run %d on %s: recovered is %v", n+1, c.ref, got.Recovered)
		}
	}
}

// knowsRecoveryOfEither has another branch mend the environment before the one
// that failed is well again.
func knowsRecoveryOfEither(t *testing.T, l *lab) {
	l.told()
	for n, c := range []struct {
		ref       string
		status    batuta.RunStatus
		recovered bool
	}{
		{"main", batuta.RunFailed, false}, {"other", batuta.RunSucceeded, true}, {"main", batuta.RunSucceeded, true}, {"main", batuta.RunSucceeded, false},
	} {
		lease := l.claim(l.accept(push("portal", c.ref, n+1)))
		l.must(l.SaveRun(t.Context(), lease, batuta.Run{Push: push("portal", c.ref, n+1), Environment: "qa"}))
		l.end(lease, c.status)
		for {
			got, err := l.ClaimLetter(t.Context(), nil)
			if errors.Is(err, batuta.NotFound) {
				break
			}
			l.must(err)
			l.must(l.EndLetter(t.Context(), got, ""))
			if got.Kind == pipeline.WentLive && got.Recovered != c.recovered {
				t.Errorf("run %d of %s: recovered is %v", n+1, c.ref, got.Recovered)
			}
		}
	}
}

// letsOthersPass has a letter refused for what it says.
func letsOthersPass(t *testing.T, l *lab) {
	l.told()
	at := time.Now()
	for _, kind := range []pipeline.NoticeKind{pipeline.DriftSeen, pipeline.DriftGone} {
		l.must(l.Tell(t.Context(), pipeline.Notice{At: at, Kind: kind, App: "portal"}))
	}
	for range 5 {
		got, err := l.ClaimLetter(t.Context(), nil)
		l.must(err)
		if got.Kind != pipeline.DriftSeen {
			t.Fatalf("after %d tries it is the turn of %s", got.Tries, got.Kind)
		}
		l.must(l.PostponeLetter(t.Context(), got, time.Now(), "it cannot parse that"))
	}
	got, err := l.ClaimLetter(t.Context(), nil)
	l.must(err)
	l.must(l.PostponeLetter(t.Context(), got, time.Now().Add(time.Hour), "it cannot parse that"))
	if got, err = l.ClaimLetter(t.Context(), nil); err != nil || got.Kind != pipeline.DriftGone {
		t.Errorf("who waits behind is %s, %v", got.Kind, err)
	}
}

// deliversInOrder keeps the order of a lane, whatever is in the way of others.
func deliversInOrder(t *testing.T, l *lab) {
	l.told()
	at := time.Now()
	for _, n := range []pipeline.Notice{
		{At: at, Kind: pipeline.DriftSeen, App: "portal"}, {At: at, Kind: pipeline.DriftGone, App: "portal"}, {At: at, Kind: pipeline.ShipLost, Ship: "a"},
		{At: at, Kind: pipeline.DriftSeen, App: "portal"}, // once more
	} {
		l.must(l.Tell(t.Context(), n))
	}
	seen := fmt.Sprintf("drift seen: app portal  at %d", at.UnixMicro())
	l.noLetter("ana")
	first := l.letter(seen)
	lost := l.letter(fmt.Sprintf("ship lost: ship a at %d", at.UnixMicro()))
	l.noLetter()
	l.must(l.PostponeLetter(t.Context(), first, time.Now().Add(time.Hour), "it answers 503"))
	l.must(l.EndLetter(t.Context(), lost, ""))
	l.noLetter()
	l.must(l.PostponeLetter(t.Context(), first, time.Now(), "it answers 503"))
	again := l.letter(seen)
	if again.ID != first.ID || again.Tries != 2 {
		t.Errorf("again it is letter %d, %d tried; want %d and 2", again.ID, again.Tries, first.ID)
	}
	l.must(l.EndLetter(t.Context(), first, "")) // who claimed it before says nothing any more
	l.must(l.EndLetter(t.Context(), again, "it refuses: 401 Unauthorized"))
	l.letter(fmt.Sprintf("drift gone: app portal  at %d", at.UnixMicro()))
	l.noLetter()
	l.trail([]batuta.Entry{{By: "batuta", Action: "notice given up", App: "portal", Object: "ana", Detail: seen + ", 2 tried: it refuses: 401 Unauthorized"}})
}

// keepsLetters has a letter that a dead server was about to deliver delivered
// by the next.
func keepsLetters(t *testing.T, l *lab) {
	l.told()
	l.must(l.Tell(t.Context(), pipeline.Notice{At: time.Now(), Kind: pipeline.ShipLost, Ship: "a", Text: "no answer"}))
	before, err := l.ClaimLetter(t.Context(), nil)
	l.must(err)
	l.noLetter()
	l.restart()
	after, err := l.ClaimLetter(t.Context(), nil)
	l.must(err)
	if after.ID != before.ID || after.Tries != 2 || after.Text != "no answer" || !after.At.Equal(before.At) {
		t.Errorf("after the restart it is %+v, before it was %+v", after, before)
	}
}

// tellsOfShipsAndDrift has news of both in the outbox.
func tellsOfShipsAndDrift(t *testing.T, l *lab) {
	l.told()
	for _, silent := range []time.Time{time.Now(), {}} {
		if _, err := l.HearShip(t.Context(), "a", silent, "no answer"); err != nil {
			t.Fatal(err)
		}
	}
	for _, drift := range [][]string{{"web-1: it is gone"}, {"web-2: it is gone"}, nil} {
		if _, err := l.SaveDrift(t.Context(), pipeline.Drift{App: "portal", Environment: "qa", Drift: drift}); err != nil {
			t.Fatal(err)
		}
	}
	var kinds []pipeline.NoticeKind
	for range 4 {
		got, err := l.ClaimLetter(t.Context(), nil)
		l.must(err)
		l.must(l.EndLetter(t.Context(), got, ""))
		kinds = append(kinds, got.Kind)
	}
	l.noLetter()
	l.same("the kinds", kinds, []pipeline.NoticeKind{pipeline.ShipLost, pipeline.ShipBack, pipeline.DriftSeen, pipeline.DriftGone})
}
