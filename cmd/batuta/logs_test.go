package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"batuta"
	"batuta/internal/lab"
)

// TestOldLogsGo has the log of a run that ended deleted once keep.logs is
// over, and not before; who asks for it then is told.
func TestOldLogsGo(t *testing.T) {
	t.Parallel()
	const app = batuta.AppName("hello-logs")
	s := newSite(t, lab.BuildKit(t), lab.Ships(t, 2), app, "keep: {logs: 48h}\ndashboard: {anonymous: true}\n")
	running := s.serve(t)
	w := s.newWorkingCopy(t, "static", app)
	w.edit("batuta.yml", "app: "+string(app), "app: another")
	run := s.ended(t, s.pushed(t, app, w).ID)
	if run.Status != batuta.RunFailed {
		t.Fatalf("run %+v", run)
	}
	env := map[string]string{"BATUTA_URL": s.url, "BATUTA_TOKEN": s.token}
	file := filepath.Join(s.dir, "data", "logs", "1.log")

	if err := running.pipeline.ForgetOld(t.Context(), run.Ended.Add(48*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := call(t, env, "logs", "1"); code != 0 || out == "" {
		t.Errorf("the young log: %d: %s%s", code, out, errs)
	}
	swept := run.Ended.Add(49 * time.Hour).Truncate(time.Second)
	if err := running.pipeline.ForgetOld(t.Context(), swept); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the old log is there: %v", err)
	}
	for _, args := range [][]string{{"logs", "1"}, {"logs", "1", "source"}, {"logs", "-F", "1"}} {
		code, out, errs := call(t, env, args...)
		if code == 0 || out != "" || !strings.Contains(errs, "the log of run 1 was deleted at "+swept.UTC().Format(time.RFC3339)) || !strings.Contains(errs, "keep.logs") {
			t.Errorf("%q: %d: %s%s", args, code, out, errs)
		}
	}
	if page := s.page(t, "/runs/1"); !strings.Contains(page, "It was deleted at "+swept.UTC().Format("2006-01-02")) {
		t.Errorf("the run's page: %s", page)
	}
}

// page is a page of the dashboard as anybody sees it.
func (s *site) page(t *testing.T, path string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("GET %s: %s: %v", path, answer.Status, err)
	}
	return string(text)
}
