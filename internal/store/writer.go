package store

import (
	"context"
	"database/sql"
	"sync"

	"batuta"
)

// atOnce bounds how many writes share a transaction.
const atOnce = 128

// writer is the one goroutine that writes. While it waits for the disk, callers
// queue up; it takes all that wait into one transaction, a savepoint for each,
// so that a write that is refused does not spoil the others, and answers them
// when the disk has it.
type writer struct {
	tx        *tx
	queue     chan *request
	stop      chan struct{}
	stopOnce  sync.Once
	done      sync.WaitGroup
	committed *signal
}

// request is something to write, and where the outcome goes.
type request struct {
	do      func(context.Context, *tx) error
	outcome chan error // takes one without a receiver
}

func startWriter(conn *sql.Conn) *writer {
	w := &writer{
		tx:        &tx{Conn: conn, statements: map[string]*sql.Stmt{}},
		queue:     make(chan *request),
		stop:      make(chan struct{}),
		committed: newSignal(),
	}
	w.done.Go(w.run)
	return w
}

// write does something in a transaction and returns once it is on disk. The
// act names it in errors.
func write[T any](ctx context.Context, db *DB, act string, do func(context.Context, *tx) (T, error)) (T, error) {
	var result, none T
	err := db.writer.write(ctx, func(ctx context.Context, t *tx) (err error) {
		result, err = do(ctx, t)
		return err
	})
	if err != nil {
		return none, db.problem(act, err)
	}
	return result, nil
}

// write waits for its turn no longer than ctx; then it is seen through, which
// takes as long as one transaction.
func (w *writer) write(ctx context.Context, do func(context.Context, *tx) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	r := &request{do: do, outcome: make(chan error, 1)}
	select {
	case w.queue <- r:
		return <-r.outcome
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-w.stop:
		return &batuta.Error{Kind: batuta.Unavailable, Message: "the database is closed"}
	}
}

// close ends the goroutine after the transaction it is in.
func (w *writer) close() {
	w.stopOnce.Do(func() { close(w.stop) })
	w.done.Wait()
}

func (w *writer) run() {
	for {
		select {
		case r := <-w.queue:
			w.serve(w.gather(r))
		case <-w.stop:
			return
		}
	}
}

// gather takes those who wait now.
func (w *writer) gather(first *request) []*request {
	batch := []*request{first}
	for len(batch) < atOnce {
		select {
		case r := <-w.queue:
			batch = append(batch, r)
		default:
			return batch
		}
	}
	return batch
}

// serve writes a batch and answers it. It has a context of its own: a caller
// who leaves must not interrupt what is written for the others.
func (w *writer) serve(batch []*request) {
	refused := make([]error, len(batch))
	err := w.transact(context.Background(), batch, refused)
	for i, r := range batch {
		if err != nil {
			r.outcome <- err
			continue
		}
		r.outcome <- refused[i]
	}
}

// transact writes a batch, noting whose writes are refused. An error is that
// nothing was written.
func (w *writer) transact(ctx context.Context, batch []*request, refused []error) error {
	changed, err := w.tx.inside(ctx, func() (err error) {
		for i, r := range batch {
			if refused[i], err = w.tx.attempt(ctx, r.do); err != nil {
				return err
			}
		}
		return nil
	})
	if changed {
		w.committed.send()
	}
	return err
}
