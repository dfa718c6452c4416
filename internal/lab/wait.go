package lab

import (
	"context"
	"fmt"
	"time"
)

// pollEvery is short enough to cost a test nothing, and long enough to leave
// the processor to what is waited for.
const pollEvery = 25 * time.Millisecond

// Eventually polls until cond answers nil. It gives up after timeout or when
// ctx ends, with cond's last answer.
func Eventually(ctx context.Context, timeout time.Duration, cond func() error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := cond()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("still not after %s: %w", timeout, err)
		case <-tick.C:
		}
	}
}
