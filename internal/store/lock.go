package store

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"batuta"
)

// lock takes the data directory for this process until the file is closed or
// the process ends, however it ends. The file names the process, for a person.
func lock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "batuta.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = taken(dir, f.Name())
	}
	if err == nil {
		err = sign(f)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// unlock gives the data directory back. Closing the file would do, were it not
// for a child process that may have been forked and not yet become its program.
func unlock(f *os.File) error {
	return errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close())
}

// taken says who has the directory.
func taken(dir, path string) error {
	text, err := os.ReadFile(path)
	return &batuta.Error{
		Kind:    batuta.Conflict,
		Message: fmt.Sprintf("the data directory %s is in use by process %s", dir, cmp.Or(strings.TrimSpace(string(text)), "unknown")),
		Hint:    "stop that server first, or give this one a data directory of its own",
		Err:     err,
	}
}

// sign writes the number of this process into its lock.
func sign(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return fmt.Errorf("lock data directory: %w", err)
	}
	if _, err := f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0); err != nil {
		return fmt.Errorf("lock data directory: %w", err)
	}
	return nil
}
