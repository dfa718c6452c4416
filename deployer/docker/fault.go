package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/client"

	"batuta"
)

// fault says what the ship did not do and gives the error its kind. One that
// has a kind keeps it; one of a ctx that was cancelled gets none.
func (s *Ship) fault(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	did := fmt.Sprintf(format, args...)
	act := fmt.Sprintf("ship %s: %s", s.name, did)
	if why := obstacle(err); why != nil {
		if why.Kind == batuta.Unavailable {
			act = fmt.Sprintf("ship %s does not answer: %s", s.name, did)
		}
		return &batuta.Error{Kind: why.Kind, Message: act, Hint: why.Hint, Err: why}
	}
	if known, ok := errors.AsType[*batuta.Error](err); ok && known.Kind != batuta.Internal || errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: %w", act, err)
	}
	e := &batuta.Error{Kind: kindOf(err), Message: act, Err: plain{err}}
	switch {
	case e.Kind == batuta.Unavailable:
		e.Err = s.silence(err)
		e.Message = fmt.Sprintf("ship %s does not answer: %s", s.name, did)
	case strings.Contains(err.Error(), diskFull):
		e.Kind, e.Hint = batuta.Conflict, "the ship's disk is full: free some space there, for example with docker system prune"
	case strings.Contains(err.Error(), "port is already allocated"), strings.Contains(err.Error(), "address already in use"):
		e.Kind, e.Hint = batuta.Conflict, "something else on the ship holds this host port"
	}
	return e
}

// obstacle is what keeps everything from reaching the Engine, as far as it is
// known; nil if nothing is.
func obstacle(err error) *batuta.Error {
	if b, ok := errors.AsType[*barred](err); ok {
		return b.cause
	}
	return tlsFault(err)
}

const diskFull = "no space left on device"

// kindOf tells what the Engine, or the way to it, means by an error.
func kindOf(err error) batuta.Kind {
	_, network := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded), client.IsErrConnectionFailed(err), network,
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errdefs.IsUnavailable(err):
		return batuta.Unavailable
	case errdefs.IsNotFound(err):
		return batuta.NotFound
	case errdefs.IsConflict(err):
		return batuta.Conflict
	case errdefs.IsInvalidArgument(err):
		return batuta.Invalid
	case errdefs.IsUnauthorized(err), errdefs.IsPermissionDenied(err):
		return batuta.Denied
	}
	return batuta.Internal
}

func kindOfStatus(status int) batuta.Kind {
	switch status {
	case http.StatusNotFound:
		return batuta.NotFound
	case http.StatusConflict:
		return batuta.Conflict
	case http.StatusBadRequest:
		return batuta.Invalid
	case http.StatusServiceUnavailable:
		return batuta.Unavailable
	}
	return batuta.Internal
}

// silence is why there was no answer, in which the address is the endpoint's
// rather than that of the question.
func (s *Ship) silence(err error) error {
	why := silence(err)
	asked := "tcp://" + s.origin.host
	if text := why.Error(); strings.Contains(text, asked) {
		return errors.New(strings.ReplaceAll(text, asked, s.origin.network+"://"+s.origin.address))
	}
	return why
}

// silence is why there was no answer, without the address of the question.
func silence(err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return plain{err}
}

// plain is an error of the Engine without the words in front of it that every
// one has.
type plain struct{ error }

func (p plain) Error() string {
	return strings.TrimPrefix(p.error.Error(), "Error response from daemon: ")
}

func (p plain) Unwrap() error { return p.error }
