package gitremote

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"batuta"
)

// repository is the bare repository of one app.
type repository struct {
	remote *Remote
	app    batuta.AppName
	dir    string
	turn   chan struct{}        // holds one: who makes or reconciles it
	runs   map[string]delivered // by ref, what this server delivered last; in turn
}

// delivered is one change of a ref that the inbox has.
type delivered struct {
	revision batuta.Revision
	run      batuta.RunID
}

// take waits for the turn; the caller calls the function that it gives.
func (r *repository) take(ctx context.Context) (release func(), err error) {
	select {
	case r.turn <- struct{}{}:
		return func() { <-r.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// exists tells whether the repository is on disk.
func (r *repository) exists() bool {
	_, err := os.Stat(filepath.Join(r.dir, "HEAD"))
	return err == nil
}

// ensure makes the repository if it does not exist, at once or not at all.
func (r *repository) ensure(ctx context.Context) error {
	if r.exists() {
		return nil
	}
	release, err := r.take(ctx)
	if err != nil {
		return err
	}
	defer release()
	if r.exists() {
		return nil
	}
	part := r.dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return fmt.Errorf("make repository: %w", err)
	}
	if _, err := r.git(ctx, "init", "--quiet", "--bare", "--template=", "--", part); err != nil {
		return fmt.Errorf("make repository: %w", err)
	}
	if err := os.Rename(part, r.dir); err != nil {
		return fmt.Errorf("make repository: %w", err)
	}
	return nil
}

// begin marks a push as under way, until the file it gives is closed here and
// in every process that inherited it.
func (r *repository) begin() (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(r.dir, "batuta.lock"), os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_SH); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", lock.Name(), err), lock.Close())
	}
	return lock, nil
}

// settle waits until no push is under way.
func (r *repository) settle(ctx context.Context) error {
	lock, err := os.OpenFile(filepath.Join(r.dir, "batuta.lock"), os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return err
	}
	defer lock.Close()
	retry := time.NewTicker(50 * time.Millisecond) // flock knows no deadline
	defer retry.Stop()
	for {
		err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil || !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		select {
		case <-retry.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for the pushes under way: %w", ctx.Err())
		}
	}
}

// git runs a git command and gives what it prints.
func (r *repository) git(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, r.remote.git, args...)
	cmd.Env = r.remote.env
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil, fmt.Errorf("git %s: %w: %s", args[0], err, exit.Stderr)
	}
	if err != nil {
		return nil, fmt.Errorf("git %s: %w", args[0], err)
	}
	return out, nil
}
