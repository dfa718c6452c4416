package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"batuta/internal/lab/host"
)

// newer is the release of Debian that the newer Engine is taken from. Its
// programs run with the libraries of the release before.
const newer = "trixie"

// newerPrograms are those of an Engine, but for runc, which needs newer
// libraries.
var newerPrograms = []string{"usr/sbin/dockerd", "usr/sbin/docker-proxy", "usr/bin/containerd", "usr/bin/containerd-shim-runc-v2"}

// NewerShips gives n fresh ships as OwnShips does, whose Engine is a recent
// one (26.1). The other ships have the oldest that Batuta works with (20.10).
func NewerShips(t testing.TB, n int) []Ship {
	t.Helper()
	programs, err := newerEngine(t.Context())
	must(t, err)
	ships, err := hold(t).ships(t.Context(), ShipsRequest{Count: n, Own: true, Programs: programs})
	must(t, err)
	return ships
}

// newerEngine gives the directory of the newer Engine's programs, which is
// made once and kept in the user's cache directory.
func newerEngine(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "batuta", "engine-"+newer)
	return dir, host.Once(dir, func(part string) error {
		tree := part + ".tree"
		defer os.RemoveAll(tree)
		if err := errors.Join(os.RemoveAll(tree), os.RemoveAll(part)); err != nil { // of an earlier try
			return err
		}
		if err := host.Run(ctx, "mmdebstrap", "--quiet", "--variant=extract", "--include=docker.io,containerd", newer, tree); err != nil {
			return fmt.Errorf("fetch the Engine of Debian %s: %w", newer, err)
		}
		if err := os.Mkdir(part, 0o755); err != nil {
			return err
		}
		for _, program := range newerPrograms {
			if err := os.Rename(filepath.Join(tree, program), filepath.Join(part, filepath.Base(program))); err != nil {
				return err
			}
		}
		return nil
	})
}
