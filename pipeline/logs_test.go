package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"batuta/pipeline"
)

// TestFollowGetsEveryLineOnce writes a log in odd pieces while somebody
// follows it from the middle of the file on.
func TestFollowGetsEveryLineOnce(t *testing.T) {
	t.Parallel()
	logs, err := pipeline.NewFileLogs(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	write := func(step, text string) {
		w, err := logs.Append(7, step)
		if err != nil {
			t.Fatal(err)
		}
		for piece := range strings.SplitAfterSeq(text, "a") {
			if _, err := io.WriteString(w, piece); err != nil {
				t.Error(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
	write("source", "fetched\n")
	var before bytes.Buffer
	if err := logs.Follow(t.Context(), 7, 0, func() bool { return true }, &before); err != nil {
		t.Fatal(err)
	}

	var ended atomic.Bool
	var after bytes.Buffer
	var following sync.WaitGroup
	following.Go(func() {
		if err := logs.Follow(t.Context(), 7, int64(before.Len()), ended.Load, &after); err != nil {
			t.Error(err)
		}
	})
	for i := range 100 {
		write("build web", fmt.Sprintf("a line %d\r\nand another\nunfinished", i))
	}
	ended.Store(true)
	following.Wait()

	if lines := strings.Count(after.String(), "\n"); lines != 300 || strings.Contains(after.String(), "\r") {
		t.Errorf("%d lines were followed, want 300", lines)
	}
	first, _, _ := strings.Cut(after.String(), "\n")
	if fields := strings.Split(first, "\t"); len(fields) != 3 || fields[1] != "build web" || fields[2] != "a line 0" {
		t.Errorf("the first line is %q", first)
	}
}

func TestFollowEndsWithItsContext(t *testing.T) {
	t.Parallel()
	logs, err := pipeline.NewFileLogs(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := logs.Follow(ctx, 1, 0, func() bool { return false }, io.Discard); err == nil {
		t.Error("it ended without an error")
	}
}

// TestAStepThatPrintsMuchLeavesTheOthersRoom: steps that run at the same time
// fill the log together; one that comes after them can still say something.
func TestAStepThatPrintsMuchLeavesTheOthersRoom(t *testing.T) {
	t.Parallel()
	const bound = 66 << 20
	dir := t.TempDir()
	logs, err := pipeline.NewFileLogs(dir)
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Repeat("x", 1<<16-1) + "\n"
	fill := func(step string, lines int) {
		w, err := logs.Append(1, step)
		if err != nil {
			t.Error(err)
			return
		}
		for range lines {
			if _, err := io.WriteString(w, line); err != nil {
				t.Error(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() { fill(fmt.Sprint("test ", i), 300) })
	}
	all.Wait()
	w, err := logs.Append(1, "deploy qa")
	if err == nil {
		_, err = io.WriteString(w, "web-1 is ready\n")
		err = errors.Join(err, w.Close())
	}
	if err != nil {
		t.Error(err)
	}
	fill("hooks", 2)

	text, err := os.ReadFile(filepath.Join(dir, "1.log"))
	if err != nil || len(text) > bound {
		t.Errorf("the log has %d bytes, want at most %d: %v", len(text), bound, err)
	}
	if n := bytes.Count(text, []byte("the log is full (16 MiB of a step, 64 MiB of a run); what follows is not kept\n")); n != 7 {
		t.Errorf("%d steps say that the log is full, want 7", n)
	}
	if !bytes.Contains(text, []byte("\tdeploy qa\tweb-1 is ready\n")) {
		t.Error("the step that came last could say nothing")
	}
	for l := range bytes.Lines(text) {
		at, rest, _ := bytes.Cut(l, []byte("\t"))
		if _, err := time.Parse("2006-01-02T15:04:05.000Z", string(at)); err != nil || !bytes.HasSuffix(rest, []byte("\n")) {
			t.Fatalf("a line begins with %.60q: %v", l, err)
		}
	}
	if err := errors.Join(logs.Delete(1), logs.Delete(1)); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// TestALineThatWasCutOffStaysAlone: the next server does not go on in it.
func TestALineThatWasCutOffStaysAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	logs, err := pipeline.NewFileLogs(dir)
	if err != nil {
		t.Fatal(err)
	}
	const cut = "2026-03-01T12:00:00.000Z\tbuild web\tdownloadi"
	if err := os.WriteFile(filepath.Join(dir, "7.log"), []byte(cut), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"once more\n", "done\n"} {
		w, err := logs.Append(7, "build web")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, line); err != nil || w.Close() != nil {
			t.Fatal(err)
		}
	}
	var all bytes.Buffer
	if err := logs.Follow(t.Context(), 7, 0, func() bool { return true }, &all); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(all.String(), "\n")
	if len(lines) != 4 || lines[0] != cut || !strings.HasSuffix(lines[1], "\tonce more") || !strings.HasSuffix(lines[2], "\tdone") {
		t.Errorf("%q", lines)
	}
}
