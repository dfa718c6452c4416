package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"batuta"
)

// A step's room in a log, in bytes: each time it is entered it has maxStepLog,
// but once the run has maxLog only leastStepLog, so that steps that print much
// leave those after them something. What is beyond it is dropped, with a last
// line that says so.
const (
	maxLog       = 64 << 20
	maxStepLog   = 16 << 20
	leastStepLog = 64 << 10
)

// longestLine is when a line that does not end is broken.
const longestLine = 64 << 10

// FileLogs keeps the log of each run in one file of a directory. A line is
// the time (RFC 3339, UTC, milliseconds), the step and the text, separated by
// tabs; lines of steps that run at the same time are mixed. Its methods may be
// called at the same time.
type FileLogs struct {
	dir   string
	mu    sync.Mutex
	grown chan struct{}        // closed and replaced whenever any log grew
	open  map[batuta.RunID]int // steps that write, by run
}

var _ Logs = (*FileLogs)(nil)

// NewFileLogs keeps logs in dir, which is made if it does not exist.
func NewFileLogs(dir string) (*FileLogs, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("keep logs: %w", err)
	}
	return &FileLogs{dir: dir, grown: make(chan struct{}), open: map[batuta.RunID]int{}}, nil
}

func (l *FileLogs) file(run batuta.RunID) string {
	return filepath.Join(l.dir, fmt.Sprintf("%d.log", run))
}

// Append opens the run's log for a step to write to, text in any pieces. What a
// server that was killed left of a line is a line of its own.
func (l *FileLogs) Append(run batuta.RunID, step string) (io.WriteCloser, error) {
	f, err := os.OpenFile(l.file(run), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[run] == 0 { // else another step may be in the middle of a line
		if err := mend(f); err != nil {
			return nil, errors.Join(fmt.Errorf("open the log of %s: %w", step, err), f.Close())
		}
	}
	l.open[run]++
	return &logWriter{logs: l, file: f, run: run, step: step}, nil
}

// closed notes that a step writes no more.
func (l *FileLogs) closed(run batuta.RunID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[run]--; l.open[run] == 0 {
		delete(l.open, run)
	}
}

// mend ends the last line of a log.
func mend(log *os.File) error {
	at, err := log.Stat()
	if err != nil || at.Size() == 0 {
		return err
	}
	last := make([]byte, 1)
	if _, err := log.ReadAt(last, at.Size()-1); err != nil || last[0] == '\n' {
		return err
	}
	_, err = log.WriteString("\n")
	return err
}

// Delete deletes the log of a run that has ended. It is no error if there is
// none.
func (l *FileLogs) Delete(run batuta.RunID) error {
	err := os.Remove(l.file(run))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Follow writes the log of a run to w from an offset in bytes. When it comes
// to the end it asks ended: if that is true it returns, else it waits for more.
func (l *FileLogs) Follow(ctx context.Context, run batuta.RunID, offset int64, ended func() bool, w io.Writer) error {
	for last := false; ; {
		grown := l.growth()
		n, err := l.copyFrom(run, offset, w)
		if offset += n; err != nil {
			return err
		}
		if last {
			return nil
		}
		if last = ended(); last {
			continue // what was written between the copy and the end
		}
		select {
		case <-grown:
		case <-time.After(lookAgain):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l *FileLogs) copyFrom(run batuta.RunID, offset int64, w io.Writer) (int64, error) {
	f, err := os.Open(l.file(run))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	defer f.Close()
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return 0, err
	}
	return io.Copy(w, f)
}

func (l *FileLogs) growth() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.grown
}

func (l *FileLogs) grow() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.grown)
	l.grown = make(chan struct{})
}

// logWriter turns what one step prints into lines of the log.
type logWriter struct {
	logs *FileLogs
	file *os.File
	run  batuta.RunID
	step string
	held []byte
	used int64 // bytes of the log that this step has
	full bool
}

func (w *logWriter) Write(p []byte) (int, error) {
	w.held = append(w.held, p...)
	end := bytes.LastIndexByte(w.held, '\n') + 1
	if end == 0 && len(w.held) < longestLine {
		return len(p), nil
	} else if end == 0 {
		end = len(w.held)
	}
	if err := w.write(w.held[:end]); err != nil {
		return 0, err
	}
	w.held = append(w.held[:0], w.held[end:]...)
	return len(p), nil
}

func (w *logWriter) write(text []byte) error {
	if w.full {
		return nil
	}
	room, err := w.room()
	if err != nil {
		return err
	}
	prefix := time.Now().UTC().Format("2006-01-02T15:04:05.000Z") + "\t" + w.step + "\t"
	var out bytes.Buffer
	for line := range bytes.Lines(text) {
		out.WriteString(prefix)
		out.Write(bytes.TrimRight(line, "\r\n"))
		out.WriteByte('\n')
	}
	if w.full = int64(out.Len()) > room; w.full {
		out.Truncate(bytes.LastIndexByte(out.Bytes()[:room], '\n') + 1)
		fmt.Fprintf(&out, "%sthe log is full (%d MiB of a step, %d MiB of a run); what follows is not kept\n", prefix, maxStepLog>>20, maxLog>>20)
	}
	w.used += int64(out.Len())
	if _, err := w.file.Write(out.Bytes()); err != nil {
		return fmt.Errorf("write the log of %s: %w", w.step, err)
	}
	w.logs.grow()
	return nil
}

// room is how many bytes more the step may write. The log grows by what other
// steps write, too, so it is asked for its size each time.
func (w *logWriter) room() (int64, error) {
	log, err := w.file.Stat()
	if err != nil {
		return 0, fmt.Errorf("write the log of %s: %w", w.step, err)
	}
	own := maxStepLog - w.used
	return max(min(own, maxLog-log.Size()), min(own, leastStepLog-w.used), 0), nil
}

// Close writes an unfinished last line too.
func (w *logWriter) Close() error {
	var err error
	if len(w.held) > 0 {
		err = w.write(append(w.held, '\n'))
	}
	w.logs.closed(w.run)
	return errors.Join(err, w.file.Close())
}
