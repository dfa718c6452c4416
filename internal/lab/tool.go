package lab

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Tool gives the path of a program of BuildKit, buildkitd or buildctl, in the
// version that lab/tools/go.mod pins. It is compiled once (two minutes) and
// kept in the user's cache directory.
func Tool(ctx context.Context, name string) (string, error) {
	source, err := sourceDir(ctx)
	if err != nil {
		return "", err
	}
	source = filepath.Join(source, "internal", "lab", "tools")
	pins, err := os.ReadFile(filepath.Join(source, "go.mod"))
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(cache, "batuta", "tools", fmt.Sprintf("%.6x", sha256.Sum256(pins)), name)
	return path, once(path, func(part string) error {
		return run(ctx, "go", "build", "-C", source, "-ldflags", "-s -w", "-o", part, "github.com/moby/buildkit/cmd/"+name)
	})
}

// once makes path by way of a file beside it, unless it is there already. Of
// several programs that want it, one makes it and the others wait.
func once(path string, fill func(part string) error) error {
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

// sourceDir is the root of the module that the current directory is in.
func sourceDir(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "batuta").Output()
	if err != nil {
		return "", fmt.Errorf("find the source of batuta from the current directory: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// run runs a program; what it says is told only if it fails.
func run(ctx context.Context, name string, args ...string) error {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// tail is the end of a file, for an error message.
func tail(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil {
		_, _ = f.Seek(max(0, info.Size()-2000), io.SeekStart) // best effort: only a message
	}
	out, _ := io.ReadAll(f)
	return strings.TrimSpace(string(out))
}
