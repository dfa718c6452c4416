package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"batuta"
	"batuta/internal/lab"
)

var (
	chaosKills = flag.Int("chaos.kills", 20, "how many faults the chaos test makes")
	chaosSeed  = flag.Uint64("chaos.seed", 0, "what the chaos test draws its faults and moments from; 0: the clock")
)

// chaos is a server whose parts break at random moments, and what it accepted.
type chaos struct {
	*site
	builder *lab.Builder
	random  *rand.Rand
	child   *child
	remote  *remotePusher
	forge   *forgePusher
	orderer *orderer
}

// fault is one way to break a part, and to mend it again. In between, the
// server may be killed, too; and it is killed where both are nil.
type fault struct {
	name         string
	share        int // of twenty
	breaks, ends func(*chaos, context.Context) error
}

// chaosFaults are the faults. Every twenty of them have each as often as its
// share says.
func chaosFaults() []fault {
	ship := func(n int, do func(lab.Ship, context.Context) error) func(*chaos, context.Context) error {
		return func(c *chaos, ctx context.Context) error { return do(c.ships[n], ctx) }
	}
	both := func(name string, breaks, mends func(lab.Ship, context.Context) error) []fault {
		return []fault{
			{name + " of QA's ship", 1, ship(0, breaks), ship(0, mends)},
			{name + " of production's ship", 1, ship(1, breaks), ship(1, mends)},
		}
	}
	faults := []fault{
		{"kill of the server", 10, nil, nil},
		{"kill of the builder", 2,
			func(c *chaos, _ context.Context) error { return c.builder.Kill() },
			func(c *chaos, ctx context.Context) error { return c.builder.Restart(ctx) }},
		{"cut of the builder", 2,
			func(c *chaos, _ context.Context) error { c.builder.Cut(); return nil },
			func(c *chaos, _ context.Context) error { c.builder.Heal(); return nil }},
	}
	faults = append(faults, both("kill of the daemon", lab.Ship.KillDaemon, lab.Ship.Restart)...)
	faults = append(faults, both("freeze of the daemon", lab.Ship.Freeze, lab.Ship.Thaw)...)
	return append(faults, both("cut of the link", lab.Ship.Cut, lab.Ship.Heal)...)
}

// TestChaos kills a server with SIGKILL at random moments, and kills, freezes
// and cuts off its builder and its ships, while pushes come in by its Git
// remote and by a forge's webhook, and promotions are ordered. When all is
// whole and quiet again, everything that was accepted has one run or a reason,
// all runs have ended, each environment runs its last release, and nothing is
// left over.
func TestChaos(t *testing.T) {
	t.Parallel()
	c := newChaos(t)
	stop := c.keepPushing(t)
	hits := map[string]int{}
	for _, f := range c.deal(*chaosKills) {
		c.strike(t, f)
		hits[f.name]++
	}
	stop()
	t.Logf("faults: %v", hits)
	c.settles(t)
	c.child.kill(t)
	ledger := c.read(t)
	ledger.acceptedOnce(t, c)
	ledger.nothingTwice(t)
}

// newChaos sets up two apps that are built in a moment: one of files alone,
// and one with a Dockerfile.
func newChaos(t *testing.T) *chaos {
	t.Helper()
	seed := *chaosSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("to play the same faults again: -chaos.seed %d -chaos.kills %d", seed, *chaosKills)
	const app, hooked = batuta.AppName("chaos-remote"), batuta.AppName("chaos-forge")
	c := &chaos{random: rand.New(rand.NewPCG(seed, 0)), builder: lab.OwnBuildKit(t, lab.Busybox)}
	forge := newBareForge(t)
	c.site = newSite(t, c.builder.Address, lab.OwnShips(t, 2), app, fmt.Sprintf(`  %s:
    repository: %s
    webhook_secrets: [%s]
    environments: {qa: {ships: {role: qa}}, production: {ships: {role: production}}}
reconcile: {every: 5s}
`, hooked, forge.url, hookSecret))
	t.Cleanup(func() { c.sweep(t, hooked) })
	c.remote = &remotePusher{app: app, copy: c.oneEach(t, app)}
	c.forge = &forgePusher{app: hooked, copy: c.oneEach(t, hooked), site: c.site}
	c.forge.copy.withDockerfile(forge)
	c.orderer = &orderer{site: c.site, refused: map[string]int{}}
	c.child = c.start(t, "")
	return c
}

// deal gives n faults in a random order.
func (c *chaos) deal(n int) []fault {
	var all []fault
	for len(all) < n {
		var deck []fault
		for _, f := range chaosFaults() {
			for range f.share {
				deck = append(deck, f)
			}
		}
		c.random.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
		all = append(all, deck...)
	}
	return all[:n]
}

// strike lets the server work for a moment, and then breaks a part for another
// one. A server that has nothing else broken is killed; and half of the others
// are, too.
func (c *chaos) strike(t *testing.T, f fault) {
	t.Helper()
	c.moment(t, 1500*time.Millisecond)
	if f.breaks == nil {
		c.child.kill(t)
		c.child = c.start(t, "")
		return
	}
	if err := f.breaks(c, t.Context()); err != nil {
		t.Fatalf("%s: %v", f.name, err)
	}
	c.moment(t, 1500*time.Millisecond)
	if c.random.IntN(2) == 0 {
		c.child.kill(t)
		c.child = c.start(t, "")
	}
	if err := f.ends(c, t.Context()); err != nil {
		t.Fatalf("end the %s: %v", f.name, err)
	}
}

// moment lets a random time pass.
func (c *chaos) moment(t *testing.T, most time.Duration) {
	t.Helper()
	select {
	case <-time.After(time.Duration(c.random.Int64N(int64(most)))):
	case <-t.Context().Done():
	}
}

// settles waits until every run has ended, everything runs as it was deployed
// last, and nothing is left over.
func (c *chaos) settles(t *testing.T) {
	t.Helper()
	began := time.Now()
	c.wait(t, c.ended)
	t.Logf("all runs have ended after %s", time.Since(began).Round(time.Second))
	for _, app := range []batuta.AppName{c.remote.app, c.forge.app} {
		for n, env := range []batuta.EnvironmentName{"qa", "production"} {
			c.wait(t, func(ctx context.Context) error { return c.runsItsLast(ctx, c.ships[n], app, env) })
		}
	}
	for _, calm := range []func(context.Context) error{c.ended, c.builder.Idle, c.noTrees} {
		c.wait(t, calm)
	}
	t.Logf("all is in its place after %s", time.Since(began).Round(time.Second))
}

// chaosPatience is how long the last runs may take, and what mends by itself.
const chaosPatience = 100 * time.Second

// wait waits for something that is to come about by itself. If it does not,
// the server ends with the stacks of all it does, which are shown.
func (c *chaos) wait(t *testing.T, cond func(context.Context) error) {
	t.Helper()
	if err := lab.Eventually(t.Context(), chaosPatience, func() error { return cond(t.Context()) }); err != nil {
		_ = c.child.cmd.Process.Signal(syscall.SIGQUIT)
		<-c.child.ended
		t.Errorf("%v\n%s", err, c.child.log.String())
		t.FailNow()
	}
}
