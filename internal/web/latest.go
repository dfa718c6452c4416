package web

import (
	"context"
	"sync"
	"time"

	"batuta/pipeline"
)

const (
	fresh    = time.Second     // an answer of this age is as good as a new one
	patience = 3 * time.Second // how long a page waits for a new answer
	stale    = time.Minute     // an older answer is shown to nobody
	askLimit = time.Minute     // for an answer, whether or not anybody waits
)

// latest is how all environments are, as far as it is known. To know it, every
// ship is asked and every check is made, which takes as long as the slowest of
// them. So one question serves all viewers, and none waits for its answer
// longer than patience: they are shown the answer before, if it is not too old.
type latest struct {
	ask func(context.Context) ([]pipeline.EnvironmentStatus, error)

	mu     sync.Mutex
	under  *question // under way; nil if none is
	status []pipeline.EnvironmentStatus
	err    error
	at     time.Time // when they came; zero: never
}

// question is one that is under way.
type question struct {
	answered chan struct{}
	cancel   context.CancelFunc
}

// get gives the last answer and when it came. The status must not be changed;
// the time is zero if there has been no answer of late.
func (l *latest) get(ctx context.Context) ([]pipeline.EnvironmentStatus, time.Time, error) {
	if q := l.begin(ctx); q != nil {
		select {
		case <-q.answered:
		case <-time.After(patience):
		case <-ctx.Done():
			return nil, time.Time{}, ctx.Err()
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.at) > stale {
		return nil, time.Time{}, nil
	}
	return l.status, l.at, l.err
}

// begin gives the question under way, or a new one; nil if the last answer is
// fresh.
func (l *latest) begin(ctx context.Context) *question {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.under == nil && (l.at.IsZero() || time.Since(l.at) >= fresh) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askLimit)
		l.under = &question{make(chan struct{}), cancel}
		go l.answer(ctx, l.under) // close waits for it
	}
	return l.under
}

func (l *latest) answer(ctx context.Context, q *question) {
	defer close(q.answered)
	defer q.cancel()
	status, err := l.ask(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.under, l.status, l.err, l.at = nil, status, err, time.Now()
}

// close ends the question under way. None may be begun any more.
func (l *latest) close() {
	l.mu.Lock()
	q := l.under
	l.mu.Unlock()
	if q != nil {
		q.cancel()
		<-q.answered
	}
}
