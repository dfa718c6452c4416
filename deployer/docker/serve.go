package docker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"batuta/deployer"
)

// question is one line that a probe container reads.
type question struct {
	ID      int             `json:"id"`
	Host    string          `json:"host,omitempty"` // where to connect to, without the port
	Check   *deployer.Check `json:"check,omitempty"`
	Measure bool            `json:"measure,omitempty"` // what the ship has left is asked, instead of a check
	Listens bool            `json:"listens,omitempty"` // on which ports processes of the ship listen is asked
}

// answer is one line that a probe container writes.
type answer struct {
	ID    int    `json:"id"`
	Error string `json:"error,omitempty"` // why the check did not pass

	Measures *measures       `json:"measures,omitempty"`
	Ports    []deployer.Port `json:"ports,omitempty"`
}

// ServeProbes is what runs in a probe container, which is in its ship's
// network: it reads questions from in, one JSON object a line, makes an attempt
// at each check, all at the same time, and writes the answers to out as they
// come. It ends when in ends, without waiting for attempts that are under way.
// The error is nil at the end of in, and otherwise tells what is wrong with in
// or out.
func ServeProbes(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var attempts sync.WaitGroup
	defer attempts.Wait()
	defer cancel(nil)
	answers := &answerWriter{out: json.NewEncoder(out), failed: cancel}
	for questions := json.NewDecoder(in); ; {
		var q question
		switch err := questions.Decode(&q); {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read a question: %w", err)
		}
		attempts.Go(func() { answers.write(q.answer(ctx)) })
	}
}

func (q question) answer(ctx context.Context) answer {
	a := answer{ID: q.ID}
	var err error
	switch {
	case q.Measure:
		a.Measures = new(measures)
		*a.Measures, err = takeMeasures("/") // which is on the disk that has all containers
	case q.Listens:
		a.Ports, err = listening("/proc/self/net")
	case q.Check != nil:
		err = q.attempt(ctx)
	default:
		err = errors.New("nothing is asked")
	}
	if err != nil {
		a.Error = err.Error()
	}
	return a
}

func (q question) attempt(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(q.Check.Timeout, defaultTimeout))
	defer cancel()
	return attempt(ctx, new(net.Dialer).DialContext, q.Host, *q.Check)
}

// answerWriter writes one answer after the other.
type answerWriter struct {
	mu     sync.Mutex
	out    *json.Encoder
	failed func(error)
}

func (w *answerWriter) write(a answer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.out.Encode(a); err != nil {
		w.failed(fmt.Errorf("write an answer: %w", err))
	}
}
