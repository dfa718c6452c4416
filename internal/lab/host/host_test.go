package host_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"batuta/internal/lab/host"
)

func TestRunTellsWhatTheProgramSaid(t *testing.T) {
	t.Parallel()
	err := host.Run(t.Context(), "sh", "-c", "echo out; echo err >&2; exit 3")
	if err == nil || !strings.Contains(err.Error(), "exit status 3\nout\nerr") {
		t.Errorf("got %v", err)
	}
}

func TestOnceMakesAFileOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "deep", "file")
	var made atomic.Int32
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() {
			err := host.Once(path, func(part string) error {
				made.Add(1)
				return os.WriteFile(part, []byte("whole"), 0o600)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	users.Wait()
	if got, err := os.ReadFile(path); string(got) != "whole" || err != nil || made.Load() != 1 {
		t.Errorf("made %d times: %q, %v", made.Load(), got, err)
	}
}

func TestOnceLeavesNoPartUnderTheName(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	want := errors.New("disk full")
	err := host.Once(path, func(part string) error {
		return errors.Join(os.WriteFile(part, []byte("ha"), 0o600), want)
	})
	if !errors.Is(err, want) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half a file is there: %v", err)
	}
}

func TestProcessTellsHowItEnded(t *testing.T) {
	t.Parallel()
	p, err := host.Start(filepath.Join(t.TempDir(), "log"), "tail", "--follow", "/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := p.Err(); err == nil || !strings.Contains(err.Error(), "tail ended: it should go on") {
		t.Errorf("got %v", err)
	}
	if err := p.Kill(); err != nil {
		t.Errorf("killed twice: %v", err)
	}
}
