package gitremote

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// lastChange reads who changed a ref last, and when, from the ref's own log:
// git wrote it together with the change, so it is also true for a push that a
// killed server never saw the end of. Both are zero if there is no such line.
func (r *repository) lastChange(name string) (person string, when time.Time) {
	line, err := lastLine(filepath.Join(r.dir, "logs", filepath.FromSlash(name)))
	if err != nil {
		return "", time.Time{}
	}
	return readLogLine(line)
}

// readLogLine reads "old new name <address> seconds zone\tmessage".
func readLogLine(line string) (person string, when time.Time) {
	head, _, _ := strings.Cut(line, "\t")
	who, rest, ok := strings.Cut(head, " <")
	if !ok {
		return "", time.Time{}
	}
	if f := strings.SplitN(who, " ", 3); len(f) == 3 {
		person = f[2]
	}
	if _, stamp, ok := strings.Cut(rest, "> "); ok {
		seconds, _, _ := strings.Cut(stamp, " ")
		if n, err := strconv.ParseInt(seconds, 10, 64); err == nil {
			when = time.Unix(n, 0).UTC()
		}
	}
	return person, when
}

// lastLine reads the last line of a file, if it is no longer than 4 KiB.
func lastLine(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.NewSectionReader(f, max(0, info.Size()-4096), 4096))
	if err != nil {
		return "", err
	}
	b = bytes.TrimSuffix(b, []byte("\n"))
	return string(b[bytes.LastIndexByte(b, '\n')+1:]), nil
}

// pointHead makes HEAD name a branch that exists, so that a clone of a
// repository whose branch is not called main finds something.
func (r *repository) pointHead(ctx context.Context, refs map[string]ref) error {
	head, err := os.ReadFile(filepath.Join(r.dir, "HEAD"))
	if err != nil {
		return fmt.Errorf("read HEAD: %w", err)
	}
	branches := slices.DeleteFunc(slices.Sorted(maps.Keys(refs)), func(name string) bool { return !strings.HasPrefix(name, "refs/heads/") })
	target := strings.TrimSpace(strings.TrimPrefix(string(head), "ref: "))
	if len(branches) == 0 || slices.Contains(branches, target) {
		return nil
	}
	for _, usual := range []string{"refs/heads/master", "refs/heads/main"} {
		if slices.Contains(branches, usual) {
			branches[0] = usual
		}
	}
	if _, err := r.git(ctx, "--git-dir="+r.dir, "symbolic-ref", "HEAD", branches[0]); err != nil {
		return fmt.Errorf("point HEAD at %s: %w", branches[0], err)
	}
	return nil
}
