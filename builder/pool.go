package builder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"batuta"
)

// Member is one builder of a Pool.
type Member struct {
	Name   string // as the log shows it
	Daemon Daemon
	Limit  int // builds at once; 0 is DefaultLimit
}

// Daemon is what a Pool needs of a Builder.
type Daemon interface {
	Build(ctx context.Context, r Request, log io.Writer) (Result, error)
	Check(ctx context.Context) (version string, err error)
}

var _ Daemon = (*Builder)(nil)

// DefaultLimit is how many builds a builder does at once if nothing is said.
const DefaultLimit = 4

// Pool builds with several builders. An image returns to the one that last
// built it, whose cache is warm; if that is at its limit, it goes to the one
// with the most room, and it never waits while any has room. When all are at
// their limits, builds wait: the next is the oldest of the app that has the
// fewest under way.
//
// A Pool is for concurrent use. It starts no goroutine of its own.
type Pool struct {
	mu      sync.Mutex
	members []*member
	warm    map[string]*member // by image: who last built it
	running map[batuta.AppName]int
	served  map[batuta.AppName]int // the number of the app's last turn
	turns   int
	waiting []*turn // in the order in which they came
}

var _ Daemon = (*Pool)(nil)

// member is a Member at work.
type member struct {
	Member
	running int
	silent  time.Time   // until when it is passed over, as it did not answer
	again   *time.Timer // offers it to those who wait then; nil if it never was silent
}

// A builder is asked whether it answers before each build, and left alone for
// a while when it does not.
const (
	checkTimeout = 3 * time.Second
	silence      = 10 * time.Second
)

// NewPool gives the pool of the members, of which there is at least one.
func NewPool(members ...Member) *Pool {
	p := &Pool{warm: map[string]*member{}, running: map[batuta.AppName]int{}, served: map[batuta.AppName]int{}}
	for _, m := range members {
		if m.Limit <= 0 {
			m.Limit = DefaultLimit
		}
		p.members = append(p.members, &member{Member: m})
	}
	return p
}

// Build is Builder.Build by one of the members. A member that does not answer
// is passed over, which the log says; the error is Unavailable if none does.
// One that dies while it builds fails the build, as Unavailable: to try again
// is to go elsewhere.
func (p *Pool) Build(ctx context.Context, r Request, log io.Writer) (Result, error) {
	t := &turn{app: r.App, image: r.sharedKey(), granted: make(chan *member, 1)}
	var silent []error
	for len(silent) < len(p.members) {
		m, err := p.take(ctx, t, log)
		if err != nil {
			return Result{}, fmt.Errorf("build image %s: wait for a builder: %w", r.Image, err)
		}
		if err := p.answers(ctx, m); err != nil {
			p.release(t, m)
			if ctx.Err() != nil {
				return Result{}, fmt.Errorf("build image %s: %w", r.Image, ctx.Err())
			}
			fmt.Fprintf(log, "builder %s is passed over: %v\n", m.Name, err)
			silent, t.passed = append(silent, err), append(t.passed, m)
			continue
		}
		if len(p.members) > 1 {
			fmt.Fprintf(log, "builder %s\n", m.Name)
		}
		defer p.release(t, m)
		return m.Daemon.Build(ctx, r, log)
	}
	return Result{}, unavailable(errors.Join(silent...), "no builder answers")
}

// answers is nil if the member can be reached; else it is left alone for a
// while.
func (p *Pool) answers(ctx context.Context, m *member) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	_, err := m.Daemon.Check(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	if m.silent = (time.Time{}); err != nil {
		m.silent = time.Now().Add(silence)
		if m.again != nil {
			m.again.Stop()
		}
		m.again = time.AfterFunc(silence, p.offer)
	}
	return err
}

// Check gives the version of the first member that answers; the error is
// Unavailable if none does.
func (p *Pool) Check(ctx context.Context) (version string, err error) {
	var silent []error
	for _, m := range p.members {
		version, err := m.Daemon.Check(ctx)
		if err == nil {
			return version, nil
		}
		silent = append(silent, err)
	}
	return "", unavailable(errors.Join(silent...), "no builder answers")
}

// Close closes the members that can be closed. Builds that still run fail.
func (p *Pool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []error
	for _, m := range p.members {
		if m.again != nil {
			m.again.Stop()
		}
		if c, ok := m.Daemon.(io.Closer); ok {
			all = append(all, c.Close())
		}
	}
	return errors.Join(all...)
}
