package api

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"batuta"
)

// log streams what a run printed, one line per line: time, step and text,
// separated by tabs. With follow it ends when the run has ended; a stream that
// is cut off before is to be asked for again, from the offset reached.
func (s *server) log(ctx context.Context, in *struct {
	RunPath
	Step   string `query:"step" doc:"only what this step printed"`
	Offset int64  `query:"offset" minimum:"0" doc:"bytes of this stream to leave out"`
	Follow bool   `query:"follow" doc:"wait for more until the run has ended"`
	Accept string `header:"Accept" doc:"text/event-stream: as server-sent events, whose ids are offsets"`
	Last   int64  `header:"Last-Event-ID" minimum:"0" doc:"as offset, of a client that connects again"`
}) (*huma.StreamResponse, error) {
	run, err := s.visible(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if !run.LogDeleted.IsZero() {
		return nil, logDeleted(run)
	}
	if err := hasStep(run, in.Step); err != nil {
		return nil, err
	}
	ended := func() bool { return true }
	if in.Follow {
		ended = func() bool { return s.ended(ctx, in.ID) }
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		ctx, cancel := s.untilStop(ctx)
		defer cancel()
		_, w := humago.Unwrap(hc)
		offset := max(in.Offset, in.Last)
		asEvents := strings.Contains(in.Accept, eventStream)
		out := newFlusher(w, asEvents)
		from, to := offset, io.Writer(out)
		if asEvents {
			to = &events{at: offset, next: out}
			defer out.beat(cmp.Or(s.Heartbeat, heartbeat))()
		}
		if in.Step != "" {
			from, to = 0, &sieve{step: in.Step, skip: offset, next: to}
		}
		if err := s.Logs.Follow(ctx, in.ID, from, ended, to); err != nil {
			if ctx.Err() == nil {
				s.Log.ErrorContext(ctx, "log stream broke off", "run", in.ID, "err", err)
			}
			panic(http.ErrAbortHandler) // the reader must not take this for the end
		}
		if run, err := s.Runs.Run(ctx, in.ID); asEvents && err == nil {
			fmt.Fprintf(out, "event: end\ndata: %s\n\n", run.Status)
		}
	}}, nil
}

// hasStep refuses to tell of a step that a run which has ended never had.
func hasStep(run batuta.Run, step string) error {
	names := make([]string, len(run.Steps))
	for n, s := range run.Steps {
		names[n] = s.Name
	}
	if step == "" || !run.Status.Ended() || slices.Contains(names, step) {
		return nil
	}
	return &batuta.Error{Kind: batuta.NotFound, Message: fmt.Sprintf("run %d has no step %q", run.ID, step), Hint: "its steps are " + strings.Join(names, ", ")}
}

// logDeleted is the answer to who asks for a log that is not kept any more.
func logDeleted(run batuta.Run) error {
	return &batuta.Error{
		Kind:    batuta.NotFound,
		Message: fmt.Sprintf("the log of run %d was deleted at %s: the run ended at %s", run.ID, run.LogDeleted.Format(time.RFC3339), run.Ended.Format(time.RFC3339)),
		Hint:    "keep.logs in server.yml says how long logs are kept",
	}
}

// untilStop ends a stream's context when the server begins to stop.
func (s *server) untilStop(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-s.Stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// ended tells whether a run prints no more. A store that does not answer is
// asked again.
func (s *server) ended(ctx context.Context, id batuta.RunID) bool {
	run, err := s.Runs.Run(ctx, id)
	return err == nil && run.Status.Ended()
}

// heartbeat is less than what proxies take for silence.
const heartbeat = 15 * time.Second

// flusher sends everything at once, for as long as it takes.
type flusher struct {
	mu      sync.Mutex
	w       io.Writer
	control *http.ResponseController
}

func newFlusher(w http.ResponseWriter, asEvents bool) *flusher {
	kind := "text/plain; charset=utf-8"
	if asEvents {
		kind = eventStream
	}
	f := &flusher{w: w, control: http.NewResponseController(w)}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	_ = f.control.SetWriteDeadline(time.Time{}) // a writer without deadlines has none to lift
	w.WriteHeader(http.StatusOK)
	_ = f.control.Flush()
	return f
}

// Write may be called at the same time as the heart beats.
func (f *flusher) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.w.Write(p)
	if err != nil {
		return n, err
	}
	return n, f.control.Flush()
}

// beat sends a comment, which clients pass over, again and again until the
// returned function is called, which waits for the last one.
func (f *flusher) beat(every time.Duration) (stop func()) {
	done := make(chan struct{})
	var beating sync.WaitGroup
	beating.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				if _, err := io.WriteString(f, ":\n\n"); err != nil {
					return // the stream finds that out itself
				}
			}
		}
	})
	return func() { close(done); beating.Wait() }
}

// eventStream is the form of server-sent events.
// https://html.spec.whatwg.org/multipage/server-sent-events.html
const eventStream = "text/event-stream"

// events makes an event of every line. Its id is the offset behind the line,
// so that a client that connects again goes on where it was; the last event is
// called end and has the run's status.
type events struct {
	at   int64
	held []byte
	next io.Writer
}

func (e *events) Write(p []byte) (int, error) {
	e.held = append(e.held, p...)
	end := bytes.LastIndexByte(e.held, '\n') + 1
	var out bytes.Buffer
	for line := range bytes.Lines(e.held[:end]) {
		e.at += int64(len(line))
		fmt.Fprintf(&out, "id: %d\ndata: %s\n\n", e.at, bytes.ReplaceAll(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"), nil))
	}
	e.held = append(e.held[:0], e.held[end:]...)
	if out.Len() > 0 {
		if _, err := e.next.Write(out.Bytes()); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// sieve passes on the lines of one step, but for the first skip bytes of them.
type sieve struct {
	step string
	skip int64
	held []byte
	next io.Writer
}

func (s *sieve) Write(p []byte) (int, error) {
	s.held = append(s.held, p...)
	end := bytes.LastIndexByte(s.held, '\n') + 1
	var out []byte
	for line := range bytes.Lines(s.held[:end]) {
		if stepOf(line) == s.step {
			out = append(out, line...)
		}
	}
	s.held = append(s.held[:0], s.held[end:]...)
	gone := min(s.skip, int64(len(out)))
	s.skip -= gone
	if out = out[gone:]; len(out) > 0 {
		if _, err := s.next.Write(out); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// stepOf is the second of a line's fields.
func stepOf(line []byte) string {
	_, rest, _ := bytes.Cut(line, []byte("\t"))
	step, _, _ := bytes.Cut(rest, []byte("\t"))
	return string(step)
}
