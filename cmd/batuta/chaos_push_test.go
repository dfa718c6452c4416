package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"batuta"
	"batuta/internal/lab"
)

// keepPushing has everybody push and order, each after its last answer, until
// the returned function is called. Who got no answer, or not the one that it
// is accepted, says the same again.
func (c *chaos) keepPushing(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var pushing sync.WaitGroup
	for _, sender := range []struct {
		send  func(context.Context)
		every time.Duration
	}{{c.remote.send, 800 * time.Millisecond}, {c.forge.send, 600 * time.Millisecond}, {c.orderer.send, 2 * time.Second}} {
		random := rand.New(rand.NewPCG(c.random.Uint64(), 0))
		pushing.Go(func() {
			for ctx.Err() == nil {
				sender.send(t.Context())
				select {
				case <-time.After(time.Duration(random.Int64N(int64(2 * sender.every)))):
				case <-ctx.Done():
				}
			}
		})
	}
	return func() { cancel(); pushing.Wait() }
}

// remotePusher pushes to the server's own Git remote.
type remotePusher struct {
	app      batuta.AppName
	copy     *workingCopy
	n        int
	unsure   bool // whether the last push came through
	accepted []batuta.Revision
}

func (p *remotePusher) send(ctx context.Context) {
	if !p.unsure {
		p.n++
		p.copy.page(p.n)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	p.unsure = exec.CommandContext(ctx, "git", "-C", p.copy.dir, "push", "--quiet", "origin", "main").Run() != nil
	if !p.unsure {
		p.accepted = append(p.accepted, batuta.Revision(lab.Git(p.copy.t, p.copy.dir, "rev-parse", "HEAD")))
	}
}

// forgePusher pushes to a repository elsewhere, and delivers the word of it.
type forgePusher struct {
	*site
	app      batuta.AppName
	copy     *workingCopy
	n        int
	unsure   bool
	statuses map[int]int // how often a delivery was answered so; 0: not at all
	accepted map[string]batuta.RunID
}

func (p *forgePusher) send(context.Context) {
	if !p.unsure {
		p.n++
		p.copy.page(p.n)
		p.copy.push()
	}
	t := p.copy.t
	delivery := fmt.Sprintf("chaos-%d", p.n)
	status := 0
	var said hooked
	answer, err := http.DefaultClient.Do(p.gitea(t, p.app, delivery, "refs/heads/main", lab.Git(t, p.copy.dir, "rev-parse", "HEAD")))
	if err == nil {
		defer answer.Body.Close()
		if err = json.NewDecoder(answer.Body).Decode(&said); err == nil {
			status = answer.StatusCode
		}
	}
	if p.statuses == nil {
		p.statuses, p.accepted = map[int]int{}, map[string]batuta.RunID{}
	}
	p.statuses[status]++
	if p.unsure = status != http.StatusAccepted; !p.unsure {
		p.accepted[delivery] = said.Run
	}
}

// orderer promotes what QA runs of one app or the other.
type orderer struct {
	*site
	n        int
	accepted []batuta.RunID
	refused  map[string]int // how often for which reason
}

func (o *orderer) send(ctx context.Context) {
	app := []batuta.AppName{"chaos-remote", "chaos-forge"}[o.n%2]
	o.n++
	run, err := o.client.Deploy(ctx, app, "production", promotion())
	if err != nil {
		o.refused[err.Error()]++
		return
	}
	o.accepted = append(o.accepted, run.ID)
}

// oneEach is a working copy of the static example, with one instance in each
// environment.
func (s *site) oneEach(t *testing.T, app batuta.AppName) *workingCopy {
	t.Helper()
	w := s.newWorkingCopy(t, "static", app)
	w.edit("environments/production.yml", "count: 2", "count: 1")
	for _, env := range []string{"qa", "production"} { // a daemon that is killed may leave dead what it has just started
		w.edit("environments/"+env+".yml", "services:", "drift: repair\nservices:")
	}
	return w
}

// page commits a page of its own.
func (w *workingCopy) page(n int) {
	w.write("public/n.txt", fmt.Sprintln(n))
	lab.Git(w.t, w.dir, "add", "--all")
	lab.Git(w.t, w.dir, "commit", "--quiet", "--message", fmt.Sprintf("Page %d", n))
}

// withDockerfile makes of the static example one that a container is run to
// build, and has it pushed to a repository elsewhere.
func (w *workingCopy) withDockerfile(at bareForge) {
	w.write("Dockerfile", `FROM busybox
COPY public /www
RUN sleep 0.2 && touch /www/built
STOPSIGNAL SIGKILL
CMD ["httpd", "-f", "-p", "8080", "-h", "/www"]
`)
	w.edit("batuta.yml", "static: public", "context: .")
	lab.Git(w.t, w.dir, "remote", "set-url", "origin", at.dir)
}

// bareForge is a repository that is read over HTTP.
type bareForge struct{ dir, url string }

// newBareForge serves an empty repository until t ends.
func newBareForge(t *testing.T) bareForge {
	t.Helper()
	path, err := exec.CommandContext(t.Context(), "git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	dir := filepath.Join(root, "chaos.git")
	lab.Git(t, root, "init", "--quiet", "--bare", dir)
	serve := httptest.NewServer(&cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(path)), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1"},
	})
	t.Cleanup(serve.Close)
	return bareForge{dir, serve.URL + "/chaos.git"}
}
