package keeper

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"batuta/internal/lab/host"
)

func TestOnlyTheDaemonsOfADirectoryAreFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data, daemon := filepath.Join(dir, "data"), filepath.Join(t.TempDir(), "dockerd")
	err := errors.Join(os.WriteFile(data, nil, 0o600), os.Symlink("/usr/bin/tail", daemon))
	if err != nil {
		t.Fatal(err)
	}
	mine := start(t, daemon, "--follow", data)
	bystander := start(t, "/usr/bin/tail", "--follow", data)
	other := start(t, daemon, "--follow", "/dev/null")
	found, err := processesOf([]string{dir})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(found, mine) || slices.Contains(found, bystander) || slices.Contains(found, other) {
		t.Errorf("found %v; want %d, not %d or %d", found, mine, bystander, other)
	}
}

// start runs a program until t ends, and gives its process id.
func start(t *testing.T, program string, args ...string) int {
	t.Helper()
	p, err := host.Start(filepath.Join(t.TempDir(), "log"), program, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
	})
	return p.ID()
}
