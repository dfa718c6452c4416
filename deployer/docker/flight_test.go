package docker

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func TestFlightIsSharedAndSurvivesItsFirstCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var f flights[int]
		calls, land := 0, make(chan struct{})
		call := func(ctx context.Context) (int, error) {
			calls++
			select {
			case <-land:
				return 42, nil
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}
		first, leave := context.WithCancel(t.Context())
		left, got := make(chan error), make(chan int)
		go func() { _, err := f.do(first, "key", call); left <- err }()
		synctest.Wait()
		go func() { v, _ := f.do(t.Context(), "key", call); got <- v }()
		synctest.Wait()
		leave()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("who left: %v", err)
		}
		close(land)
		if v := <-got; v != 42 || calls != 1 {
			t.Errorf("got %d after %d calls", v, calls)
		}
	})
}

func TestFlightIsCancelledWhenTheLastHasLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var f flights[int]
		over := make(chan struct{})
		ctx, leave := context.WithCancel(t.Context())
		left := make(chan error)
		go func() {
			_, err := f.do(ctx, "key", func(ctx context.Context) (int, error) {
				<-ctx.Done()
				close(over)
				return 0, ctx.Err()
			})
			left <- err
		}()
		synctest.Wait()
		leave()
		<-left
		select {
		case <-over:
		default:
			t.Error("it flies on with nobody aboard")
		}
		v, err := f.do(t.Context(), "key", func(context.Context) (int, error) { return 1, nil })
		if v != 1 || err != nil {
			t.Errorf("the next one: %d, %v", v, err)
		}
	})
}
