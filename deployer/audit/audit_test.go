package audit

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"batuta/deployer"
	"batuta/deployer/maestro"
)

var targets = []Target{{"web-1", "web", "10.0.0.1"}, {"web-2", "web", "10.0.0.2"}}

func TestTrail(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	auditors := []maestro.Auditor{
		{Type: maestro.AuditLog, File: filepath.Join(dir, "log"), Debug: true},
		{Type: maestro.AuditExec, Script: "/bin/sh", Args: "-c cat>" + dir + "/{action}.json"},
	}
	trail := New(auditors, "stop", "ana", targets)
	broken := errors.New("it does not want to\nand says more")
	err := trail.Around(t.Context(), func() error {
		trail.Cue(t.Context(), deployer.Cue{Number: 0, Text: "stopping…"})
		trail.Cue(t.Context(), deployer.Cue{Number: 0, Final: true})
		trail.Cue(t.Context(), deployer.Cue{Number: 1, Final: true, Err: broken})
		return broken
	})
	if !errors.Is(err, broken) {
		t.Fatal(err)
	}
	log, err := os.ReadFile(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range []string{
		" INFO: ana is stopping web-1, web-2.", " DEBUG: ana is stopping web-1.", " DEBUG: Stop of web-1 succeeded.",
		" DEBUG: ana is stopping web-2.", " ERROR: Failed to stop web-2! (message: it does not want to)",
		" ERROR: Failed to stop web-1, web-2! (message: it does not want to)",
	} {
		if lines := strings.Split(string(log), "\n"); n >= len(lines) || !strings.HasSuffix(lines[n], want) {
			t.Errorf("line %d is not %q:\n%s", n, want, log)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "stop.json")); err == nil {
		t.Error("the script was told of what failed")
	}
	if err := New(auditors[1:], "stop", "ana", targets).Around(t.Context(), func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	done, err := os.ReadFile(filepath.Join(dir, "stop.json"))
	if err != nil || string(done) != `{"web-1":{"ship":"10.0.0.1","service":"web"},"web-2":{"ship":"10.0.0.2","service":"web"}}` {
		t.Errorf("%v: %s", err, done)
	}
}

func TestAuditorThatCannotBeTold(t *testing.T) {
	t.Parallel()
	broken := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(broken.Close)
	for _, ignore := range []bool{false, true} {
		played := false
		a := []maestro.Auditor{{Type: maestro.AuditHTTP, Endpoint: broken.URL, IgnoreErrors: ignore}}
		err := New(a, "start", "ana", targets).Around(t.Context(), func() error { played = true; return nil })
		if played != ignore || (err == nil) != ignore {
			t.Errorf("errors ignored: %v; played: %v; %v", ignore, played, err)
		}
	}
}

func TestSlack(t *testing.T) {
	t.Parallel()
	var said struct {
		Channel     string
		Attachments []struct{ Text, Color string }
	}
	slack := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer hush" {
			_, _ = w.Write([]byte(`{"ok": false, "error": "not_authed"}`))
			return
		}
		if err := json.NewDecoder(r.Body).Decode(&said); err != nil {
			t.Error(err)
		}
		_, _ = w.Write([]byte(`{"ok": true}`))
	}))
	t.Cleanup(slack.Close)
	m := moment{stage: succeeded, action: "start", targets: targets}
	if err := postTo(t.Context(), slack.URL, maestro.Auditor{Channel: "#ops", Token: "hush"}, m); err != nil {
		t.Fatal(err)
	}
	if said.Channel != "#ops" || len(said.Attachments) != 1 || said.Attachments[0].Text != "Start of web-1, web-2 succeeded." || said.Attachments[0].Color != "good" {
		t.Errorf("said: %+v", said)
	}
	if err := postTo(t.Context(), slack.URL, maestro.Auditor{Token: "guess"}, m); err == nil || !strings.Contains(err.Error(), "not_authed") {
		t.Errorf("a wrong token: %v", err)
	}
}
