package keeper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"batuta/internal/lab"
)

// sweep removes every trace of a lab, whoever made it: this keeper, or an
// earlier one that was killed.
func sweep(ctx context.Context) error {
	return errors.Join(
		killBelow(ctx, lab.StateDir, DataDir),
		restoreMachine(ctx),
		removeNetwork(ctx),
		clearDirs(ctx, lab.StateDir, DataDir),
	)
}

// clearDirs kills what runs from some directories, unmounts what is mounted
// below them, and removes them.
func clearDirs(ctx context.Context, dirs ...string) error {
	if err := killBelow(ctx, dirs...); err != nil {
		return err
	}
	if err := unmountBelow(dirs...); err != nil {
		return err
	}
	for _, dir := range dirs {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}

// killBelow kills the processes of some directories until there are none.
func killBelow(ctx context.Context, dirs ...string) error {
	return lab.Eventually(ctx, 20*time.Second, func() error {
		found, err := processesOf(dirs)
		if err != nil || len(found) == 0 {
			return err
		}
		for _, pid := range found {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
		}
		return fmt.Errorf("processes of %s still run: %v", strings.Join(dirs, ", "), found)
	})
}

// daemons are the programs that are told apart by the directories they were
// given. Children of theirs are found by what their root is made of.
var daemons = []string{"dockerd", "containerd", "containerd-shim", "containerd-shim-runc-v2", "buildkitd", "runc"}

// processesOf gives the ids of the processes that belong to some directories:
// daemons that were told to use them, children of such shims, and processes
// whose root file system is mounted from there.
func processesOf(dirs []string) ([]int, error) {
	entries, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var found, rest []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(filepath.Base(entry))
		if err != nil {
			continue
		}
		if isDaemonOf(entry, dirs) || hasRootIn(entry, dirs) {
			found = append(found, pid)
		} else {
			rest = append(rest, pid)
		}
	}
	for _, pid := range rest {
		if slices.Contains(found, shimAbove(pid)) {
			found = append(found, pid)
		}
	}
	return found, nil
}

func isDaemonOf(proc string, dirs []string) bool {
	line, err := os.ReadFile(proc + "/cmdline")
	if err != nil {
		return false // it has just ended
	}
	program, args, _ := bytes.Cut(line, []byte{0})
	return slices.Contains(daemons, filepath.Base(string(program))) && mentions(string(args), dirs)
}

// hasRootIn looks at the options of the mount at /, where an overlay names its
// layers.
func hasRootIn(proc string, dirs []string) bool {
	mounts, err := os.ReadFile(proc + "/mountinfo")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 4 && fields[4] == "/" {
			return mentions(line, dirs)
		}
	}
	return false
}

// shimAbove gives the parent of a process if it is a shim, and else 0.
func shimAbove(pid int) int {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// pid (name) state parent …; a name may have spaces and parentheses
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return 0
	}
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", parent))
	if err != nil || !strings.HasPrefix(string(name), "containerd-shim") {
		return 0
	}
	return parent
}

func mentions(text string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return strings.Contains(text, dir+"/") })
}

// unmountBelow unmounts what is mounted below some directories, the last
// mounted first.
func unmountBelow(dirs ...string) error {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	for _, line := range slices.Backward(slices.Collect(strings.Lines(string(mounts)))) {
		point := strings.Fields(line)[4]
		if !mentions(point, dirs) {
			continue
		}
		if err := syscall.Unmount(point, syscall.MNT_DETACH); err != nil && !errors.Is(err, syscall.EINVAL) { // unmounted with another
			return fmt.Errorf("unmount %s: %w", point, err)
		}
	}
	return nil
}
