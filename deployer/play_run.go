package deployer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/semaphore"

	"batuta"
)

// errAborted is what becomes of an instance whose turn does not come, because
// something before it went wrong.
var errAborted = errors.New("aborted: something before it went wrong")

// Play carries out an order other than a status. Each instance waits only for
// those in the play that it depends on. After the first error nothing more is
// begun; what was begun is brought to its end. A ship that does not answer is
// the trouble of its own instances and of what depends on them alone.
//
// A play that changes anything holds the environment's lease on its ships, as
// Apply does: while another has it, nothing is begun, and the error is a
// Conflict that names the holder.
//
// Tell, which may be nil, is called for each cue, never at the same time; each
// instance has one final cue. The error joins those of the final cues, without
// those that were aborted; it names instance and ship.
func (f *Fleet) Play(ctx context.Context, p Play, tell func(Cue)) error {
	s := newScene(f, p, tell)
	ctx, release, err := s.hold(ctx)
	if err != nil {
		s.refuse()
		return err
	}
	defer release()
	var heard sync.WaitGroup
	heard.Go(func() { s.warn(ctx) })
	switch p.order.Verb {
	case PlayRestart:
		s.restart(ctx)
	default:
		s.all(ctx, p.parts, p.order.Verb.backward(), s.acts()[p.order.Verb])
	}
	heard.Wait()
	s.tidy(ctx)
	return errors.Join(s.errs...)
}

// act does the work at one instance, and says in a word how it ended.
type act func(context.Context, *part) (text string, err error)

func (s *scene) acts() map[Verb]act {
	return map[Verb]act{PlayStart: s.start, PlayStop: s.stop, PlayKill: s.kill, PlayPull: s.pull, PlayClean: s.clean}
}

// scene is a play being played.
type scene struct {
	fleet  *Fleet
	play   Play
	order  Order
	places *semaphore.Weighted // of the order's concurrency; nil: there is no bound
	ships  map[batuta.ShipName]*deck

	mu      sync.Mutex // guards what follows
	tell    func(Cue)
	failed  bool
	outcome map[*part]error // of the parts that ended
	errs    []error
}

func newScene(f *Fleet, p Play, tell func(Cue)) *scene {
	s := &scene{fleet: f, play: p, order: p.order, tell: tell, ships: map[batuta.ShipName]*deck{}, outcome: map[*part]error{}}
	if p.order.Concurrency > 0 {
		s.places = semaphore.NewWeighted(int64(p.order.Concurrency))
	}
	for name, ship := range f.ships {
		s.ships[name] = newDeck(s, name, ship)
	}
	return s
}

// all has each of the parts act once what goes before it is done, in its own
// goroutine, and returns when all have ended.
func (s *scene) all(ctx context.Context, parts []*part, backward bool, do act) {
	done := map[*part]chan struct{}{}
	for _, p := range parts {
		done[p] = make(chan struct{})
	}
	var every sync.WaitGroup
	for _, p := range parts {
		every.Go(func() {
			defer close(done[p])
			before := p.needs
			if backward {
				before = p.needed
			}
			for _, b := range before {
				if ended := done[b]; ended != nil {
					<-ended
				}
			}
			s.turn(ctx, p, before, do)
		})
	}
	every.Wait()
}

// turn is the part's, unless something went wrong before.
func (s *scene) turn(ctx context.Context, p *part, before []*part, do act) {
	if s.places != nil {
		if err := s.places.Acquire(ctx, 1); err != nil {
			s.end(p, "", context.Cause(ctx))
			return
		}
		defer s.places.Release(1)
	}
	if err := s.hindrance(ctx, before); err != nil {
		s.end(p, "", err)
		return
	}
	text, err := do(ctx, p)
	if err != nil || text != "" {
		s.end(p, text, err)
	}
}

// hindrance is why nothing may be begun any more.
func (s *scene) hindrance(ctx context.Context, before []*part) error {
	if err := ended(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed {
		return errAborted
	}
	for _, b := range before {
		if err := s.outcome[b]; err != nil && !s.bearable(b, err, before) {
			return fmt.Errorf("%w: %s", errAborted, b.Name)
		}
	}
	return nil
}

// bearable tells whether the failure of a part before does not hinder: its
// ship does not answer, and either that part is to go, or another instance of
// its service is there.
func (s *scene) bearable(b *part, why error, before []*part) bool {
	if !errors.As(why, new(adrift)) {
		return false
	}
	return s.order.Verb.backward() || slices.ContainsFunc(before, func(peer *part) bool {
		err, over := s.outcome[peer]
		return peer.Service == b.Service && over && err == nil
	})
}

// end notes how it went with a part, and tells it.
func (s *scene) end(p *part, text string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, over := s.outcome[p]; over {
		return
	}
	s.outcome[p] = err
	switch {
	case errors.Is(err, errAborted):
		text = err.Error()
	case err != nil:
		err = fmt.Errorf("%s %s on %s: %w", s.order.Verb, p.Name, p.Ship, err)
		s.errs = append(s.errs, err)
		s.failed = s.failed || !errors.As(err, new(adrift))
		text = firstLine(err.Error())
	}
	if s.tell != nil {
		s.tell(p.cue(text, true, err))
	}
}

// say tells what is being done to a part.
func (s *scene) say(p *part, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, over := s.outcome[p]; !over && s.tell != nil {
		s.tell(p.cue(fmt.Sprintf(format, args...), false, nil))
	}
}

// remark tells what concerns the whole play.
func (s *scene) remark(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tell != nil {
		s.tell(Cue{Number: -1, Text: text})
	}
}

// adrift is the error of a ship that does not answer. It is nobody else's.
type adrift struct{ error }

// Unwrap gives what the ship's silence was.
func (a adrift) Unwrap() error { return a.error }
