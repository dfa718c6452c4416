package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"batuta/internal/lab/host"
)

// bench is what all measurements share: the two programs, and a place for what
// they write.
type bench struct {
	options
	dir    string // everything on disk
	source string // the checkout
	batuta string // the server's program, as it is released
	bare   string // the program of testdata/bare
	token  string // opens the servers to the bench, and signs deliveries
	undo   []func(context.Context) error
}

// newBench makes the place.
func newBench(o options) (*bench, error) {
	dir, err := os.MkdirTemp("", "batuta-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{options: o, dir: dir, token: rand.Text()}
	b.later(func(context.Context) error { return os.RemoveAll(b.dir) })
	return b, nil
}

// prepare compiles the programs.
func (b *bench) prepare(ctx context.Context) error {
	source, err := host.Output(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "batuta")
	if err != nil {
		return fmt.Errorf("find the checkout from the current directory: %w", err)
	}
	b.source = strings.TrimSpace(source)
	if b.batuta, err = b.compile(ctx, "cmd/batuta"); err != nil {
		return err
	}
	b.bare, err = b.compile(ctx, "internal/bench/testdata/bare")
	return err
}

// compile makes a program the way `make build` does.
func (b *bench) compile(ctx context.Context, folder string) (string, error) {
	program := filepath.Join(b.dir, filepath.Base(folder))
	return program, host.Run(ctx, "env", "CGO_ENABLED=0",
		"go", "build", "-C", b.source, "-buildvcs=false", "-trimpath", "-ldflags", "-s -w", "-o", program, "./"+folder)
}

// later has something undone at the end, the last first.
func (b *bench) later(undo func(context.Context) error) { b.undo = append(b.undo, undo) }

func (b *bench) close(ctx context.Context) error {
	var all []error
	for _, undo := range slices.Backward(b.undo) {
		all = append(all, undo(ctx))
	}
	b.undo = nil
	if err := errors.Join(all...); err != nil {
		return fmt.Errorf("clean up: %w", err)
	}
	return nil
}

// machine says what the figures were measured on, for those who compare them.
func machine() string {
	cpu := "cpu"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				cpu = strings.TrimSpace(value)
			}
		}
	}
	load, _ := os.ReadFile("/proc/loadavg") // no load is told if it is not known
	busy, _, _ := strings.Cut(string(load), " ")
	return fmt.Sprintf("%d cores (%s), %s, %s/%s, load %s at the start", runtime.NumCPU(), cpu, runtime.Version(), runtime.GOOS, runtime.GOARCH, busy)
}
