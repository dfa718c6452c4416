package trial_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"batuta"
	"batuta/deployer/docker"
	"batuta/deployer/trial"
	"batuta/internal/lab"
)

// stage is a runner on a real Engine, and what it needs.
type stage struct {
	*trial.Runner
	engine *docker.Ship
	owner  string
	image  batuta.Image
}

func newStage(t *testing.T) *stage {
	t.Helper()
	at, bases := lab.Ships(t, 1)[0], lab.Bases(t, lab.Busybox)
	ship, err := docker.Dial(at.Name, at.Endpoint, docker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ship.Close() })
	s := &stage{engine: ship, owner: rand.Text(), image: busybox(t, bases)}
	s.Runner = trial.New(ship, s.owner, 4)
	t.Cleanup(func() { s.empty(t) })
	return s
}

// busybox is the lab's image, by its digest.
func busybox(t *testing.T, bases lab.Registry) batuta.Image {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodHead, "http://"+bases.Bridge+"/v2/library/busybox/manifests/latest", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return batuta.Image{Repository: bases.Bridge + "/library/busybox", Digest: batuta.Digest(response.Header.Get("Docker-Content-Digest"))}
}

// empty sees that the tests left nothing.
func (s *stage) empty(t *testing.T) {
	t.Helper()
	containers, networks, err := s.engine.Trials(context.WithoutCancel(t.Context()), "batuta.server", s.owner)
	if err != nil || len(containers) > 0 || len(networks) > 0 {
		t.Errorf("left behind: %v, %v, %v", containers, networks, err)
	}
}

// request is a test of a line for busybox's shell.
func (s *stage) request(t *testing.T, line string, change ...func(*trial.Test)) trial.Request {
	test := trial.Test{Name: "unit", Image: "web", Run: trial.Command{Words: []string{"/bin/busybox", "sh", "-c", line}}, Timeout: time.Minute}
	for _, c := range change {
		c(&test)
	}
	return trial.Request{App: "shop", Run: 7, Test: test, Images: map[string]batuta.Image{"web": s.image}, Artifacts: filepath.Join(t.TempDir(), "kept")}
}

// service is one that runs a line of busybox's shell.
func service(line string, ready *trial.Ready) func(*trial.Test) {
	return func(t *trial.Test) {
		t.Services = map[string]trial.Service{"db": {Image: "web", Command: trial.Command{Words: []string{"/bin/busybox", "sh", "-c", line}}, Ready: ready}}
	}
}

func TestATestPassesOrFails(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	var log bytes.Buffer
	report, err := s.Test(t.Context(), s.request(t, `echo "out $WORD" >&2; pwd >&2`, func(t *trial.Test) {
		t.Env, t.Dir = map[string]string{"WORD": "spoken"}, "/tmp"
	}), &log)
	if err != nil || !report.Passed || report.Attempts != 1 || log.String() != "out spoken\n/tmp\n" {
		t.Errorf("%+v, %v, %q", report, err, log.String())
	}
	log.Reset()
	report, err = s.Test(t.Context(), s.request(t, "echo no; exit 3", func(t *trial.Test) { t.Retries = 1 }), &log)
	if err != nil || report.Passed || report.ExitCode != 3 || report.Attempts != 2 || strings.Count(log.String(), "no\n") != 2 {
		t.Errorf("%+v, %v, %q", report, err, log.String())
	}
}

func TestServicesAreWaitedFor(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	const slow = "mkdir -p /www; echo here > /www/health; /bin/busybox sleep 3; exec /bin/busybox httpd -f -p 8080 -h /www"
	for name, ready := range map[string]trial.Ready{
		"tcp":  {TCP: 8080},
		"http": {HTTP: ":8080/health"},
		"run":  {Run: trial.Command{Words: []string{"/bin/busybox", "wget", "-qO-", "http://127.0.0.1:8080/health"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			ready.Timeout = 30 * time.Second
			var log bytes.Buffer
			report, err := s.Test(t.Context(), s.request(t, "/bin/busybox wget -qO- http://db:8080/health", service(slow, &ready)), &log)
			if err != nil || !report.Passed || log.String() != "here\n" {
				t.Errorf("%+v, %v, %q", report, err, log.String())
			}
		})
	}
	began := time.Now()
	_, err := s.Test(t.Context(), s.request(t, "true", service("echo no disk; exit 5", &trial.Ready{TCP: 8080, Timeout: time.Minute})), t.Output())
	if !errors.Is(err, batuta.Unhealthy) || !strings.Contains(err.Error(), "service db") || !strings.Contains(err.Error(), "exit code 5") || !strings.Contains(err.Error(), "no disk") {
		t.Errorf("a service that crashes: %v", err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("a crash was seen after %s", took)
	}
	_, err = s.Test(t.Context(), s.request(t, "true", service("echo idle; sleep 60", &trial.Ready{TCP: 8080, Timeout: time.Second})), t.Output())
	if !errors.Is(err, batuta.Unhealthy) || !strings.Contains(err.Error(), "not ready after 1s") || !strings.Contains(err.Error(), "idle") {
		t.Errorf("a service that never is ready: %v", err)
	}
	var log bytes.Buffer
	report, err := s.Test(t.Context(), s.request(t, "exit 1", service("echo table is gone; sleep 60", &trial.Ready{Run: trial.Command{Words: []string{"/bin/busybox", "true"}}, Timeout: time.Minute})), &log)
	if err != nil || report.Passed || !strings.Contains(log.String(), "service db:\n  table is gone") {
		t.Errorf("the service's last lines: %v, %q", err, log.String())
	}
}

func TestATestTakesNoLongerThanItMay(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	_, err := s.Test(t.Context(), s.request(t, "sleep 60", func(t *trial.Test) { t.Timeout = time.Second }), t.Output())
	if !errors.Is(err, batuta.Unhealthy) || !strings.Contains(err.Error(), "not over after 1s") {
		t.Errorf("a slow test: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	log := &waiting{word: "started", seen: make(chan struct{})}
	done := make(chan error, 1)
	go func() {
		_, err := s.Test(ctx, s.request(t, "echo started; trap '' TERM; sleep 60"), log)
		done <- err
	}()
	<-log.seen
	began := time.Now()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled test: %v", err)
	}
	t.Logf("cancelled in %s", time.Since(began))
	if took := time.Since(began); took > 5*time.Second { // a second on a machine that has nothing else to do
		t.Errorf("a test was cancelled in %s", took)
	}
}

// waiting tells when a word was written.
type waiting struct {
	word string
	seen chan struct{}
	once sync.Once
	text string
}

func (w *waiting) Write(p []byte) (int, error) {
	if w.text += string(p); strings.Contains(w.text, w.word) {
		w.once.Do(func() { close(w.seen) })
	}
	return len(p), nil
}

func TestWhatATestLeavesIsKept(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	q := s.request(t, `mkdir -p out/deep; echo one > out/a; echo two > out/deep/b; ln -s /etc/passwd out/link
echo '<testsuite name="cart"><testcase name="adds up"/><testcase name="vouchers"><failure message="100 is not 90"/></testcase></testsuite>' > report.xml; exit 1`,
		func(t *trial.Test) {
			t.Dir, t.Artifacts, t.JUnit = "/tmp", []string{"out", "/tmp/out/a", "nowhere"}, []string{"report.xml"}
		})
	var log bytes.Buffer
	report, err := s.Test(t.Context(), q, &log)
	if err != nil || report.Cases != 2 || len(report.Failed) != 1 || report.Failed[0] != (trial.Case{Suite: "cart", Name: "vouchers", Message: "100 is not 90"}) {
		t.Fatalf("%+v, %v\n%s", report, err, log.String())
	}
	for name, want := range map[string]string{"out/a": "one\n", "out/deep/b": "two\n", "tmp/out/a": "one\n"} {
		if got, err := os.ReadFile(filepath.Join(q.Artifacts, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(q.Artifacts, "out/link")); err == nil {
		t.Error("a link was kept")
	}
	if len(report.Kept) != 3 || !strings.Contains(log.String(), "artifact nowhere") {
		t.Errorf("kept %v\n%s", report.Kept, log.String())
	}
}

// TestOneBadReportHidesNoOther has a directory with reports of which some
// cannot be read.
func TestOneBadReportHidesNoOther(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	q := s.request(t, `mkdir -p out/deep; cd out
echo '<testsuite><testcase' > a.xml
echo '<testsuite name="cart"><testcase name="vouchers"><failure message="100 is not 90"/></testcase></testsuite>' > deep/TEST.XML
printf '<?xml version="1.0" encoding="ISO-8859-1"?><testsuite name="caf\351"><error message="\033[31mno beans"/></testsuite>' > z.xml
echo '<html/>' > page.xml; exit 1`,
		func(t *trial.Test) { t.Dir, t.JUnit = "/tmp", []string{"nowhere.xml", "out"} })
	var log bytes.Buffer
	report, err := s.Test(t.Context(), q, &log)
	slices.SortFunc(report.Failed, func(a, b trial.Case) int { return strings.Compare(a.Suite, b.Suite) })
	if err != nil || report.Cases != 2 || !slices.Equal(report.Failed, []trial.Case{
		{Suite: "café", Name: "(the suite as a whole)", Message: "no beans"},
		{Suite: "cart", Name: "vouchers", Message: "100 is not 90"},
	}) {
		t.Errorf("%+v, %v", report, err)
	}
	for _, want := range []string{"junit out/a.xml: XML syntax error", "junit out/page.xml: it is no report", "junit nowhere.xml: "} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %q:\n%s", want, log.String())
		}
	}
}

func TestASweepTakesWhatAnEarlierProcessLeft(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	labels := map[string]string{"batuta.server": s.owner, "batuta.life": "earlier"}
	network, err := s.engine.MakeTrialNetwork(t.Context(), labels)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.engine.Pull(t.Context(), s.image); err != nil {
		t.Fatal(err)
	}
	id, err := s.engine.CreateTrial(t.Context(), trial.Container{Network: network, Alias: "test", Image: s.image, Program: []string{"/bin/busybox", "sleep", "60"}, Labels: labels})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.engine.Start(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if err := s.Sweep(t.Context()); err != nil {
		t.Error(err)
	}
	s.empty(t)
}
