package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"batuta"
	"batuta/internal/notify"
	"batuta/pipeline"
)

// stubborn takes nothing, and notes when it was tried.
type stubborn struct {
	tried []time.Time
	errs  []error // one after the other, then the last
}

func (s *stubborn) Addressees(pipeline.Notice) []string { return []string{"ana"} }

func (s *stubborn) Deliver(context.Context, pipeline.Letter) error {
	s.tried = append(s.tried, time.Now())
	err := s.errs[0]
	if len(s.errs) > 1 {
		s.errs = s.errs[1:]
	}
	return err
}

// posts tells of a ship that was lost some time ago, and looks at what becomes
// of that in a while.
func posts(t *testing.T, s *stubborn, ago, while time.Duration) (waits []time.Duration, givenUp []batuta.Entry) {
	t.Helper()
	w := newWorld(t)
	w.tells = s
	synctest.Test(t, func(t *testing.T) {
		works := w.open(t, nil)
		began := time.Now()
		if err := works.store.Tell(t.Context(), pipeline.Notice{At: began.Add(-ago), Kind: pipeline.ShipLost, Ship: "a"}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), while)
		defer cancel()
		works.Post(ctx)
		for _, at := range s.tried {
			waits = append(waits, at.Sub(began).Round(time.Second))
			began = at
		}
		givenUp = works.audited(t, "notice given up")
		if err := works.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return waits, givenUp
}

var trouble = &batuta.Error{Kind: batuta.Unavailable, Message: "it answers 503"}

// TestALetterIsTriedMoreAndMoreRarely lets hours pass.
func TestALetterIsTriedMoreAndMoreRarely(t *testing.T) {
	t.Parallel()
	waits, givenUp := posts(t, &stubborn{errs: []error{trouble}}, 0, 5*time.Hour)
	total := time.Duration(0)
	for i, wait := range waits {
		total += wait
		if wait > 30*time.Minute+time.Second || i > 0 && wait < waits[i-1]-time.Second {
			t.Errorf("attempt %d comes %v after the one before, which waited %v", i+1, wait, waits[max(i-1, 0)])
		}
	}
	if total < 4*time.Hour || len(waits) < 15 || len(waits) > 40 || len(givenUp) > 0 {
		t.Errorf("it is tried %d times in %v; given up: %+v", len(waits), total, givenUp)
	}
}

// TestALetterIsGivenUp has one tried until it is three days old.
func TestALetterIsGivenUp(t *testing.T) {
	t.Parallel()
	waits, givenUp := posts(t, &stubborn{errs: []error{trouble}}, 71*time.Hour, 3*time.Hour)
	total := time.Duration(0)
	for _, wait := range waits {
		total += wait
	}
	if total < time.Hour || total > 100*time.Minute {
		t.Errorf("it is tried %d times, the last after %v", len(waits), total)
	}
	if len(givenUp) != 1 || givenUp[0].Object != "ana" || !strings.HasSuffix(givenUp[0].Detail, fmt.Sprintf(", %d tried: it answers 503", len(waits))) {
		t.Errorf("the trail has %+v", givenUp)
	}
}

// TestWhoAsksToBeLeftAlone is not tried before that, and is not given up.
func TestWhoAsksToBeLeftAlone(t *testing.T) {
	t.Parallel()
	waits, givenUp := posts(t, &stubborn{errs: []error{&notify.Later{After: 2 * time.Hour, Err: trouble}, errors.New("no such channel")}}, 0, 3*time.Hour)
	if len(waits) != 2 || waits[1] < 2*time.Hour || waits[1] > 2*time.Hour+2*time.Second {
		t.Errorf("it is tried after %v", waits)
	}
	if len(givenUp) != 1 {
		t.Errorf("what is final is not given up: %+v", givenUp)
	}
}
