package store

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	"batuta/pipeline"
)

// tx is the writer's connection, in a transaction. The writes of a batch use it
// one after the other. Statements are prepared once.
type tx struct {
	*sql.Conn

	statements map[string]*sql.Stmt
	changed    bool                           // whether a row was changed in this transaction
	addressees func(pipeline.Notice) []string // who is to be told of a notice; nil: nobody
}

// inside does something in a transaction and commits it, or rolls back what an
// error stopped. It tells whether anything in the database is changed.
func (t *tx) inside(ctx context.Context, do func() error) (changed bool, err error) {
	t.changed = false
	if err := t.control(ctx, "BEGIN IMMEDIATE"); err != nil {
		return false, err
	}
	if err = do(); err == nil {
		err = t.control(ctx, "COMMIT")
	}
	if err != nil {
		// SQLite may have rolled back by itself; then this finds nothing to do.
		_ = t.control(ctx, "ROLLBACK")
		return false, err
	}
	return t.changed, nil
}

// attempt does one write. If it is refused, the transaction is as before; if
// it cannot be made as before, the transaction is lost.
func (t *tx) attempt(ctx context.Context, do func(context.Context, *tx) error) (refused, lost error) {
	before := t.changed
	if err := t.control(ctx, "SAVEPOINT attempt"); err != nil {
		return nil, err
	}
	if refused = do(ctx, t); refused == nil {
		return nil, t.control(ctx, "RELEASE attempt")
	}
	t.changed = before
	if err := t.control(ctx, "ROLLBACK TO attempt"); err != nil {
		return nil, refused // which is why the database ended the transaction by itself
	}
	return refused, t.control(ctx, "RELEASE attempt")
}

// control runs a statement that begins or ends something.
func (t *tx) control(ctx context.Context, statement string) error {
	s, err := t.prepared(ctx, statement)
	if err != nil {
		return err
	}
	_, err = s.ExecContext(ctx)
	return err
}

// exec runs a statement that may change rows.
func (t *tx) exec(ctx context.Context, query string, args ...any) error {
	s, err := t.prepared(ctx, query)
	if err != nil {
		return err
	}
	result, err := s.ExecContext(ctx, args...)
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	t.changed = t.changed || n > 0
	return err
}

// insert runs a statement that makes one row, and reads what it returns.
func (t *tx) insert(ctx context.Context, returned any, query string, args ...any) error {
	t.changed = true
	return t.QueryRowContext(ctx, query, args...).Scan(returned)
}

// QueryRowContext is that of sql.Conn, with a prepared statement.
func (t *tx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	s, err := t.prepared(ctx, query)
	if err != nil {
		return t.Conn.QueryRowContext(ctx, query, args...) // its Scan says what is wrong
	}
	return s.QueryRowContext(ctx, args...)
}

// QueryContext is that of sql.Conn, with a prepared statement.
func (t *tx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := t.prepared(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

// close gives the connection back. The statements go first: SQLite keeps the
// files open for as long as there are any.
func (t *tx) close() error {
	var errs []error
	for _, s := range t.statements {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, t.Close())...)
}

func (t *tx) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := t.statements[query]; ok {
		return s, nil
	}
	s, err := t.PrepareContext(ctx, query)
	if err == nil {
		t.statements[query] = s
	}
	return s, err
}

// signal tells any number of goroutines that something happened.
type signal struct {
	mu   sync.Mutex
	wait chan struct{}
}

func newSignal() *signal { return &signal{wait: make(chan struct{})} }

// next gives a channel that is closed when it happens the next time.
func (s *signal) next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wait
}

// send wakes all who wait.
func (s *signal) send() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.wait)
	s.wait = make(chan struct{})
}
