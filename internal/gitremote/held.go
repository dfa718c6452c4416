package gitremote

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// heldResponse keeps the answer to a push back until the push is recorded. An
// answer longer than its limit is passed through from there on.
type heldResponse struct {
	w       http.ResponseWriter
	limit   int // bytes
	status  int
	body    []byte
	flowing bool // too long: nothing is held any more
}

// Header is that of the response beneath.
func (h *heldResponse) Header() http.Header { return h.w.Header() }

// WriteHeader keeps the status.
func (h *heldResponse) WriteHeader(status int) { h.status = status }

// Write keeps p, or passes it on if there is too much.
func (h *heldResponse) Write(p []byte) (int, error) {
	if !h.flowing {
		h.body = append(h.body, p...)
		if len(h.body) <= h.limit {
			return len(p), nil
		}
		if err := h.flow(); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	return h.w.Write(p)
}

// release sends the answer, with the lines that say gives for the refs that
// git accepted, for the pusher to read; provided that the answer has a side
// band, where such lines go.
func (h *heldResponse) release(say func(accepted []string) []string) {
	if h.flowing {
		return
	}
	if report, ok := readSideband(h.body); ok {
		body := h.body[:len(h.body)-len(flush)]
		for _, line := range say(acceptedRefs(report)) {
			body = append(body, progress(line)...)
		}
		h.body = append(body, flush...)
	}
	h.w.Header().Del("Content-Length")
	h.flow() //nolint:errcheck // the client has gone; the push is recorded
}

// flow passes on what was held.
func (h *heldResponse) flow() error {
	h.flowing = true
	if h.status != 0 {
		h.w.WriteHeader(h.status)
	}
	_, err := h.w.Write(h.body)
	h.body = nil
	return err
}

// flush ends a list of pkt-lines, see gitprotocol-common(5).
const flush = "0000"

// The bands of a multiplexed answer, see gitprotocol-pack(5).
const (
	bandData     = 1
	bandProgress = 2
	bandError    = 3
)

// progress is a pkt-line of the band that a client shows to its user. It
// keeps to the shortest limit there is, that of side-band: 1000 bytes.
func progress(line string) []byte {
	line = strings.ToValidUTF8(line[:min(len(line), 900)], "") + "\n"
	return fmt.Appendf(nil, "%04x%c%s", len(line)+5, bandProgress, line)
}

// readSideband gives the data band of an answer that is multiplexed and ends
// in a flush; ok is false for any other.
func readSideband(body []byte) (data []byte, ok bool) {
	for {
		line, rest, ok := cutLine(body)
		switch {
		case !ok:
			return nil, false
		case line == nil: // a flush
			return data, len(rest) == 0 && data != nil
		case len(line) == 0 || line[0] < bandData || line[0] > bandError:
			return nil, false
		case line[0] == bandData:
			data = append(data, line[1:]...)
		}
		body = rest
	}
}

// acceptedRefs are the refs that a report-status says were changed.
func acceptedRefs(report []byte) []string {
	var refs []string
	for {
		line, rest, ok := cutLine(report)
		if !ok || line == nil {
			return refs
		}
		if ref, found := bytes.CutPrefix(bytes.TrimSuffix(line, []byte("\n")), []byte("ok ")); found {
			refs = append(refs, string(ref))
		}
		report = rest
	}
}

// cutLine takes the first pkt-line off; line is nil for a flush.
func cutLine(b []byte) (line, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n, err := strconv.ParseUint(string(b[:4]), 16, 16)
	switch {
	case err != nil || int(n) > len(b):
		return nil, nil, false
	case n == 0:
		return nil, b[4:], true
	case n < 4:
		return nil, nil, false
	}
	return b[4:n], b[n:], true
}
