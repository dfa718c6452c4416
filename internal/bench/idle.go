package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// memory is what a process has in RAM, in bytes: all of it, and what of it is
// its own rather than pages of its program's file.
type memory struct{ resident, own int }

// The server is idle when its memory has stayed the same, give or take one
// part in a hundred, for quietTime.
const (
	quietTime  = 5 * time.Second
	idleWait   = time.Minute
	idleLooks  = 250 * time.Millisecond
	idleStarts = 3
)

// measureIdle starts a server with a team's apps, and the bare handler, and
// looks at what they need once they have nothing to do.
func measureIdle(ctx context.Context, b *bench) ([]row, error) {
	var ours, theirs []memory
	for range idleStarts {
		server, err := b.serve(ctx, b.apps("https://forge.example/app.git"))
		if err != nil {
			return nil, err
		}
		bare, err := b.serveBare(ctx)
		if err != nil {
			return nil, err
		}
		for _, side := range []struct {
			*service
			all *[]memory
		}{{server, &ours}, {bare, &theirs}} {
			m, err := idle(ctx, side.process.ID())
			if err == nil {
				err = side.stop(ctx)
			}
			if err != nil {
				return nil, err
			}
			*side.all = append(*side.all, m)
		}
	}
	size, err := fileSize(b.batuta)
	if err != nil {
		return nil, err
	}
	bareSize, err := fileSize(b.bare)
	resident, own := func(m memory) int { return m.resident }, func(m memory) int { return m.own }
	return []row{
		compared("memory, idle, 25 apps", each(ours, resident), each(theirs, resident), asSize),
		compared("  of it anonymous", each(ours, own), each(theirs, own), asSize),
		compared("size of the binary", []int{size}, []int{bareSize}, asSize),
	}, err
}

// idle waits until a process is idle, and gives its memory then.
func idle(ctx context.Context, pid int) (memory, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, idleWait, errors.New("its memory does not come to rest"))
	defer cancel()
	tick := time.NewTicker(idleLooks)
	defer tick.Stop()
	since := time.Now()
	var before int
	for {
		now, err := memoryOf(pid)
		if err != nil {
			return memory{}, err
		}
		if difference := now.resident - before; max(difference, -difference) > before/100 {
			before, since = now.resident, time.Now()
		}
		if time.Since(since) >= quietTime {
			return now, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return memory{}, context.Cause(ctx)
		}
	}
}

// memoryOf reads /proc/PID/status; see proc_pid_status(5).
func memoryOf(pid int) (m memory, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return m, err
	}
	for line := range strings.Lines(string(status)) {
		key, value, _ := strings.Cut(line, ":")
		into := map[string]*int{"VmRSS": &m.resident, "RssAnon": &m.own}[key]
		if into == nil {
			continue
		}
		kilobytes, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
		if err != nil {
			return m, fmt.Errorf("read %s of process %d: %w", key, pid, err)
		}
		*into = kilobytes << 10
	}
	return m, nil
}

func fileSize(path string) (int, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return int(info.Size()), nil
}
