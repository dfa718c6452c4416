package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"batuta/deployer"
	"batuta/internal/lab"
)

// drupal puts a stand-in for IIIEPE's image where Docker Hub is for the ships:
// a web server on port 80 that tells what it was given.
func drupal(t *testing.T) {
	t.Helper()
	hub := lab.Bases(t, lab.Busybox).Loopback
	base, err := crane.Pull(hub+"/library/busybox", crane.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	file, err := base.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config := file.Config
	config.Cmd = []string{"/bin/busybox", "sh", "-c", `mkdir -p /www; env >/www/index.html; exec httpd -f -p 80 -h /www`}
	image, err := mutate.Config(base, config)
	if err != nil {
		t.Fatal(err)
	}
	if err := crane.Push(image, hub+"/luis/drupaltest", crane.Insecure); err != nil {
		t.Fatal(err)
	}
}

// ownDocumentOf writes a document and takes down what it starts when the test ends.
func ownDocumentOf(t *testing.T, env map[string]string, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "maestro.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { takeDown(t, env, file) })
	return file
}

// stageOf is a document that verbs are played on.
type stageOf struct {
	t    *testing.T
	env  map[string]string
	file string
}

// verb runs a verb, and wants an exit code.
func (s stageOf) verb(want int, args ...string) (stdout, stderr string) {
	s.t.Helper()
	code, stdout, stderr := call(s.t, s.env, append([]string{"-f", s.file}, args...)...)
	if code != want {
		s.t.Fatalf("%v: exit code %d, want %d\n%s%s", args, code, want, stdout, stderr)
	}
	return stdout, stderr
}

func contains(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
}

// TestIIIEPE deploys the file that IIIEPE published, on two ships of the lab
// in the place of its two machines.
func TestIIIEPE(t *testing.T) {
	t.Parallel()
	drupal(t)
	ships := lab.OwnShips(t, 2)
	text, err := os.ReadFile("../../deployer/maestro/testdata/iiiepe.yaml")
	if err != nil {
		t.Fatal(err)
	}
	moved := strings.NewReplacer("10.132.187.57", ships[0].Address, "10.132.219.180", ships[1].Address).Replace(string(text))
	env := map[string]string{"HOME": t.TempDir()}
	s := stageOf{t, env, ownDocumentOf(t, env, moved)}

	out, _ := s.verb(0, "start")
	contains(t, out, "INSTANCE", "i1", "i2", "started")
	if lines := strings.Count(out, "\n"); lines != 3 {
		t.Errorf("not a header and a line for each instance:\n%s", out)
	}
	for n, ship := range ships {
		page := readURL(t, "http://"+ship.Address)
		contains(t, page, fmt.Sprintf("CONTAINER_NAME=i%d\n", n+1), "MAESTRO_ENVIRONMENT_NAME=drupaltest\n",
			"WEB_I1_HOST="+ships[0].Address+"\n", "WEB_I2_WEB_PORT=80\n", "CONTAINER_HOST_ADDRESS="+ship.Address+"\n")
	}
	out, _ = s.verb(0, "start")
	contains(t, out, "up for")
	out, _ = s.verb(0, "restart", "-a", "-r")
	contains(t, out, "started")
	s.verb(0, "restart", "-a", "--only-if-changed")
	s.verb(1, "restart")
	s.verb(0, "stop", "-s", "web", "-S", string("node1"))
	out, _ = s.verb(0, "status", "-o", "json")
	var sights []deployer.Sight
	if err := json.Unmarshal([]byte(out), &sights); err != nil || len(sights) != 2 || sights[0].Standing != deployer.Down || sights[1].Standing != deployer.Up {
		t.Errorf("status: %v\n%s", err, out)
	}
	if err := ships[1].KillDaemon(t.Context()); err != nil {
		t.Fatal(err)
	}
	out, errs := s.verb(1, "start")
	contains(t, out, "started")
	contains(t, errs, "start i2 on node2: ship node2 does not answer")
	out, _ = s.verb(0, "status")
	contains(t, out, "host down")
	if err := ships[1].Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.verb(0, "kill", "-a")
	out, _ = s.verb(0, "clean")
	contains(t, out, "removed")
}

// TestVerbs plays a document whose services require each other, with its
// checks, hooks around a container's life, and an auditor.
func TestVerbs(t *testing.T) {
	t.Parallel()
	drupal(t)
	ship := lab.Ships(t, 1)[0]
	told := make(chan string, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var said struct{ Text string }
		if err := json.NewDecoder(r.Body).Decode(&said); err != nil {
			t.Error(err)
		}
		told <- said.Text
	}))
	t.Cleanup(hook.Close)
	dir := t.TempDir()
	env := map[string]string{"HOME": t.TempDir()}
	s := stageOf{t, env, ownDocumentOf(t, env, fmt.Sprintf(`
name: verbs-%d
ships: {here: {ip: %s, socket_path: %s}}
audit:
  - {type: http, endpoint: %q, payload: {text: "{action} {what}"}}
  - {type: log, file: %s/audit.log, level: debug}
  - {type: exec, script: /bin/sh, args: "-c cat>%s/{action}.json"}
services:
  db:
    image: luis/drupaltest
    lifecycle:
      running: [{type: tcp, port: sql}]
      pre-start: [{type: exec, command: "touch %s/before-db"}]
      stopped: [{type: exec, command: "touch %s/after-db"}]
    instances: {verbs-db: {ship: here, ports: {sql: "80:18080"}}}
  web:
    image: luis/drupaltest
    requires: [db]
    lifecycle: {running: [{type: http, port: http, match_regex: DB_VERBS_DB_SQL_PORT=18080}]}
    instances:
      verbs-web-1: {ship: here, ports: {http: "80:18081"}}
      verbs-web-2: {ship: here, ports: {http: "80:18082"}}
`, os.Getpid(), ship.Address, strings.TrimPrefix(ship.Endpoint, "unix://"), hook.URL, dir, dir, dir, dir))}

	out, _ := s.verb(0, "deptree")
	contains(t, out, "web\n`-- db\n")
	out, _ = s.verb(0, "complete", "batuta", "start", "verbs-w")
	if out != "verbs-web-1 verbs-web-2\n" {
		t.Errorf("complete: %q", out)
	}
	_, errs := s.verb(1, "start", "weeb")
	contains(t, errs, "weeb is neither a service nor an instance", `did you mean "web"?`)
	_, errs = s.verb(1, "start", "-C", "nothing*")
	contains(t, errs, `"nothing*" matches no instance`)
	s.verb(0, "pull")
	s.verb(0, "start")
	for _, name := range []string{"before-db", "start.json"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	for _, want := range []string{"pull verbs-db, verbs-web-1, verbs-web-2", "start verbs-db, verbs-web-1, verbs-web-2"} {
		select {
		case got := <-told:
			if got != want {
				t.Errorf("the hook was told %q, want %q", got, want)
			}
		case <-time.After(time.Minute):
			t.Fatalf("the hook was told nothing, want %q", want)
		}
	}
	out, _ = s.verb(0, "status", "-F", "-H")
	contains(t, out, "("+ship.Address+")", "port sql: 80/tcp on 18080: up", "image: luis/drupaltest")
	out, _ = s.verb(0, "dump", "-o", "json")
	var d struct {
		Environment string
		StartOrder  []string `json:"start_order"`
		StopOrder   []string `json:"stop_order"`
		Instances   map[string]struct{ Create struct{ Image string } }
	}
	if err := json.Unmarshal([]byte(out), &d); err != nil || strings.Join(d.StartOrder, " ") != "verbs-db verbs-web-1 verbs-web-2" ||
		d.Instances["verbs-db"].Create.Image == "" || d.StopOrder[2] != "verbs-db" {
		t.Errorf("dump: %v\n%s", err, out)
	}
	if out, _ = s.verb(0, "dump", "db"); !strings.Contains(out, "verbs-db:") || strings.Contains(out, "verbs-web-1:") {
		t.Errorf("dump db:\n%s", out)
	}
	_, errs = s.verb(1, "dump", "dbb")
	contains(t, errs, "dbb")
	_, errs = s.verb(1, "logs", "web")
	contains(t, errs, "web has 2 instances")
	s.verb(0, "logs", "-n", "5", "verbs-web-1")
	s.verb(0, "restart", "-s", "db", "web")
	s.verb(0, "stop", "-a")
	if _, err := os.Stat(filepath.Join(dir, "after-db")); err != nil {
		t.Error(err)
	}
	s.verb(0, "clean")
	log, err := os.ReadFile(filepath.Join(dir, "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(log), " INFO: Start of verbs-db, verbs-web-1, verbs-web-2 succeeded.", " DEBUG: Stop of verbs-db succeeded.")
}
