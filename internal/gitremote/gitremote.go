// Package gitremote is the embedded Git remote: /git/{app}.git over smart
// HTTP, for people with no forge. Git's own http-backend speaks the protocol;
// this package decides who may, keeps the bare repositories, and turns what
// changed in them into pushes. The journey goes on in package pipeline, whose
// first step reads the same bare repository through package gitsource.
package gitremote

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"batuta"
)

// Access decides who may use the remote.
type Access interface {
	// Authorize names the person whose token it is, if that person may fetch
	// from the repository of app, or push to it. For an app that does not
	// exist ok is false, whatever the token.
	Authorize(ctx context.Context, app batuta.AppName, token string, push bool) (person string, ok bool)
}

// RefState is what was last recorded about one ref.
type RefState struct {
	Revision batuta.Revision // empty once the ref was deleted
	Serial   int             // counts the changes of this ref, from 1
}

// Inbox keeps what was pushed.
type Inbox interface {
	// Refs is what was recorded for app, by ref; deleted refs included.
	Refs(ctx context.Context, app batuta.AppName) (map[string]RefState, error)
	// DeliverRef records that p.Ref of p.App now is at p.Revision, as change
	// number serial, and the push itself, in one transaction that is on disk
	// when it returns. An empty revision is a deleted ref: no run comes of
	// it. The same serial again is the same push and answers with its run.
	// Run 0 means that the push sets nothing going.
	DeliverRef(ctx context.Context, p batuta.Push, serial int) (batuta.RunID, error)
}

// Config is what a Remote needs.
type Config struct {
	Dir      string                    // where the bare repositories are; made if missing
	Access   Access                    // who may
	Inbox    Inbox                     // where pushes go
	RunURL   func(batuta.RunID) string // where a person can watch a run; nil if nowhere
	MaxBytes int64                     // the largest push; 0 is 1 GiB
	Log      *slog.Logger              // nil is slog.Default
}

// Remote serves the bare repositories of all apps.
type Remote struct {
	config  Config
	git     string // the git command
	backend string // git http-backend
	env     []string

	mu    sync.Mutex
	repos map[batuta.AppName]*repository
}

var _ http.Handler = (*Remote)(nil)

// New finds git and prepares cfg.Dir. It fails with Unavailable if git or its
// http-backend is not installed.
func New(ctx context.Context, cfg Config) (*Remote, error) {
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 1 << 30
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("git remote: %w", err)
	}
	cfg.Dir = dir
	r := &Remote{config: cfg, repos: map[batuta.AppName]*repository{}}
	if r.git, r.backend, err = findGit(ctx); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("git remote: %w", err)
	}
	if err := writeSettings(dir, cfg.MaxBytes); err != nil {
		return nil, fmt.Errorf("git remote: write settings: %w", err)
	}
	r.env = []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + dir, // its .gitconfig is ours
		"GIT_CONFIG_NOSYSTEM=1",
		"LC_ALL=C",
	}
	return r, nil
}

// Path is where the bare repository of app is, once something was pushed.
func (r *Remote) Path(app batuta.AppName) string {
	return filepath.Join(r.config.Dir, string(app)+".git")
}

// Reconcile delivers every change of a ref that git made and the inbox does
// not know of: what a server that was killed between the two left. It first
// waits for the pushes to app that are under way, also those that a killed
// server began and git has not finished.
func (r *Remote) Reconcile(ctx context.Context, app batuta.AppName) error {
	repo := r.repository(app)
	if !repo.exists() {
		return nil
	}
	if err := repo.settle(ctx); err != nil {
		return fmt.Errorf("reconcile %s: %w", app, err)
	}
	if _, err := repo.reconcile(ctx); err != nil {
		return fmt.Errorf("reconcile %s: %w", app, err)
	}
	return nil
}

// repository is the one value that stands for app's repository, on disk or
// not yet.
func (r *Remote) repository(app batuta.AppName) *repository {
	r.mu.Lock()
	defer r.mu.Unlock()
	repo, ok := r.repos[app]
	if !ok {
		repo = &repository{remote: r, app: app, dir: r.Path(app), turn: make(chan struct{}, 1), runs: map[string]delivered{}}
		r.repos[app] = repo
	}
	return repo
}

// findGit gives the paths of git and of its http-backend.
func findGit(ctx context.Context) (git, backend string, err error) {
	const hint = "install git (apt-get install git)"
	git, err = exec.LookPath("git")
	if err != nil {
		return "", "", &batuta.Error{Kind: batuta.Unavailable, Message: "git remote: find git", Hint: hint, Err: err}
	}
	out, err := exec.CommandContext(ctx, git, "--exec-path").Output()
	if err != nil {
		return "", "", &batuta.Error{Kind: batuta.Unavailable, Message: "git remote: ask git for its exec path", Hint: hint, Err: err}
	}
	backend = filepath.Join(strings.TrimSpace(string(out)), "git-http-backend")
	if _, err := os.Stat(backend); err != nil {
		return "", "", &batuta.Error{Kind: batuta.Unavailable, Message: "git remote: find git http-backend", Hint: hint, Err: err}
	}
	return git, backend, nil
}
