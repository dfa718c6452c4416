package pipeline_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

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
