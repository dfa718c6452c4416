// Package webhooks verifies and reads what a forge sends to
// POST /webhooks/{app}, one file per forge. A push is answered once it is
// durably kept; here the journey of a push begins, and it goes on in package
// pipeline.
package webhooks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"batuta"
)

// MaxBody is the largest delivery, in bytes: GitHub's own limit.
const MaxBody = 25 << 20

// Receipt is what became of a push.
type Receipt struct {
	Run       batuta.RunID
	Duplicate bool   // the delivery had been accepted before; Run is the run of that time
	Ignored   string // why no run follows from it; empty if one does
}

// Inbox takes in pushes.
type Inbox interface {
	// Deliver returns once the push is on disk. The same app, forge and
	// delivery again is the same push.
	Deliver(ctx context.Context, p batuta.Push) (Receipt, error)
}

// Apps knows which apps may be pushed to.
type Apps interface {
	// Webhook gives the secrets of the app's webhook, any of which may sign:
	// more than one while it is being changed. Without a secret every
	// delivery is refused.
	Webhook(app batuta.AppName) (secrets []string, ok bool)
}

// Refusal is a delivery that was turned away at the door.
type Refusal struct {
	App      string // as the sender wrote it
	Source   string // the sender's address
	Forge    string
	Delivery string
	Reason   string // for the operator; the sender gets the same answer for each
}

// Config is what a Receiver needs.
type Config struct {
	Apps   Apps
	Inbox  Inbox
	Forges []Forge                        // in the order in which they are recognised
	Audit  func(context.Context, Refusal) // nil if nobody wants to know
	Log    *slog.Logger                   // nil is slog.Default
}

// Receiver answers the forges.
type Receiver struct{ config Config }

var _ http.Handler = (*Receiver)(nil)

// New gives a Receiver.
func New(cfg Config) *Receiver {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Audit == nil {
		cfg.Audit = func(context.Context, Refusal) {}
	}
	return &Receiver{config: cfg}
}

// ServeHTTP takes in one delivery: 202 once a push is kept, 200 for what
// needs no run, 401 for a wrong signature as for an app that does not exist,
// 400 for what cannot be understood, 413 for what is too large, 503 when the
// push could not be kept. Nothing is parsed before its signature is checked.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	name, ok := strings.CutPrefix(req.URL.Path, "/webhooks/")
	if !ok || req.Method != http.MethodPost {
		answer(w, http.StatusMethodNotAllowed, reply{Error: "forges send a POST to /webhooks/{app}"})
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, MaxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		answer(w, http.StatusRequestEntityTooLarge, reply{Error: fmt.Sprintf("a delivery may have %d MiB", MaxBody>>20)})
		return
	} else if err != nil {
		answer(w, http.StatusBadRequest, reply{Error: "the delivery did not arrive whole"})
		return
	}
	forge, ok := r.recognise(req.Header)
	if !ok {
		answer(w, http.StatusBadRequest, reply{Error: "not the delivery of a forge that is known here: " + r.known()})
		return
	}
	if why := r.refuse(name, forge, req.Header, body); why != "" {
		r.config.Audit(req.Context(), Refusal{App: name, Source: req.RemoteAddr, Forge: forge.Name, Delivery: req.Header.Get(forge.DeliveryHeader), Reason: why})
		answer(w, http.StatusUnauthorized, reply{Error: "no such app, or the signature is not right"})
		return
	}
	r.take(w, req, batuta.AppName(name), forge, body)
}

// recognise tells which forge is speaking.
func (r *Receiver) recognise(h http.Header) (Forge, bool) {
	for _, f := range r.config.Forges {
		if h.Get(f.EventHeader) != "" {
			return f, true
		}
	}
	return Forge{}, false
}

// known names the forges.
func (r *Receiver) known() string {
	names := make([]string, len(r.config.Forges))
	for i, f := range r.config.Forges {
		names[i] = f.Name
	}
	return strings.Join(names, ", ")
}

// refuse checks the signature, and says why the delivery is not let in. For
// an app that does not exist, or has no secret, it takes as long.
func (r *Receiver) refuse(name string, forge Forge, h http.Header, body []byte) string {
	secrets, ok := r.config.Apps.Webhook(batuta.AppName(name))
	why := ""
	switch {
	case !ok:
		why, secrets = "unknown app", []string{"-"}
	case len(secrets) == 0:
		why, secrets = "the app has no webhook secret", []string{"-"}
	}
	signed := false
	for _, secret := range secrets {
		good := forge.Signed(h, body, secret) && secret != ""
		signed = signed || good
	}
	if why == "" && !signed {
		why = "wrong or missing signature"
	}
	return why
}

// take reads a delivery that was let in, and keeps it if it is a push.
func (r *Receiver) take(w http.ResponseWriter, req *http.Request, app batuta.AppName, forge Forge, body []byte) {
	payload, err := payloadOf(req.Header, body)
	if err != nil {
		answer(w, http.StatusBadRequest, reply{Error: err.Error()})
		return
	}
	event, err := forge.Read(req.Header.Get(forge.EventHeader), payload)
	switch {
	case err != nil:
		answer(w, http.StatusBadRequest, reply{Error: err.Error()})
		return
	case event.Push == nil:
		answer(w, http.StatusOK, reply{Ignored: event.Ignored})
		return
	}
	push := *event.Push
	push.App, push.Forge, push.Received = app, forge.Name, time.Now().UTC()
	push.Delivery = deliveryID(req.Header.Get(forge.DeliveryHeader), body)
	receipt, err := r.config.Inbox.Deliver(req.Context(), push)
	switch {
	case err != nil:
		r.config.Log.ErrorContext(req.Context(), "keep push", "app", app, "forge", forge.Name, "delivery", push.Delivery, "error", err)
		w.Header().Set("Retry-After", "30")
		answer(w, http.StatusServiceUnavailable, reply{Error: "the push could not be kept; deliver it again"})
	case receipt.Ignored != "":
		answer(w, http.StatusOK, reply{Ignored: receipt.Ignored})
	default:
		answer(w, http.StatusAccepted, reply{Run: receipt.Run, Duplicate: &receipt.Duplicate})
	}
}

// deliveryID is the forge's own, or made of the content where the forge gave
// none that could be kept.
func deliveryID(given string, body []byte) string {
	if given != "" && len(given) <= 100 && printable(given) {
		return given
	}
	sum := sha256.Sum256(body)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// reply is what a forge shows to the person who looks at its deliveries.
type reply struct {
	Run       batuta.RunID `json:"run,omitempty"`
	Duplicate *bool        `json:"duplicate,omitempty"`
	Ignored   string       `json:"ignored,omitempty"`
	Error     string       `json:"error,omitempty"`
}

func answer(w http.ResponseWriter, status int, r reply) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(r) //nolint:errcheck // the forge has hung up
}
