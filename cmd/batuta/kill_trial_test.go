package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"batuta"
	"batuta/internal/lab"
)

// TestKilledInItsTests kills a server with SIGKILL while a test runs beside a
// service. The next server does the step again and finishes the run, and
// nothing is left of what the first had made on the ship.
func TestKilledInItsTests(t *testing.T) {
	t.Parallel()
	const app = batuta.AppName("hello-tried")
	lab.Bases(t, lab.Busybox)
	s := newSite(t, lab.BuildKit(t), lab.Ships(t, 2), app, "")
	server := s.start(t, "")
	w := s.newWorkingCopy(t, "static", app)
	w.write("Dockerfile", "FROM busybox\nCOPY public /www\nCMD [\"httpd\", \"-f\", \"-p\", \"8080\", \"-h\", \"/www\"]\n")
	w.edit("batuta.yml", "web: {static: public}", "web: {}")
	w.edit("batuta.yml", "promote:", "test: [{name: unit, run: \"echo be''gun; sleep 8; wget -qO- http://db:8080\", services: {db: {image: web, ready: {tcp: 8080}}}}]\npromote:")
	id := s.pushed(t, app, w).ID
	s.says(t, id, "test unit", "begun")
	server.kill(t)
	if s.noTrial(t) == nil {
		t.Fatal("the server that was killed had nothing on the ship")
	}

	s.start(t, "")
	run := s.succeeds(t, id)
	i := slices.IndexFunc(run.Steps, func(step batuta.Step) bool { return step.Name == "test unit" })
	if i < 0 || run.Steps[i].Attempt != 2 || run.Release == 0 {
		t.Errorf("the run that went on is %+v", run)
	}
	var log bytes.Buffer
	if err := s.client.Log(t.Context(), id, "test unit", false, &log); err != nil || strings.Count(log.String(), "begun") != 2 {
		t.Errorf("the step said, %v:\n%s", err, log.String())
	}
	lab.Wait(t, time.Minute, func() error { return s.noTrial(t) })
}
