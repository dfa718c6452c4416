package webhooks

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"batuta"
)

// Pace is how many deliveries an address may send to one app: so many in a
// while, which it may send at once after a while of silence. The zero Pace is
// any number.
type Pace struct {
	Deliveries int
	Per        time.Duration
}

// maxVisitors bounds how many senders are told apart. Beyond that, those who
// are new share one pace.
const maxVisitors = 10_000

// visitor is a sender to an app; app is empty for all that do not exist.
type visitor struct {
	from netip.Prefix // one address, or the 64 bits that one network has of IPv6
	app  batuta.AppName
}

// turnstile keeps visitors at their pace.
type turnstile struct {
	pace     Pace
	mu       sync.Mutex
	visitors map[visitor]*rate.Limiter
}

func newTurnstile(p Pace) *turnstile {
	return &turnstile{pace: p, visitors: map[visitor]*rate.Limiter{}}
}

// wait is how long a visitor has to stay away; 0: it may enter.
func (t *turnstile) wait(v visitor, now time.Time) time.Duration {
	if t.pace.Deliveries == 0 {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	turn := t.of(v, now).ReserveN(now, 1)
	wait := turn.DelayFrom(now)
	if wait > 0 {
		turn.CancelAt(now)
	}
	return wait
}

func (t *turnstile) of(v visitor, now time.Time) *rate.Limiter {
	if l, ok := t.visitors[v]; ok {
		return l
	}
	if len(t.visitors) >= maxVisitors {
		for known, l := range t.visitors {
			if l.TokensAt(now) >= float64(t.pace.Deliveries) { // as if it were new
				delete(t.visitors, known)
			}
		}
	}
	if len(t.visitors) >= maxVisitors {
		v = visitor{}
	}
	l, ok := t.visitors[v]
	if !ok {
		l = rate.NewLimiter(rate.Every(t.pace.Per/time.Duration(t.pace.Deliveries)), t.pace.Deliveries)
		t.visitors[v] = l
	}
	return l
}

// source is the address that a request comes from: the peer's, or, where that
// is a trusted proxy, the last one of X-Forwarded-For that is none.
func source(req *http.Request, trusted []netip.Prefix) netip.Addr {
	peer, _ := netip.ParseAddrPort(req.RemoteAddr) // the server's own listener wrote it
	at := peer.Addr().Unmap()
	named := strings.Split(strings.Join(req.Header.Values("X-Forwarded-For"), ","), ",")
	for _, text := range slices.Backward(named) {
		if !slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(at) }) {
			break
		}
		next, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil {
			break
		}
		at = next.Unmap()
	}
	return at
}

// network is the address, or the network of an IPv6 address that one sender
// can choose addresses from.
func network(at netip.Addr) netip.Prefix {
	bits := 32
	if at.Is6() {
		bits = 64
	}
	p, _ := at.Prefix(bits) // the zero Addr has none, and is a sender of its own
	return p
}
