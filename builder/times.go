package builder

import (
	"crypto/sha256"
	"encoding/binary"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/tonistiigi/fsutil"
	"github.com/tonistiigi/fsutil/types"
)

// maxTimes bounds how many files' times are kept, at some 40 bytes each. When
// there are more, all are forgotten, which costs one full transfer per image.
const maxTimes = 1 << 20

// times remembers when each file of an image's source got its present
// content. Every revision is checked out afresh, with all its files of the
// same age; but a daemon keeps what it was sent and asks only for the files
// whose time or size differs. With these times the source looks to it like
// one directory that is updated from push to push.
//
// As a daemon does not look at the content, a file that changes must change
// its time, even within one second. So the time's fraction of a second is
// taken from the content.
type times struct {
	date int64 // of all that is new, in ns; 0 is that of its file
	mu   sync.Mutex
	seen map[uint64]version // by the hash of source and path
}

// version is a file's content, hashed, and the time that it is given in ns.
type version struct {
	content uint64
	since   int64
}

func newTimes() *times { return &times{seen: map[uint64]version{}} }

// datedBy gives times that depend on the commit alone, so that what is built
// without a cache does, too. A zero time is as newTimes.
func datedBy(commit time.Time) *times {
	t := newTimes()
	if !commit.IsZero() {
		t.date = commit.UnixNano()
	}
	return t
}

// of gives the function that sets the times of files below dir. The source
// tells trees with the same paths apart.
func (t *times) of(source, dir string) fsutil.MapFunc {
	return func(path string, s *types.Stat) fsutil.MapResult {
		if t.date != 0 {
			s.ModTime = t.date
		}
		if content, ok := contentHash(filepath.Join(dir, path), s); ok {
			s.ModTime = t.since(hash([]byte(source+"\x00"+path)), content, s.ModTime)
		}
		return fsutil.MapResultKeep
	}
}

// since gives the time of a file: the one it had if its content is the same.
func (t *times) since(file, content uint64, now int64) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known, ok := t.seen[file]; ok && known.content == content {
		return known.since
	}
	if len(t.seen) >= maxTimes {
		clear(t.seen)
	}
	const second = int64(time.Second)
	since := now - now%second + int64(content%uint64(second))
	t.seen[file] = version{content, since}
	return since
}

// contentHash hashes what a file holds or a link points to; false if there is
// nothing to hash or it cannot be read.
func contentHash(path string, s *types.Stat) (uint64, bool) {
	switch mode := fs.FileMode(s.Mode); {
	case mode&fs.ModeSymlink != 0:
		return hash([]byte(s.Linkname)), true
	case !mode.IsRegular():
		return 0, false
	}
	f, err := os.Open(path)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return 0, false
	}
	return binary.BigEndian.Uint64(h.Sum(nil)), true
}

func hash(b []byte) uint64 {
	sum := sha256.Sum256(b)
	return binary.BigEndian.Uint64(sum[:])
}
