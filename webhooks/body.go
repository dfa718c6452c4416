package webhooks

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	// MaxBody is the largest delivery, in bytes: GitHub's own limit.
	MaxBody = 25 << 20

	smallBody = 1 << 20     // bytes; what is larger, or does not say, is a large one
	roomy     = 8 * MaxBody // bytes of memory, for the small ones and for the large ones each
)

// errNoRoom is the end of a wait for other deliveries to be done with.
var errNoRoom = errors.New("no room for the body")

// bodies takes in what senders send, most of it before anything shows that
// they may: in bounded time, and what is kept in bounded memory.
type bodies struct {
	patience     time.Duration       // for one delivery, its wait for room included
	small, large *semaphore.Weighted // apart, so that the small never wait for the large
}

func newBodies(patience time.Duration) *bodies {
	return &bodies{patience: patience, small: semaphore.NewWeighted(roomy), large: semaphore.NewWeighted(roomy)}
}

// discard reads a body and keeps none of it. It hashes it, so that it takes
// as long as a body whose signature is checked.
func (b *bodies) discard(w http.ResponseWriter, req *http.Request) error {
	if err := limit(w, time.Now().Add(b.patience)); err != nil {
		return err
	}
	return arrive(w, req, hmac.New(sha256.New, []byte("-")))
}

// keep reads a body once there is room for it. Whoever gets it calls leave
// when done with it; after an error there is nothing to leave.
func (b *bodies) keep(w http.ResponseWriter, req *http.Request) (body []byte, leave func(), err error) {
	until := time.Now().Add(b.patience)
	if err := limit(w, until); err != nil {
		return nil, nil, err
	}
	room := b.small
	if req.ContentLength < 0 || req.ContentLength > smallBody {
		room = b.large
	}
	ctx, cancel := context.WithDeadline(req.Context(), until)
	defer cancel()
	size := footprint(req)
	if err := room.Acquire(ctx, size); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errNoRoom, err)
	}
	var kept bytes.Buffer
	kept.Grow(int(max(req.ContentLength, 0)) + bytes.MinRead) // MinRead more is needed to see the end without growing
	if err := arrive(w, req, &kept); err != nil {
		room.Release(size)
		return nil, nil, err
	}
	return kept.Bytes(), func() { room.Release(size) }, nil
}

// footprint is about how many bytes of memory a body takes until it is
// understood: a buffer that has to grow is copied, and a form is taken apart
// in copies.
func footprint(req *http.Request) int64 {
	length, copies := req.ContentLength, int64(1)
	if length < 0 {
		length, copies = MaxBody, 3
	}
	if isForm(req.Header) {
		copies += 3
	}
	return min(length*copies, roomy)
}

// arrive copies the body, at most MaxBody bytes of it, and lifts the limit on
// its time. After an error the limit stays, since the server itself reads some
// of what is left.
func arrive(w http.ResponseWriter, req *http.Request, to io.Writer) error {
	if _, err := io.Copy(to, http.MaxBytesReader(w, req.Body, MaxBody)); err != nil {
		return err
	}
	return limit(w, time.Time{})
}

// limit has the body arrive until then, where the connection can.
func limit(w http.ResponseWriter, until time.Time) error {
	err := http.NewResponseController(w).SetReadDeadline(until)
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("limit the time of the body: %w", err)
	}
	return nil
}

// answerUnread tells the sender why the body was not taken in.
func answerUnread(w http.ResponseWriter, err error) {
	w.Header().Set("Connection", "close")
	tooLarge := (*http.MaxBytesError)(nil)
	switch {
	case errors.As(err, &tooLarge):
		answer(w, http.StatusRequestEntityTooLarge, reply{Error: fmt.Sprintf("a delivery may have %d MiB", MaxBody>>20)})
	case errors.Is(err, errNoRoom):
		w.Header().Set("Retry-After", "30")
		answer(w, http.StatusServiceUnavailable, reply{Error: "too many large deliveries at once; deliver it again"})
	case errors.Is(err, os.ErrDeadlineExceeded):
		answer(w, http.StatusRequestTimeout, reply{Error: "the delivery took too long to arrive"})
	default:
		answer(w, http.StatusBadRequest, reply{Error: "the delivery did not arrive whole"})
	}
}
