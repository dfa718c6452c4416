package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/docker"
	"batuta/internal/lab"
)

// The sizes of the fleet measurement, and the ships that it has.
const (
	few, many  = 1, 25
	fleetShips = 3
	perShip    = 8 // instances on each of the ships
)

// measureFleet has Batuta and the docker command line start, look at, replace
// and stop the same containers, and has several ships work at once.
func measureFleet(ctx context.Context, b *bench) ([]row, error) {
	q, err := newQuay(ctx, b)
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, n := range []int{few, many} {
		ours, theirs, err := q.compare(ctx, n)
		if err != nil {
			return nil, err
		}
		rows = append(rows, fleetRows(n, ours, theirs)...)
	}
	together, alone, bare, err := q.abreast(ctx)
	if err != nil {
		return nil, err
	}
	what := fmt.Sprintf("start %d on each of %d ships | the slowest ship by itself", perShip, fleetShips)
	return append(rows, compared(what, together, alone, asTime), compared("  the same | docker run on all ships at once", together, bare, asTime)), nil
}

// lap is how long one side took for each act.
type lap struct {
	start, noop, status, restart, stop time.Duration
}

// compare has the two sides take turns. The first turn of each does not count.
func (q *quay) compare(ctx context.Context, n int) (ours, theirs []lap, err error) {
	for round := range q.rounds + 1 {
		sides := []func() error{
			func() error { return ran(ctx, &ours, n, q.deployed) },
			func() error { return ran(ctx, &theirs, n, q.commanded) },
		}
		if round%2 == 1 {
			sides[0], sides[1] = sides[1], sides[0]
		}
		for _, side := range sides {
			if err := side(); err != nil {
				return nil, nil, err
			}
		}
	}
	return ours[1:], theirs[1:], nil
}

func ran(ctx context.Context, all *[]lap, n int, side func(context.Context, int) (lap, error)) error {
	l, err := side(ctx, n)
	*all = append(*all, l)
	return err
}

func fleetRows(n int, ours, theirs []lap) []row {
	line := func(what string, of func(lap) time.Duration) row {
		return compared(strings.ReplaceAll(what, "N", fmt.Sprint(n)), each(ours, of), each(theirs, of), asTime)
	}
	return []row{
		line("start N | docker run", func(l lap) time.Duration { return l.start }),
		line("  the same again, nothing to do | docker inspect", func(l lap) time.Duration { return l.noop }),
		line("  status | docker ps", func(l lap) time.Duration { return l.status }),
		line("  replace N | docker run, stop, rm", func(l lap) time.Duration { return l.restart }),
		line("  stop N | docker stop, rm", func(l lap) time.Duration { return l.stop }),
	}
}

// quay is where both sides put their containers: ships of the lab's own.
type quay struct {
	*bench
	ships []lab.Ship
	image batuta.Image
	scope deployer.Scope
}

func newQuay(ctx context.Context, b *bench) (*quay, error) {
	l, err := lab.Open(ctx)
	if err != nil {
		return nil, err
	}
	b.later(func(context.Context) error { return l.Close() }) // and its ships are gone
	registry, err := l.Bases(ctx, lab.Busybox)
	if err != nil {
		return nil, err
	}
	q := &quay{bench: b, scope: deployer.Scope{App: "bench", Environment: batuta.EnvironmentName("qa-" + strings.ToLower(rand.Text()[:8]))}}
	if q.image, err = pin(ctx, registry.Bridge, "library/busybox"); err != nil {
		return nil, err
	}
	q.ships, err = l.OwnShips(ctx, fleetShips)
	return q, err
}

// pin finds the digest of an image's latest tag.
func pin(ctx context.Context, registry, repository string) (batuta.Image, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, "http://"+registry+"/v2/"+repository+"/manifests/latest", nil)
	if err != nil {
		return batuta.Image{}, err
	}
	req.Header.Set("Accept", "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return batuta.Image{}, err
	}
	defer resp.Body.Close()
	digest := resp.Header.Get("Docker-Content-Digest")
	return batuta.Image{Repository: registry + "/" + repository, Digest: batuta.Digest(digest)}, batuta.CheckDigest(digest)
}

// script serves a page, and ends when it is told to.
const script = `trap "exit 0" TERM; mkdir -p /www; echo ok >/www/up; httpd -p 8080 -h /www; sleep 100000 & wait`

// fleet reaches ships, by new connections, as a command does that starts.
func (q *quay) fleet(ships ...lab.Ship) (*deployer.Fleet, []deployer.ShipInfo, func(), error) {
	reached := map[batuta.ShipName]deployer.Ship{}
	var infos []deployer.ShipInfo
	var open []*docker.Ship
	for _, s := range ships {
		ship, err := docker.Dial(s.Name, s.Endpoint, docker.Options{})
		if err != nil {
			return nil, nil, nil, err
		}
		open = append(open, ship)
		reached[s.Name] = ship
		infos = append(infos, deployer.ShipInfo{Name: s.Name, Address: s.Address})
	}
	return deployer.New(reached, deployer.Options{}), infos, func() {
		for _, s := range open {
			_ = s.Close() // nothing runs on it any more
		}
	}, nil
}

// deploy brings a fleet to n instances of a release; 0 takes all away.
func (q *quay) deploy(ctx context.Context, f *deployer.Fleet, infos []deployer.ShipInfo, scope deployer.Scope, release string, n int) (time.Duration, error) {
	text := "batuta: 1\nservices: {}\n"
	if n > 0 {
		text = fmt.Sprintf("batuta: 1\nservices:\n  web:\n    image: %s\n    count: %d\n    command: [/bin/busybox, sh, -c, %q]\n    env: {RELEASE: %s}\n    lifecycle: {running: [{type: tcp, port: 8080}]}\n",
			q.image, n, script, release)
	}
	began := time.Now()
	doc, err := deployer.Parse("qa.yml", []byte(text))
	if err != nil {
		return 0, err
	}
	have := f.Observe(ctx, scope) // once for both, as the commands do
	want, err := doc.Resolve(deployer.Input{Scope: scope, Release: 1, Ships: infos, Key: []byte("key"), Current: have.Containers})
	if err != nil {
		return 0, err
	}
	outcome, err := f.Apply(ctx, f.Compare(ctx, want, have), nil)
	if err == nil && outcome.Status != batuta.Live {
		err = fmt.Errorf("the deployment is %s", outcome.Status)
	}
	return time.Since(began), err
}

// deployed is Batuta's turn, on one ship.
func (q *quay) deployed(ctx context.Context, n int) (l lap, err error) {
	f, infos, done, err := q.fleet(q.ships[0])
	if err != nil {
		return l, err
	}
	defer done()
	acts := []struct {
		took    *time.Duration
		release string
		n       int
	}{{&l.start, "first", n}, {&l.noop, "first", n}, {&l.restart, "next", n}, {&l.stop, "", 0}}
	for _, act := range acts {
		if *act.took, err = q.deploy(ctx, f, infos, q.scope, act.release, act.n); err != nil {
			return l, err
		}
		if act.took == &l.noop {
			began := time.Now()
			if states, _ := f.Status(ctx, q.scope); len(states) != n {
				return l, fmt.Errorf("the status has %d instances, want %d", len(states), n)
			}
			l.status = time.Since(began)
		}
	}
	return l, nil
}

// abreast measures all ships at once, in one fleet, against the slowest of
// them when each has a fleet of its own at the same time, and against the
// docker command line on all of them at once. All load the machine alike, and
// take turns in changing order; the first turn of each does not count.
func (q *quay) abreast(ctx context.Context) (together, alone, bare []time.Duration, err error) {
	sides := []struct {
		all  *[]time.Duration
		take func(context.Context) (time.Duration, error)
	}{
		{&together, func(ctx context.Context) (time.Duration, error) {
			return q.startAndStop(ctx, q.ships, perShip*len(q.ships), "")
		}},
		{&alone, q.slowest},
		{&bare, q.commandedAbreast},
	}
	for round := range q.rounds + 1 {
		for n := range sides {
			side := sides[(round+n)%len(sides)]
			took, err := side.take(ctx)
			if err != nil {
				return nil, nil, nil, err
			}
			*side.all = append(*side.all, took)
		}
	}
	return together[1:], alone[1:], bare[1:], nil
}

// slowest is how long the slowest ship takes, each in a fleet of its own.
func (q *quay) slowest(ctx context.Context) (time.Duration, error) {
	each := make([]time.Duration, len(q.ships))
	err := q.abreastly(ctx, len(q.ships), func(n int) (err error) {
		each[n], err = q.startAndStop(ctx, q.ships[n:n+1], perShip, fmt.Sprintf("-%d", n))
		return err
	})
	return quantile(each, 1), err
}

func (q *quay) startAndStop(ctx context.Context, ships []lab.Ship, n int, mark string) (time.Duration, error) {
	f, infos, done, err := q.fleet(ships...)
	if err != nil {
		return 0, err
	}
	defer done()
	scope := q.scope
	scope.Environment += batuta.EnvironmentName(mark)
	took, err := q.deploy(ctx, f, infos, scope, "first", n)
	if err != nil {
		return 0, err
	}
	_, err = q.deploy(ctx, f, infos, scope, "", 0)
	return took, err
}
