package docker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/volume"

	"batuta"
	"batuta/deployer/docker"
	"batuta/internal/lab"
)

// locks are the names of the volumes of the bench's lock.
func (b *bench) locks(t *testing.T) []string {
	t.Helper()
	found, err := raw(t, b.at.Endpoint).VolumeList(t.Context(), volume.ListOptions{Filters: filters.NewArgs(
		filters.Arg("label", "batuta.role=lock"), filters.Arg("label", "batuta.environment="+string(b.scope.Environment)))})
	must(t, err)
	var out []string
	for _, v := range found.Volumes {
		out = append(out, v.Name)
	}
	return out
}

// TestLockIsNeverHeldTwice has people take, renew and let go of one lease, each
// from a program of their own.
func TestLockIsNeverHeldTwice(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const people, turns = 8, 5
	var inside atomic.Int32
	var all sync.WaitGroup
	for n := range people {
		ship := dial(t, b.at.Name, []string{b.at.TCP, b.at.Endpoint}[n%2], docker.Options{})
		me := fmt.Sprintf("person-%d", n)
		all.Go(func() {
			for range turns {
				if err := lab.Eventually(t.Context(), patient, func() error { return takes(t.Context(), ship, b, me) }); err != nil {
					t.Error(err)
					return
				}
				if now := inside.Add(1); now != 1 {
					t.Errorf("%s is one of %d who hold it", me, now)
				}
				if err := takes(t.Context(), ship, b, me); err != nil { // renewed
					t.Error(err)
				}
				inside.Add(-1)
				if err := ship.Unlock(t.Context(), b.scope, me); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if left := b.locks(t); len(left) != 0 {
		t.Errorf("left on the ship: %v", left)
	}
}

func takes(ctx context.Context, ship *docker.Ship, b *bench, me string) error {
	by, err := ship.Lock(ctx, b.scope, me, time.Minute)
	if err == nil && by != "" {
		err = fmt.Errorf("%s: held by %s", me, by)
	}
	return err
}

func TestLockThatIsRenewedLeavesOneVolume(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for range 3 {
		must(t, takes(t.Context(), b.Ship, b, "ada"))
	}
	if got := b.locks(t); len(got) != 1 || !strings.HasSuffix(got[0], "-3") {
		t.Errorf("volumes: %v", got)
	}
	must(t, b.Unlock(t.Context(), b.scope, "ada"))
	if got := b.locks(t); len(got) != 0 {
		t.Errorf("volumes: %v", got)
	}
}

// TestLockThatCameTooLate makes the generation that somebody slow would make,
// who looked before the present holder came.
func TestLockThatCameTooLate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	engine := raw(t, b.at.Endpoint)
	must(t, takes(t.Context(), b.Ship, b, "ada"))
	first := b.locks(t)[0]
	found, err := engine.VolumeInspect(t.Context(), first)
	must(t, err)
	must(t, takes(t.Context(), b.Ship, b, "ada"))
	found.Labels["batuta.holder"] = "grace"
	_, err = engine.VolumeCreate(t.Context(), volume.CreateOptions{Name: first, Labels: found.Labels})
	must(t, err)
	for range 2 {
		must(t, takes(t.Context(), b.Ship, b, "ada"))
		if by, err := b.Lock(t.Context(), b.scope, "grace", time.Minute); err != nil || by != "ada" {
			t.Errorf("held by %q, %v", by, err)
		}
	}
	must(t, b.Unlock(t.Context(), b.scope, "ada"))
	if got := b.locks(t); len(got) != 0 {
		t.Errorf("volumes: %v", got)
	}
}

func TestLockIsOfSomebodyForSomeTime(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for holder, ttl := range map[string]time.Duration{"": time.Minute, "ada": 0} {
		if _, err := b.Lock(t.Context(), b.scope, holder, ttl); !errors.Is(err, batuta.Invalid) {
			t.Errorf("%q for %s: %v", holder, ttl, err)
		}
	}
}
