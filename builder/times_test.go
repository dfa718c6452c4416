package builder

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tonistiigi/fsutil/types"
)

// timeOf is the time that a daemon is told of a file that was just checked
// out with this content.
func timeOf(t *testing.T, times *times, source, content string, checkedOut time.Time) time.Time {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "page"), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	s := &types.Stat{Path: "page", Mode: 0o644, Size: int64(len(content)), ModTime: checkedOut.UnixNano()}
	times.of(source, dir)("page", s)
	return time.Unix(0, s.ModTime)
}

func TestTimeFollowsContent(t *testing.T) {
	later := noon.Add(time.Hour)
	times := newTimes()
	first := timeOf(t, times, "a", "one", noon)
	if !first.Truncate(time.Second).Equal(noon) {
		t.Errorf("at first it is of %s", first)
	}
	if got := timeOf(t, times, "a", "one", later); !got.Equal(first) {
		t.Errorf("unchanged, it is of %s instead of %s", got, first)
	}
	changed := timeOf(t, times, "a", "two", noon)
	if changed.Equal(first) {
		t.Error("a change within one second does not show")
	}
	if got := timeOf(t, times, "b", "one", later); got.Equal(first) {
		t.Error("another image's file has its time")
	}
	if got := timeOf(t, newTimes(), "a", "two", noon); !got.Equal(changed) {
		t.Errorf("after a restart it is of %s instead of %s", got, changed)
	}
}

func TestTimeOfLinkFollowsTarget(t *testing.T) {
	times := newTimes()
	mapped := times.of("a", t.TempDir())
	one := &types.Stat{Mode: uint32(fs.ModeSymlink | 0o777), Linkname: "x", ModTime: noon.UnixNano()}
	two := &types.Stat{Mode: uint32(fs.ModeSymlink | 0o777), Linkname: "y", ModTime: noon.UnixNano()}
	mapped("link", one)
	mapped("link", two)
	if one.ModTime == two.ModTime {
		t.Error("a link to another place has the same time")
	}
}

func TestTimeOfOthersIsKept(t *testing.T) {
	mapped := newTimes().of("a", t.TempDir())
	for name, s := range map[string]*types.Stat{
		"a directory":        {Mode: uint32(fs.ModeDir | 0o755), ModTime: noon.UnixNano()},
		"a file that is not": {Mode: 0o644, ModTime: noon.UnixNano()},
	} {
		mapped("x", s)
		if s.ModTime != noon.UnixNano() {
			t.Errorf("%s: %d", name, s.ModTime)
		}
	}
}

func TestTimesAreBounded(t *testing.T) {
	times := newTimes()
	for i := range uint64(maxTimes + 1) {
		times.since(i, 1, 0)
	}
	if len(times.seen) > maxTimes {
		t.Errorf("%d are kept", len(times.seen))
	}
}
