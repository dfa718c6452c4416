package simulate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/shiptest"
)

// Plain makes the scenario of a seed, without what Make adds.
func Plain(seed uint64) Scenario {
	d := dice{rand.New(rand.NewPCG(seed, 0))}
	s := Scenario{Seed: seed}
	for n := range 1 + d.IntN(8) {
		s.Ships = append(s.Ships, deployer.ShipInfo{
			Name: batuta.ShipName(fmt.Sprintf("ship-%c", 'a'+n)), Address: fmt.Sprintf("10.0.0.%d", n+1),
			Labels: map[string]string{"zone": []string{"east", "west"}[n%2]},
		})
	}
	for range d.IntN(4) {
		s.Strangers = append(s.Strangers, Stranger{Ship: d.ship(s.Ships), Instance: d.instance(), Host: d.one(0, 0, 7999, firstPort)})
	}
	var services []Service
	for n := range 1 + d.IntN(5) {
		services = append(services, d.service(n, 1, s.Ships, services))
	}
	for n := range 2 + d.IntN(3) {
		if n > 0 {
			services = d.next(services, n+1, s.Ships)
		}
		s.Releases = append(s.Releases, Release{Services: services, Mishaps: d.mishaps(s.Ships)})
	}
	return s
}

const firstPort = 8000 // of the fixed host ports that services have

// atOnce is how long a container lives that cannot live: less than the answer
// to its start takes.
const atOnce = time.Microsecond

type dice struct{ *rand.Rand }

// in tells, once in n times, yes.
func (d dice) in(n int) bool { return d.IntN(n) == 0 }

func (d dice) one(of ...int) int { return of[d.IntN(len(of))] }

func (d dice) ship(ships []deployer.ShipInfo) batuta.ShipName {
	return ships[d.IntN(len(ships))].Name
}

func (d dice) instance() batuta.InstanceName {
	return batuta.InstanceName(fmt.Sprintf("%c-%d", 'a'+d.IntN(5), 1+d.IntN(2)))
}

// service makes the nth service, which may require those before it.
func (d dice) service(n, version int, ships []deployer.ShipInfo, before []Service) Service {
	s := Service{
		Name: batuta.ServiceName(string(rune('a' + n))), Published: !d.in(4), Checked: !d.in(4), StopFirst: d.in(6),
		Patience: d.one(1, 5, 10), Version: version, Life: d.life(version), Update: d.update(), Hooks: d.hooks(),
	}
	for _, b := range before {
		if d.in(3) {
			s.Requires = append(s.Requires, b.Name)
		}
	}
	if d.in(4) {
		s.Host = firstPort + n
	}
	d.place(&s, ships)
	return s
}

// place gives the service its instances: counted ones, or named ones.
func (d dice) place(s *Service, ships []deployer.ShipInfo) {
	most := 4
	if s.Host != 0 {
		most = len(ships)
	}
	s.Count, s.Zone, s.Places = 1+d.IntN(min(most, 4)), "", nil
	if s.Host == 0 && d.in(4) {
		s.Zone = ships[d.IntN(len(ships))].Labels["zone"]
	}
	if !d.in(3) {
		return
	}
	for n := range s.Count {
		ship := d.ship(ships)
		if s.Host != 0 {
			ship = ships[n%len(ships)].Name
		}
		s.Places = append(s.Places, Place{batuta.InstanceName(fmt.Sprintf("%s-%d", s.Name, n+1)), ship})
	}
}

// life is how a version behaves: well, more often than not.
func (d dice) life(version int) (l shiptest.Behaviour) {
	if d.in(2) {
		l.ReadyAfter = time.Duration(d.IntN(8000)) * time.Millisecond
	}
	l.IgnoresTERM = d.in(8)
	if version == 1 && !d.in(6) {
		return l
	}
	switch d.IntN(14) {
	case 0:
		l.NeverReady = true
	case 1:
		l.Exits, l.ExitCode, l.ExitAfter = true, 1, atOnce
	case 2:
		l.Exits, l.ExitCode, l.ExitAfter = true, 1, time.Duration(1+d.IntN(5000))*time.Millisecond
	case 3:
		l.Exits, l.ExitCode, l.ExitAfter = true, 1, time.Duration(5+d.IntN(300))*time.Second
	}
	return l
}

// update is how a service is updated: in every second case as one is that
// says nothing about it.
func (d dice) update() (u deployer.Update) {
	if d.in(2) {
		return u
	}
	amount := func() deployer.Amount {
		return [...]deployer.Amount{{}, {}, {N: 1}, {N: 2}, {Percent: 50}}[d.IntN(5)]
	}
	u.AtOnce, u.StopFirst = amount(), d.in(6)
	if d.in(4) {
		u.Canary = deployer.Amount{N: 1}
	}
	if d.in(4) {
		u.Tolerate = amount()
	}
	u.Wait, u.Watch, u.Pause = time.Duration(d.one(0, 0, 3))*time.Second, time.Duration(d.one(0, 0, 20))*time.Second, d.in(10)
	return u
}

func (d dice) hooks() (out []Hook) {
	for _, moment := range []string{"before", "after", "on_failure"} {
		if d.in(8) {
			out = append(out, Hook{moment, d.in(6)})
		}
	}
	return out
}

// next changes some of the services, as a release does.
func (d dice) next(services []Service, version int, ships []deployer.ShipInfo) []Service {
	out := slices.Clone(services)
	if d.in(5) && len(out) > 0 {
		out = without(out, d.IntN(len(out)))
	}
	for i := range out {
		s := &out[i]
		if d.in(3) {
			continue
		}
		s.Version, s.Life = version, d.life(version)
		if d.in(4) {
			s.Update, s.Hooks = d.update(), d.hooks()
		}
		switch d.IntN(8) {
		case 0:
			d.place(s, ships)
		case 1:
			s.Checked = !s.Checked
		case 2:
			s.StopFirst = !s.StopFirst
		case 3:
			s.Host = d.one(0, firstPort+i, firstPort+i+10)
			d.place(s, ships)
		}
	}
	if d.in(5) {
		out = append(out, d.service(5+version, version, ships, out))
	}
	return out
}

// without takes a service away, and from those that require it.
func without(services []Service, n int) []Service {
	gone := services[n].Name
	out := slices.Delete(slices.Clone(services), n, n+1)
	for i := range out {
		out[i].Requires = slices.DeleteFunc(slices.Clone(out[i].Requires), func(r batuta.ServiceName) bool { return r == gone })
	}
	return out
}

func (d dice) mishaps(ships []deployer.ShipInfo) []Mishap {
	if d.in(4) {
		return nil
	}
	var out []Mishap
	for range 1 + d.IntN(3) {
		all := kinds()
		out = append(out, Mishap{
			At: 1 + d.IntN(d.one(10, 60, 200)), Kind: all[d.IntN(len(all))], For: time.Duration(1+d.IntN(200)) * time.Second,
			Ship: d.ship(ships), Pick: d.IntN(100), Host: firstPort + d.IntN(5),
		})
	}
	slices.SortFunc(out, func(a, b Mishap) int { return a.At - b.At })
	return out
}
