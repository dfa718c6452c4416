package host

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Once makes the file path by way of a file beside it, unless it is there
// already. Of several programs that want it at once, one makes it and the
// others wait.
func Once(path string, fill func(part string) error) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", path, err)
	}
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := fill(path + ".part"); err != nil {
		return fmt.Errorf("make %s: %w", path, err)
	}
	return os.Rename(path+".part", path)
}
