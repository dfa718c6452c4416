package registry

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"syscall"

	"github.com/distribution/distribution/v3/registry/api/errcode"
	v2 "github.com/distribution/distribution/v3/registry/api/v2"
	"github.com/gorilla/mux"
)

// These are kept free whatever the configuration says: distribution writes
// notes of its own about an upload, and leaks the open file if it cannot.
const (
	leastFree  = 64 << 20 // bytes
	leastNodes = 128      // files
)

// space keeps a part of a file system free.
type space struct {
	dir  string
	keep int64 // bytes
	log  *slog.Logger
}

// errFull is a push that would use what is kept free.
type errFull struct {
	free, keep int64  // bytes
	nodes      uint64 // files that may still be made
}

// Error says what there is and what there must be. Package builder knows the
// text by its beginning.
func (e errFull) Error() string {
	if e.free <= e.keep {
		return fmt.Sprintf("no room: %d MB free, %d MB are kept free on the registry's disk", e.free>>20, e.keep>>20)
	}
	return fmt.Sprintf("no room: %d files free, %d files are kept free on the registry's disk", e.nodes, leastNodes)
}

// check is errFull if there is no room to write.
func (s space) check() error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(s.dir, &st); err != nil {
		return fmt.Errorf("look for free space: %w", &os.PathError{Op: "statfs", Path: s.dir, Err: err})
	}
	free := int64(st.Bavail) * int64(st.Bsize)
	if free <= s.keep || st.Files > 0 && st.Ffree < leastNodes {
		return errFull{free: free, keep: s.keep, nodes: st.Ffree}
	}
	return nil
}

// protect refuses writes for which there is no room, before they begin and
// while they arrive, as denied (403): that alone, clients neither try again
// for minutes, as they do after 500 or 507, nor keep its reason to themselves.
// What a refused upload has already taken is given back at once, not when it
// is purged.
func (s space) protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodPost, http.MethodPut, http.MethodPatch:
		default:
			next.ServeHTTP(w, r)
			return
		}
		a := &answer{ResponseWriter: w, space: s, sent: r.Body}
		if err := s.check(); err != nil {
			a.refuse(err)
		} else {
			r.Body = &checkedBody{ReadCloser: r.Body, space: s}
			next.ServeHTTP(a, r)
		}
		if a.refused != nil {
			s.giveBack(r)
			s.log.ErrorContext(r.Context(), "push refused", "repository", mux.Vars(r)["name"], "reason", a.refused)
		}
	})
}

// giveBack removes the upload that r belongs to, if it does.
func (s space) giveBack(r *http.Request) {
	vars := mux.Vars(r)
	if mux.CurrentRoute(r).GetName() != v2.RouteNameBlobUploadChunk {
		return
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return // the purge of abandoned uploads gets it
	}
	defer root.Close()
	_ = root.RemoveAll(filepath.Join("docker/registry/v2/repositories", vars["name"], "_uploads", vars["uuid"]))
}

// checkEvery is how many bytes arrive between two looks at the disk.
const checkEvery = 8 << 20

// checkedBody is a request's body that ends in an error when there is no more
// room for it.
type checkedBody struct {
	io.ReadCloser
	space space
	next  int64 // bytes until the next look
}

// Read reads, if there is room.
func (b *checkedBody) Read(p []byte) (int, error) {
	if b.next <= 0 {
		if err := b.space.check(); err != nil {
			return 0, err
		}
		b.next = checkEvery
	}
	n, err := b.ReadCloser.Read(p)
	b.next -= int64(n)
	return n, err
}

// answer puts the reason in the place of an internal error that a full disk
// caused.
type answer struct {
	http.ResponseWriter
	space   space
	sent    io.Reader // the request's body
	refused error     // why, once it was
}

// WriteHeader passes the status on, unless it hides a full disk.
func (a *answer) WriteHeader(status int) {
	if status >= http.StatusInternalServerError {
		if err := a.space.check(); err != nil {
			a.refuse(err)
			return
		}
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write drops the body of an answer that was replaced.
func (a *answer) Write(p []byte) (int, error) {
	if a.refused != nil {
		return len(p), nil
	}
	return a.ResponseWriter.Write(p)
}

// refuse answers with the reason, once. It first lets the client send all that
// it has: a client that is cut off while it sends never reads why.
func (a *answer) refuse(reason error) {
	if a.refused != nil {
		return
	}
	a.refused = reason
	_, _ = io.Copy(io.Discard, a.sent) // ends early if the client is gone
	a.Header().Del("Content-Length")
	refuse(a.ResponseWriter, errcode.ErrorCodeDenied.WithMessage(reason.Error()))
}
