package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"batuta"
)

// How a log that broke off is taken up again.
const (
	firstPause = 100 * time.Millisecond
	longPause  = 3 * time.Second
	patience   = 20 // attempts in a row that bring nothing
)

// Log writes to w what a run printed, or only what one of its steps printed:
// lines of time, step and text, separated by tabs. With follow it returns once
// the run has ended; if the connection breaks before, it goes on where it
// broke, for about a minute.
func (c *Client) Log(ctx context.Context, id batuta.RunID, step string, follow bool, w io.Writer) error {
	l := &logReader{c: c, id: id, step: step, follow: follow, w: w}
	pause := firstPause
	for idle := 0; ; idle++ {
		before := l.offset
		done, err := l.once(ctx)
		if done || err != nil && !errors.Is(err, batuta.Unavailable) || idle == patience {
			return err
		}
		if l.offset > before {
			idle, pause = 0, firstPause
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
		pause = min(2*pause, longPause)
	}
}

type logReader struct {
	c      *Client
	id     batuta.RunID
	step   string
	follow bool
	w      io.Writer
	offset int64 // bytes written to w
}

// once reads until the stream ends, which is the end of the log, or breaks.
func (l *logReader) once(ctx context.Context) (done bool, err error) {
	q := query{"step": l.step, "offset": number(l.offset)}
	if l.follow {
		q["follow"] = "true"
	}
	r, err := l.c.send(ctx, http.MethodGet, runPath(l.id, "/log")+q.String(), nil)
	if err != nil {
		return false, err
	}
	defer r.Body.Close()
	chunk := make([]byte, 32<<10)
	for {
		n, broken := r.Body.Read(chunk)
		if _, err := l.w.Write(chunk[:n]); err != nil {
			return true, fmt.Errorf("show the log: %w", err)
		}
		l.offset += int64(n)
		switch {
		case errors.Is(broken, io.EOF):
			return true, nil
		case broken != nil:
			return false, l.c.unreachable(ctx, broken)
		}
	}
}
