package deployer

import (
	"cmp"
	"slices"

	"batuta"
)

// balance spreads the instances of one service: evenly over the values of a
// label, and within each of them evenly over its ships. Where that leaves a
// choice, it takes the ship with the fewest instances of the document, then
// the first by name. Its time is linear in ships and instances, but for
// sorting the ships.
type balance struct {
	quays []quay                  // by name
	open  []*zone                 // those with a ship that takes instances, in the order of their first
	zones levels[*zone]           // the same
	load  map[batuta.ShipName]int // of the whole document; kept true
}

// zone are the ships with one value of the label.
type zone struct {
	quays levels[*quay] // those that take instances
	n     int           // instances on all of its ships
}

// quay is a ship with the numbers of the service's instances on it.
type quay struct {
	ship batuta.ShipName
	zone *zone
	open bool // takes instances, and gives them away
	at   int  // its place among all
	load int  // of the whole document, before the service
	here []int
}

func (z *zone) count() int { return z.n }
func (q *quay) count() int { return len(q.here) }

// newBalance takes ships that are sorted by name. Without a label they all are
// one zone.
func newBalance(ships []ShipInfo, label string, load map[batuta.ShipName]int) *balance {
	b := &balance{quays: make([]quay, len(ships)), load: load}
	zones := map[string]*zone{}
	for n, s := range ships {
		value := ""
		if label != "" {
			value = s.Labels[label]
		}
		if zones[value] == nil {
			zones[value] = &zone{}
		}
		b.quays[n] = quay{ship: s.Name, zone: zones[value], open: !s.Cordoned, at: n, load: load[s.Name]}
	}
	return b
}

// of finds a ship; nil if it is none of these.
func (b *balance) of(ship batuta.ShipName) *quay {
	n, found := slices.BinarySearchFunc(b.quays, ship, func(q quay, name batuta.ShipName) int { return cmp.Compare(q.ship, name) })
	if !found {
		return nil
	}
	return &b.quays[n]
}

// place gives the ship of each of n instances; false if one needs a ship and
// none takes it. An instance that is on one of the ships stays there, unless
// another ship has two fewer.
func (b *balance) place(name batuta.ServiceName, n int, current map[batuta.InstanceName]batuta.ShipName) ([]batuta.ShipName, bool) {
	var homeless []int
	for k := range n {
		if q := b.of(current[counted(name, k+1)]); q != nil {
			q.here = append(q.here, k)
			q.zone.n++
		} else {
			homeless = append(homeless, k)
		}
	}
	b.rank()
	for _, k := range homeless {
		if !b.berth(k) {
			return nil, false
		}
	}
	b.even()
	where := make([]batuta.ShipName, n)
	for n := range b.quays {
		for _, k := range b.quays[n].here {
			where[k] = b.quays[n].ship
		}
	}
	return where, true
}

// rank sorts the open ships into their zones, and the zones by their first
// ship.
func (b *balance) rank() {
	open := make([]*quay, 0, len(b.quays))
	for n := range b.quays {
		if b.quays[n].open {
			open = append(open, &b.quays[n])
		}
	}
	slices.SortFunc(open, func(x, y *quay) int {
		return cmp.Or(cmp.Compare(x.load, y.load), cmp.Compare(x.at, y.at))
	})
	for _, q := range open {
		if q.zone.quays.empty() {
			b.open = append(b.open, q.zone)
		}
		q.zone.quays.put(q)
	}
	for _, z := range b.open {
		b.zones.put(z)
	}
}

// berth gives an instance the emptiest ship of the emptiest zone.
func (b *balance) berth(k int) bool {
	z, some := b.zones.least()
	if some {
		q, _ := z.quays.least()
		b.add(q, k)
		z.quays.put(q)
		b.zones.put(z)
	}
	return some
}

func (b *balance) add(q *quay, k int) {
	q.here = append(q.here, k)
	q.zone.n++
	b.load[q.ship]++
}

// move takes the latest of one ship's instances to another.
func (b *balance) move(from, to *quay) {
	last := len(from.here) - 1
	k := from.here[last]
	from.here = from.here[:last]
	from.zone.n--
	b.load[from.ship]--
	b.add(to, k)
}

// even moves instances, as few as possible, until no two zones, and no two
// ships of a zone, are off by two.
func (b *balance) even() {
	for low, high, off := b.zones.pair(); off; low, high, off = b.zones.pair() {
		from, _ := high.quays.most()
		if len(from.here) > 0 { // or else all that it has must stay, and it gives no more
			to, _ := low.quays.least()
			b.move(from, to)
			low.quays.put(to)
			b.zones.put(high)
		}
		high.quays.put(from)
		b.zones.put(low)
	}
	for _, z := range b.open {
		for low, high, off := z.quays.pair(); off; low, high, off = z.quays.pair() {
			b.move(high, low)
			z.quays.put(low)
			z.quays.put(high)
		}
	}
}
