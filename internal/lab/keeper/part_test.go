package keeper

import (
	"errors"
	"sync"
	"testing"
)

func TestPartIsStartedOnceAndAgainWhenDead(t *testing.T) {
	t.Parallel()
	var p part[int]
	var dead error
	starts := 0
	start := func() (int, func() error, error) {
		starts++
		return starts, func() error { return dead }, nil
	}
	var users sync.WaitGroup
	for range 8 {
		users.Go(func() {
			if got, err := p.get(start); got != 1 || err != nil {
				t.Errorf("got %d, %v", got, err)
			}
		})
	}
	users.Wait()
	dead = errors.New("it sank")
	if got, err := p.get(start); got != 2 || err != nil {
		t.Errorf("after its death: got %d, %v", got, err)
	}
}

func TestPartThatDoesNotStartIsTriedAgain(t *testing.T) {
	t.Parallel()
	var p part[string]
	want := errors.New("no wood")
	if _, err := p.get(func() (string, func() error, error) { return "", nil, want }); !errors.Is(err, want) {
		t.Errorf("got %v", err)
	}
	got, err := p.get(func() (string, func() error, error) { return "afloat", func() error { return nil }, nil })
	if got != "afloat" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}
