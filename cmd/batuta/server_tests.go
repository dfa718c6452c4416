package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"batuta"
	"batuta/deployer/trial"
	"batuta/pipeline"
)

// tester runs the tests of each app on the ship that server.yml has for them.
type tester struct{ *server }

var _ pipeline.Tester = tester{}

// Test runs one.
func (t tester) Test(ctx context.Context, r trial.Request, log io.Writer) (trial.Report, error) {
	runner, ok := t.runners[t.config.TestShip(r.App)]
	if !ok {
		return trial.Report{}, &batuta.Error{Kind: batuta.Invalid, Message: "there is no ship to test " + string(r.App) + " on", Hint: "write test: {ship: NAME} into server.yml"}
	}
	return runner.Test(ctx, r, log)
}

// owner is this server, as what its tests make on ships says whose it is.
func (s *server) owner() string {
	host, _ := os.Hostname() // empty is as good
	return host + ":" + s.config.Data
}

// artifacts is what the tests of a run left. There are no links in it.
func (s *server) artifacts(id batuta.RunID) fs.FS {
	return os.DirFS(filepath.Join(s.dir("artifacts"), fmt.Sprint(id)))
}

// artifactsPause is the time from one look at old artifacts to the next.
const artifactsPause = time.Hour

// tidyTests removes what the tests of an earlier server left on the ships, and
// artifacts that are old, until ctx ends. A ship that does not answer is told
// in the log: its rest is for the next server.
func (s *server) tidyTests(ctx context.Context) {
	var sweeps sync.WaitGroup
	defer sweeps.Wait()
	for name, r := range s.runners {
		sweeps.Go(func() {
			if err := r.Sweep(ctx); err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "remove what tests left", "ship", name, "err", err)
			}
		})
	}
	tick := time.NewTicker(artifactsPause)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := removeOld(s.dir("artifacts"), time.Now().Add(-s.config.Keep.Artifacts)); err != nil {
			s.log.ErrorContext(ctx, "remove old artifacts", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// removeOld removes the directories of runs that nothing has come into since.
func removeOld(dir string, since time.Time) error {
	runs, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	all := []error{err}
	for _, run := range runs {
		info, err := run.Info()
		if err == nil && info.ModTime().Before(since) {
			err = os.RemoveAll(filepath.Join(dir, run.Name()))
		}
		all = append(all, err)
	}
	return errors.Join(all...)
}
