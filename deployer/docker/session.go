package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/docker/docker/pkg/stdcopy"

	"batuta"
)

// errOver is a session that took the question no more: it had nothing to do,
// or has been closed.
var errOver = errors.New("the session is over")

// session is a conversation with one probe container. It ends when it has had
// nothing to do for the idle time, when close is called, or when the container
// goes.
type session struct {
	conn  io.ReadWriteCloser
	lines chan []byte   // to be written
	over  chan struct{} // closed when the session ends
	work  sync.WaitGroup

	mu      sync.Mutex
	last    int                   // the id of the latest question
	waiting map[int]chan<- answer // who asked
	err     error                 // why the session ended; nil until then
	idle    *time.Timer
	patient time.Duration
}

func newSession(conn io.ReadWriteCloser, idle time.Duration) *session {
	s := &session{
		conn: conn, lines: make(chan []byte), over: make(chan struct{}),
		waiting: map[int]chan<- answer{}, patient: idle,
	}
	s.mu.Lock() // a short idle time is over before the timer is kept
	s.idle = time.AfterFunc(idle, s.rest)
	s.mu.Unlock()
	s.work.Go(s.read)
	s.work.Go(s.write)
	return s
}

// ask has the container answer a question.
func (s *session) ask(ctx context.Context, q question) (answer, error) {
	got := make(chan answer, 1)
	id, err := s.enlist(got)
	if err != nil {
		return answer{}, err
	}
	defer s.resign(id)
	q.ID = id
	line, err := json.Marshal(q)
	if err != nil {
		return answer{}, err
	}
	select {
	case s.lines <- append(line, '\n'):
	case <-s.over:
		return answer{}, s.ended()
	case <-ctx.Done():
		return answer{}, ctx.Err()
	}
	select {
	case a := <-got:
		return a, nil
	case <-s.over:
		return answer{}, s.ended()
	case <-ctx.Done():
		return answer{}, ctx.Err()
	}
}

func (s *session) enlist(got chan<- answer) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, errOver
	}
	s.last++
	s.waiting[s.last] = got
	s.idle.Stop()
	return s.last, nil
}

func (s *session) resign(id int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, id)
	if len(s.waiting) == 0 && s.err == nil {
		s.idle.Reset(s.patient)
	}
}

// rest ends a session that nobody uses.
func (s *session) rest() {
	s.mu.Lock()
	used := len(s.waiting) > 0
	s.mu.Unlock()
	if !used {
		s.end(errOver)
	}
}

// close ends the session and waits until nothing of it is left here. The
// container reads the end of its input, and ends too.
func (s *session) close() {
	s.end(errOver)
	s.work.Wait()
}

func (s *session) end(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	s.err = why
	s.idle.Stop()
	close(s.over)
	_ = s.conn.Close() // nothing can be done about it, and nothing is lost
}

func (s *session) ended() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// read hands the answers to those who asked, until the container goes.
func (s *session) read() {
	complaint := &tail{keep: execLines}
	_, err := stdcopy.StdCopy(&answerReader{s: s}, &lineWriter{to: complaint}, s.conn)
	lost := &batuta.Error{Kind: batuta.Unavailable, Message: "the probe container ended", Err: err}
	for _, line := range complaint.lines {
		lost.Message += ": " + line
	}
	s.end(lost)
}

// write sends questions, so that those who ask can leave when a connection
// takes no more.
func (s *session) write() {
	for {
		select {
		case line := <-s.lines:
			if _, err := s.conn.Write(line); err != nil {
				s.end(&batuta.Error{Kind: batuta.Unavailable, Message: "ask the probe container", Err: err})
				return
			}
		case <-s.over:
			return
		}
	}
}

// answerReader takes answers as they come in, in pieces of any length.
type answerReader struct {
	s    *session
	part []byte
}

// Write fails at what is not an answer.
func (r *answerReader) Write(p []byte) (int, error) {
	r.part = append(r.part, p...)
	for {
		line, rest, whole := bytes.Cut(r.part, []byte{'\n'})
		if !whole {
			return len(p), nil
		}
		var a answer
		if err := json.Unmarshal(line, &a); err != nil {
			return 0, err
		}
		r.s.deliver(a)
		r.part = rest
	}
}

// deliver does not wait: there is room for the one answer of each question.
func (s *session) deliver(a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := s.waiting[a.ID]; got != nil {
		got <- a
		delete(s.waiting, a.ID)
	}
}
