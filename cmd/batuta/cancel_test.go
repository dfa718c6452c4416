package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"batuta"
	"batuta/internal/lab"
)

// cancelTime bounds how long a cancelled run may take to stop. It takes less
// than a second on a machine that has time (docs/benchmarks.md).
const cancelTime = 5 * time.Second

// TestCancelStops cancels a run in its build, in its tests and in its
// deployment, each of which would go on for an hour and does not listen to
// SIGTERM, and then one that has to take back a container that serves.
func TestCancelStops(t *testing.T) {
	t.Parallel()
	const app = batuta.AppName("hello-cancel")
	lab.Bases(t, lab.Busybox)
	s := newSite(t, lab.BuildKit(t), lab.Ships(t, 2), app, "")
	s.serve(t)
	w := s.newWorkingCopy(t, "static", app)
	mark := fmt.Sprintf("mark-%d", time.Now().UnixNano())
	deaf := "trap '' TERM; echo be''gun; while true; do sleep 1; done"
	w.write("Dockerfile", "FROM busybox\nCOPY public /www\nRUN "+deaf+"; "+mark+"\n")
	w.edit("batuta.yml", "web: {static: public}", "web: {}")

	going := t.Run("build", func(t *testing.T) {
		id := s.pushed(t, app, w).ID
		s.says(t, id, "build web", "begun")
		if !runs(t, mark) {
			t.Fatal("the build runs nothing")
		}
		s.stops(t, id, func() error {
			if runs(t, mark) {
				return errors.New("the builder goes on")
			}
			return nil
		})
	})

	w.write("Dockerfile", "FROM busybox\nCOPY public /www\nCMD [\"sh\", \"-c\", \""+deaf+"\"]\n")
	w.edit("batuta.yml", "promote:", "test: [{name: unit, run: \""+deaf+"\", services: {db: {image: web}}}]\npromote:")
	going = going && t.Run("tests", func(t *testing.T) {
		id := s.pushed(t, app, w).ID
		s.says(t, id, "test unit", "begun")
		s.stops(t, id, func() error { return s.noTrial(t) })
	})

	w.edit("batuta.yml", "test: [{name: unit", "test: [{name: unit, timeout: 1m, retries: 0")
	w.edit("batuta.yml", "run: \""+deaf+"\"", "run: \"true\"")
	going = going && t.Run("deployment", func(t *testing.T) {
		id := s.pushed(t, app, w).ID
		s.says(t, id, "deploy qa", "started")
		s.stops(t, id, func() error { return s.runsNothing(t, app) })
	})

	w.write("Dockerfile", "FROM busybox\nCOPY public /www\nCMD [\"sh\", \"-c\", \"httpd -p 8080 -h /www; "+deaf+"\"]\n")
	w.edit("environments/qa.yml", "build: web", "build: web\n    stop_timeout: 2s")
	_ = going && t.Run("watch", func(t *testing.T) {
		before := s.succeeds(t, s.pushed(t, app, w).ID)
		w.edit("environments/qa.yml", "build: web", "build: web\n    env: {NEW: \"1\"}\n    update: {watch: 10m}")
		id := s.pushed(t, app, w).ID
		s.says(t, id, "deploy qa", "web-1 on "+string(s.ships[0].Name)+": ready")
		began := time.Now()
		if _, err := s.client.Cancel(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		s.says(t, id, "cancel", "ana cancels the run")
		if took := time.Since(began); took > cancelTime {
			t.Errorf("it took %s to say what is done", took)
		} else {
			t.Logf("it says what is done after %s", took.Round(time.Millisecond))
		}
		s.says(t, id, "deploy qa", "putting back what ran before")
		if run := s.ended(t, id); run.Status != batuta.RunCancelled {
			t.Errorf("run %d %s: %s", id, run.Status, run.Error)
		}
		containers, healthy := s.environment(t, app, "qa")
		if len(containers) != 1 || !healthy || containers[0].Release != before.Release {
			t.Errorf("qa has %+v (healthy: %t), want release %d", containers, healthy, before.Release)
		}
	})
}

// says waits until a step has printed a text.
func (s *site) says(t *testing.T, id batuta.RunID, step, text string) {
	t.Helper()
	lab.Wait(t, time.Minute, func() error {
		var log bytes.Buffer
		if err := s.client.Log(t.Context(), id, step, false, &log); err != nil || !strings.Contains(log.String(), text) {
			return errors.Join(err, fmt.Errorf("run %d has not said %q:\n%s", id, text, log.String()))
		}
		return nil
	})
}

// stops cancels a run, and wants it cancelled and all that it had begun gone.
func (s *site) stops(t *testing.T, id batuta.RunID, gone func() error) {
	t.Helper()
	began := time.Now()
	if _, err := s.client.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	run := s.ended(t, id)
	ended := time.Since(began)
	lab.Wait(t, cancelTime, gone)
	cleared := time.Since(began)
	if run.Status != batuta.RunCancelled || !strings.HasSuffix(run.Error, "cancelled by ana") {
		t.Errorf("run %d %s: %s", id, run.Status, run.Error)
	}
	if cleared > cancelTime {
		t.Errorf("it took %s until the run had ended and %s until nothing was left", ended, cleared)
	}
	t.Logf("cancelled after %s, nothing left after %s", ended.Round(time.Millisecond), cleared.Round(time.Millisecond))
}

// runs tells whether a process of this machine, in a container or not, has
// the text in its command line.
func runs(t *testing.T, text string) bool {
	t.Helper()
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range commands {
		if command, err := os.ReadFile(file); err == nil && bytes.Contains(command, []byte(text)) {
			return true
		}
	}
	return false
}

// noTrial wants no container and no network of a test of this server.
func (s *site) noTrial(t *testing.T) error {
	t.Helper()
	marked := []string{"--quiet", "--filter", "label=batuta.run", "--filter", "label=batuta.server=" + hostname(t) + ":" + filepath.Join(s.dir, "data")}
	for _, ship := range s.ships {
		for _, list := range [][]string{{"container", "ls", "--all"}, {"network", "ls"}} {
			if left := onShip(t.Context(), t, ship, append(list, marked...)...); left != "" {
				return fmt.Errorf("a test left on %s: %s %s", ship.Name, list[0], left)
			}
		}
	}
	return nil
}

// runsNothing wants no container of an app on any ship.
func (s *site) runsNothing(t *testing.T, app batuta.AppName) error {
	t.Helper()
	for _, ship := range s.ships {
		if left := onShip(t.Context(), t, ship, "container", "ls", "--all", "--quiet", "--filter", "label=batuta.app="+string(app)); left != "" {
			return fmt.Errorf("left on %s: container %s", ship.Name, left)
		}
	}
	return nil
}

// write replaces a file of the repository, which the next edit commits.
func (w *workingCopy) write(file, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, file), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}
