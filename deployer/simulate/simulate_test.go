package simulate_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"batuta/deployer/simulate"
)

var (
	seeds = flag.Int("seeds", 1000, "how many scenarios to play")
	first = flag.Uint64("seed", 1, "the first one's seed")
)

// play plays a scenario in a bubble of its own.
func play(t *testing.T, s simulate.Scenario) (r simulate.Record) {
	synctest.Test(t, func(t *testing.T) { r = s.Play(t.Context()) })
	return r
}

// TestSeeds plays scenarios and wants no promise broken in any of them. One
// that breaks a promise is told in full:
//
//	go test ./deployer/simulate -run TestSeeds -seeds 1 -seed 4711
func TestSeeds(t *testing.T) {
	t.Parallel()
	const groups = 8
	for g := range groups {
		t.Run(fmt.Sprint("group ", g), func(t *testing.T) {
			t.Parallel()
			for n := g; n < *seeds; n += groups {
				seed := *first + uint64(n)
				t.Run(fmt.Sprint(seed), func(t *testing.T) { stands(t, simulate.Make(seed)) })
			}
		})
	}
}

// TestSeedsThatOnceBrokeAPromise plays those whose faults were mended: a hook
// after the deployment that nobody owed any more, as the ship hung (10432), or
// as it had failed (110591); a service of which nothing was left, and that was
// tolerated (12598, 14837); and a container that crashed in turn, and was taken
// for one that stays (104097); and a service that took over another's host port
// before the other had its new one (218622).
func TestSeedsThatOnceBrokeAPromise(t *testing.T) {
	t.Parallel()
	for _, seed := range []uint64{10432, 12598, 14837, 104097, 110591, 218622} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { stands(t, simulate.Make(seed)) })
	}
}

// stands plays a scenario; if it breaks a promise, it is shrunk and told.
func stands(t *testing.T, s simulate.Scenario) {
	r := play(t, s)
	if len(r.Wrong) == 0 {
		return
	}
	least := simulate.Shrink(s, func(s simulate.Scenario) bool { return len(play(t, s).Wrong) > 0 })
	r = play(t, least)
	t.Errorf("%s\n\nin this scenario (shrunk):\n%s\nwhat happened:\n%s", strings.Join(r.Wrong, "\n"), least, strings.Join(r.Log, "\n"))
}

// TestTheSameSeedIsTheSameScenario plays each scenario twice: what is done at
// one instant may happen in any order, and the promises must hold in each.
func TestTheSameSeedIsTheSameScenario(t *testing.T) {
	t.Parallel()
	for n := range 50 {
		seed := *first + uint64(n)
		s := simulate.Make(seed)
		if again := simulate.Make(seed); again.String() != s.String() {
			t.Errorf("seed %d makes\n%s\nand then\n%s", seed, s, again)
		}
		for range 2 {
			stands(t, s)
		}
	}
}
