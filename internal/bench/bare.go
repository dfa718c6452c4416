package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"batuta/internal/lab/host"
)

// tools is what the bare commands work with.
type tools struct {
	buildctl, buildkit string
	docker             string // the Engine's endpoint
	logins             string // a directory with the registry's login for docker and buildctl
}

// commanded does by commands what Batuta does with a push: from a repository
// on this machine to a container that answers. The old container is removed
// when the clock has stopped.
func (s *stand) commanded(ctx context.Context, mark string) (t turn, err error) {
	if _, err := s.copy.change(ctx, mark); err != nil {
		return t, err
	}
	if err := s.copy.git(ctx, "push", "--quiet", "bare", "main"); err != nil {
		return t, err
	}
	dir := filepath.Join(s.dir, mark)
	defer os.RemoveAll(dir)
	image := s.address + "/" + string(s.app) + "-bare/web:" + mark[strings.LastIndex(mark, "-")+1:]
	var container string
	commands := []struct {
		name string
		line []string
	}{
		{"git clone", []string{"git", "clone", "--quiet", "--depth=1", "--branch=main", "file://" + s.copy.bare, dir}},
		{"buildctl build", []string{
			s.tools.buildctl, "--addr", s.tools.buildkit, "build", "--progress=plain", "--frontend=dockerfile.v0",
			"--local=context=" + dir, "--local=dockerfile=" + dir, "--output=type=image,push=true,name=" + image,
		}},
		{"docker pull", []string{"docker", "pull", "--quiet", image}},
		{"docker run", []string{"docker", "run", "--detach", "--publish=8080", "--label=" + s.label(), image}},
	}
	t.parts = map[string]time.Duration{}
	began := time.Now()
	for _, c := range commands {
		start := time.Now()
		if container, err = s.command(ctx, c.line); err != nil {
			return t, err
		}
		t.parts[c.name] = time.Since(start)
	}
	start := time.Now()
	first, err := s.poll(ctx, container, mark)
	t.parts["poll"], t.answers = first.Sub(start), first.Sub(began)
	if err == nil {
		_, err = s.command(ctx, []string{"docker", "rm", "--force", container})
	}
	return t, err
}

// label marks the containers of the bare side.
func (s *stand) label() string { return "batuta.bench=" + string(s.app) }

// command runs one of the commands, and gives what it printed.
func (s *stand) command(ctx context.Context, line []string) (string, error) {
	line = append([]string{"env", "DOCKER_HOST=" + s.tools.docker, "DOCKER_CONFIG=" + s.tools.logins}, line...)
	out, err := host.Output(ctx, line[0], line[1:]...)
	return strings.TrimSpace(out), err
}
