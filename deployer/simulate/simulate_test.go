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

// TestSeedsThatOnceBrokeAPromise plays those whose faults were mended.
func TestSeedsThatOnceBrokeAPromise(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault string
		make  func(seed uint64) simulate.Scenario
		seeds []uint64
	}{
		{"nobody owes a hook any more", simulate.Plain, []uint64{10432, 110591}},
		{"nothing is left of what is tolerated", simulate.Plain, []uint64{12598, 14837}},
		{"what crashes in turn is taken for what stays", simulate.Plain, []uint64{104097}},
		{"a host port is taken before its owner has its new container", simulate.Plain, []uint64{218622}},
		{"a hook that could not start is forgotten", simulate.Make, []uint64{51375}},
		{"what stood still, and failed, goes on crashing", simulate.Make, []uint64{632}},
		{"nothing had begun, and what a killed one stopped stays away", simulate.Make, []uint64{14602, 33060, 108668}},
		{"what served goes, and what ran before is not ready", simulate.Make, []uint64{10729, 43641}},
		{"the old stops for a host port that it does not have", simulate.Make, []uint64{2503}},
		{"a ship that never heard of a deployment says that it ended", simulate.Make, []uint64{31645, 202077, 205227}},
		{"a failure is tolerated, and its host port is another's by then", simulate.Make, []uint64{64629}},
		{"the plan does not say that one goes for another's host port", simulate.Make, []uint64{56367}},
		{"what nobody could remove is taken for what ran before", simulate.Make, []uint64{700056}},
	} {
		t.Run(c.fault, func(t *testing.T) {
			t.Parallel()
			for _, seed := range c.seeds {
				stands(t, c.make(seed))
			}
		})
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
