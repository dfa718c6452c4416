package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"batuta"
	"batuta/examples"
)

// demoRepository is a working copy of the example application.
type demoRepository struct {
	dir      string
	revision batuta.Revision
}

// newDemoRepository commits the example, as the app, into a fresh repository
// whose remote is the demo's server.
func newDemoRepository(ctx context.Context, dir string, app batuta.AppName, remote string) (*demoRepository, error) {
	r := &demoRepository{dir: filepath.Join(dir, string(app))}
	files, err := fs.Sub(examples.Files, "static")
	if err != nil {
		return nil, err
	}
	if err := os.CopyFS(r.dir, files); err != nil {
		return nil, fmt.Errorf("copy the example: %w", err)
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"},
		{"config", "user.name", demoUser}, {"config", "user.email", demoUser + "@example.com"}, {"config", "commit.gpgsign", "false"},
		{"remote", "add", "origin", remote},
		{"config", "branch.main.remote", "origin"}, {"config", "branch.main.merge", "refs/heads/main"},
	} {
		if _, err := r.git(ctx, args...); err != nil {
			return nil, err
		}
	}
	return r, r.change(ctx, "batuta.yml", "app: hello", "app: "+string(app), "Say hello")
}

// change replaces a text in a file and commits it.
func (r *demoRepository) change(ctx context.Context, file, from, to, message string) error {
	path := filepath.Join(r.dir, file)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), from, to, 1)), 0o644); err != nil { //nolint:gosec // a page, for everybody
		return err
	}
	return r.commit(ctx, message)
}

func (r *demoRepository) commit(ctx context.Context, message string) error {
	if _, err := r.git(ctx, "add", "--all"); err != nil {
		return err
	}
	if _, err := r.git(ctx, "commit", "--quiet", "--message", message); err != nil {
		return err
	}
	head, err := r.git(ctx, "rev-parse", "HEAD")
	r.revision = batuta.Revision(head)
	return err
}

func (r *demoRepository) push(ctx context.Context) error {
	_, err := r.git(ctx, "push", "--quiet", "origin", "main")
	return err
}

func (r *demoRepository) git(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", &batuta.Error{Kind: batuta.Internal, Message: fmt.Sprintf("git %s: %s", args[0], strings.TrimSpace(errs.String())), Err: err}
	}
	return strings.TrimSpace(string(out)), nil
}
