package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"batuta"
	"batuta/examples"
	"batuta/internal/api/client"
	"batuta/internal/lab"
	"batuta/internal/lab/host"
)

// newStand starts a server on the lab, whose only ship is the machine's own
// Docker Engine.
func newStand(ctx context.Context, b *bench) (s *stand, err error) {
	s = &stand{bench: b, app: batuta.AppName("bench-" + strings.ToLower(rand.Text()[:8]))}
	if err := s.openLab(ctx); err != nil {
		return nil, err
	}
	s.engine = newEngine(s.tools.docker)
	s.later(s.sweep)
	s.server, err = b.serve(ctx, fmt.Sprintf("builder: %q\nships:\n  here: {endpoint: %q}\napps:\n  %s: {}\n", s.tools.buildkit, s.tools.docker, s.app))
	if err != nil {
		return nil, err
	}
	s.address = s.server.address
	if s.client, err = client.New(s.server.url(), b.token); err != nil {
		return nil, err
	}
	if s.tools.logins, err = b.login(s.address); err != nil {
		return nil, err
	}
	starts, stop, err := s.engine.watch(ctx, "batuta.app="+string(s.app))
	if err != nil {
		return nil, err
	}
	s.starts = starts
	s.later(func(context.Context) error { stop(); return nil })
	remote := fmt.Sprintf("http://bench:%s@%s/git/%s.git", b.token, s.address, s.app)
	s.copy, err = newWorkingCopy(ctx, b.dir, s.app, remote)
	return s, err
}

// openLab takes hold of the parts that both sides use.
func (s *stand) openLab(ctx context.Context) error {
	l, err := lab.Open(ctx)
	if err != nil {
		return err
	}
	s.later(func(context.Context) error { return l.Close() })
	if _, err := l.Bases(ctx, lab.Node); err != nil {
		return err
	}
	if s.tools.buildkit, err = l.BuildKit(ctx); err != nil {
		return err
	}
	if s.tools.docker, err = l.Docker(ctx); err != nil {
		return err
	}
	s.tools.buildctl, err = lab.Tool(ctx, "buildctl")
	return err
}

// login writes a configuration of docker and buildctl that opens a registry.
func (b *bench) login(registry string) (dir string, err error) {
	if dir, err = os.MkdirTemp(b.dir, "docker-"); err != nil {
		return "", err
	}
	auth := base64.StdEncoding.EncodeToString([]byte("bench:" + b.token))
	text := fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, registry, auth)
	return dir, os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o600)
}

// sweep takes everything that both sides put on the Engine off it. It comes
// after the server's end.
func (s *stand) sweep(ctx context.Context) error {
	app := "--filter=label=batuta.app=" + string(s.app)
	for _, kind := range []struct{ list, remove []string }{
		{[]string{"container", "ls", "--all", "--quiet", app}, []string{"container", "rm", "--force", "--volumes"}},
		{[]string{"container", "ls", "--all", "--quiet", "--filter=label=" + s.label()}, []string{"container", "rm", "--force", "--volumes"}},
		{[]string{"network", "ls", "--quiet", app}, []string{"network", "rm"}},
		{[]string{"image", "ls", "--quiet", "--filter=reference=" + s.address + "/*/*"}, []string{"image", "rm", "--force"}},
	} {
		found, err := s.command(ctx, append([]string{"docker"}, kind.list...))
		if err != nil {
			return err
		}
		if ids := strings.Fields(found); len(ids) > 0 {
			if _, err := s.command(ctx, append(append([]string{"docker"}, kind.remove...), ids...)); err != nil {
				return err
			}
		}
	}
	return nil
}

// workingCopy is a repository with examples/node in it, under another name,
// and two remotes: batuta is the server, bare a repository on this machine.
type workingCopy struct {
	dir  string
	bare string
	page string // server.js as it was
}

// The line of server.js that every round changes.
const line = `"ok\n"`

func answerOf(mark string) string { return "ok " + mark + "\n" }

func newWorkingCopy(ctx context.Context, dir string, app batuta.AppName, remote string) (*workingCopy, error) {
	w := &workingCopy{dir: filepath.Join(dir, "copy"), bare: filepath.Join(dir, "bare.git")}
	files, err := fs.Sub(examples.Files, "node")
	if err != nil {
		return nil, err
	}
	if err := os.CopyFS(w.dir, files); err != nil {
		return nil, err
	}
	page, err := fs.ReadFile(files, "server.js")
	if err != nil {
		return nil, err
	}
	if w.page = string(page); strings.Count(w.page, line) != 1 {
		return nil, fmt.Errorf("examples/node/server.js does not say %s once", line)
	}
	recipe, err := fs.ReadFile(files, "batuta.yml")
	if err != nil {
		return nil, err
	}
	named := untested(strings.Replace(string(recipe), "app: clock", "app: "+string(app), 1))
	if err := os.WriteFile(filepath.Join(w.dir, "batuta.yml"), []byte(named), 0o600); err != nil {
		return nil, err
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--bare", "--initial-branch=main", w.bare},
		{"init", "--quiet", "--initial-branch=main"},
		{"remote", "add", "batuta", remote}, {"remote", "add", "bare", w.bare},
	} {
		if err := w.git(ctx, args...); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// untested is the recipe without its tests, which the bare commands do not run
// either.
func untested(recipe string) string {
	images, rest, _ := strings.Cut(recipe, "test:\n")
	_, promote, _ := strings.Cut(rest, "\npromote:")
	return regexp.MustCompile(`  tests: .*\n`).ReplaceAllString(images, "") + "promote:" + promote
}

// change writes the mark into the page that tells readiness, and commits it.
func (w *workingCopy) change(ctx context.Context, mark string) (batuta.Revision, error) {
	page := strings.Replace(w.page, line, fmt.Sprintf("%q", answerOf(mark)), 1)
	if err := os.WriteFile(filepath.Join(w.dir, "server.js"), []byte(page), 0o600); err != nil {
		return "", err
	}
	if err := w.git(ctx, "add", "--all"); err != nil {
		return "", err
	}
	if err := w.git(ctx, "commit", "--quiet", "--message", "Mark "+mark); err != nil {
		return "", err
	}
	head, err := host.Output(ctx, "git", "-C", w.dir, "rev-parse", "HEAD")
	return batuta.Revision(strings.TrimSpace(head)), err
}

// git runs a command of git that reads no configuration of the machine.
func (w *workingCopy) git(ctx context.Context, args ...string) error {
	return host.Run(ctx, "env", append([]string{
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.edu", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.edu",
		"git", "-C", w.dir,
	}, args...)...)
}
