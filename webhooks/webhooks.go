// Package webhooks verifies and reads what a forge sends to
// POST /webhooks/{app}, and a registry to POST /webhooks/{app}/registry, one
// file per forge and registry. A push is answered once it is
// durably kept; here the journey of a push begins, and it goes on in package
// pipeline.
package webhooks

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"batuta"
)

// patience is how long a delivery may take to arrive. GitHub gives up after
// ten seconds, Gitea after five.
const patience = 30 * time.Second

// wrongSignature is the reason of a refusal.
const wrongSignature = "wrong or missing signature"

// Receipt is what became of a push.
type Receipt struct {
	Run       batuta.RunID
	Duplicate bool   // the delivery had been accepted before; Run is the run of that time
	Ignored   string // why no run follows from it; empty if one does
}

// Inbox takes in what the forges deliver.
type Inbox interface {
	// Deliver returns once the delivery is on disk. If its Decision is made
	// already, it is only kept for people to look at. The same app, forge and
	// delivery again is the same push.
	Deliver(ctx context.Context, d batuta.Delivery) (Receipt, error)
}

// Apps knows which apps may be pushed to.
type Apps interface {
	// Webhook gives the secrets of the app's webhook, any of which may sign:
	// more than one while it is being changed. Without a secret every
	// delivery is refused.
	Webhook(app batuta.AppName) (secrets []string, ok bool)
}

// Refusal is a delivery that was turned away at the door. What the sender
// wrote is cut to 200 runes, with "�" for each that cannot be printed.
type Refusal struct {
	App      string // as the sender wrote it
	Source   string // the sender's address
	Forge    string
	Delivery string // as the sender wrote it
	Reason   string // for the operator; the sender gets the same answer for each
}

// Config is what a Receiver needs.
type Config struct {
	Apps   Apps
	Inbox  Inbox
	Forges []Forge                        // in the order in which they are recognised
	Images []Forge                        // the registries, likewise
	Censor Censor                         // nil: one that knows the webhooks' secrets, as they stand
	Audit  func(context.Context, Refusal) // nil if nobody wants to know
	Log    *slog.Logger                   // nil is slog.Default

	// Patience is how long a delivery may take to arrive, its wait for
	// others to be done included; 0 is 30 seconds.
	Patience time.Duration

	// MaxAge is how old a delivery may be whose forge tells when what it is
	// about happened; 0 is 24 hours.
	MaxAge time.Duration

	Pace    Pace           // of one address to one app
	Proxies []netip.Prefix // whose X-Forwarded-For is believed
}

// Receiver answers the forges.
type Receiver struct {
	config    Config
	bodies    *bodies
	turnstile *turnstile
}

var _ http.Handler = (*Receiver)(nil)

// New gives a Receiver.
func New(cfg Config) *Receiver {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Audit == nil {
		cfg.Audit = func(context.Context, Refusal) {}
	}
	if cfg.Censor == nil {
		cfg.Censor = door{cfg.Apps}
	}
	cfg.MaxAge = cmp.Or(cfg.MaxAge, maxAge)
	return &Receiver{config: cfg, bodies: newBodies(cmp.Or(cfg.Patience, patience)), turnstile: newTurnstile(cfg.Pace)}
}

// ServeHTTP takes in one delivery: 202 once a push is kept, 200 for what
// needs no run, 401 for a wrong signature as for an app that does not exist,
// 400 for what cannot be understood or is too old, 408 for what arrives too slowly, 413 for
// what is too large, 429 for who sends too much, 503 when there was no room for it or the push could not
// be kept. A body that its headers already rule out is never in memory, and
// nothing is parsed before its signature is checked.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	name, ok := strings.CutPrefix(req.URL.Path, "/webhooks/")
	if !ok || req.Method != http.MethodPost {
		answer(w, http.StatusMethodNotAllowed, reply{Error: "forges send a POST to /webhooks/{app}, registries to /webhooks/{app}/registry"})
		return
	}
	senders := r.config.Forges
	if app, registry := strings.CutSuffix(name, "/registry"); registry {
		name, senders, req = app, r.config.Images, withURLToken(req)
	}
	if wait := r.wait(name, req); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		answer(w, http.StatusTooManyRequests, reply{Error: "too many deliveries from this address; come back later"})
		return
	}
	forge, known := recognise(senders, req.Header)
	secrets, why := r.knock(name, forge, req)
	if !known || why != "" {
		if err := r.bodies.discard(w, req); err != nil {
			answerUnread(w, err)
			return
		}
	}
	switch {
	case !known:
		answer(w, http.StatusBadRequest, reply{Error: "not the delivery of a forge that is known here: " + names(senders)})
		return
	case why != "":
		r.refuse(w, req, name, forge, why)
		return
	}
	body, leave, err := r.bodies.keep(w, req)
	if err != nil {
		answerUnread(w, err)
		return
	}
	defer leave()
	if !signed(forge, req.Header, body, secrets) {
		r.refuse(w, req, name, forge, wrongSignature)
		return
	}
	r.take(w, req, forge, body, batuta.Delivery{App: batuta.AppName(name), Forge: forge.Name, Source: r.source(req), Received: time.Now().UTC()})
}

// wait is how long the sender has to stay away.
func (r *Receiver) wait(name string, req *http.Request) time.Duration {
	v := visitor{from: network(source(req, r.config.Proxies))}
	if _, ok := r.config.Apps.Webhook(batuta.AppName(name)); ok {
		v.app = batuta.AppName(name)
	}
	return r.turnstile.wait(v, time.Now())
}

// source is the sender's address, for people.
func (r *Receiver) source(req *http.Request) string {
	if at := source(req, r.config.Proxies); at.IsValid() {
		return at.String()
	}
	return shown(req.RemoteAddr)
}

// recognise tells which forge is speaking.
func recognise(forges []Forge, h http.Header) (Forge, bool) {
	for _, f := range forges {
		if f.recognises(h) {
			return f, true
		}
	}
	return Forge{}, false
}

// names lists the forges, for people.
func names(forges []Forge) string {
	all := make([]string, len(forges))
	for i, f := range forges {
		all[i] = f.Name
	}
	return strings.Join(all, ", ")
}

// knock gives the secrets that may have signed a delivery, or says why it
// cannot be let in, whatever its body is.
func (r *Receiver) knock(name string, forge Forge, req *http.Request) (secrets []string, why string) {
	secrets, ok := r.config.Apps.Webhook(batuta.AppName(name))
	switch {
	case !ok:
		return nil, "unknown app"
	case len(secrets) == 0:
		return nil, "the app has no webhook secret"
	case first(req.Header, forge.SignatureHeaders) == "":
		return nil, wrongSignature
	case req.ContentLength > MaxBody: // the sender hears so once it has sent that much
		return nil, "too large"
	}
	return secrets, ""
}

// signed tells whether one of the secrets signed the body.
func signed(forge Forge, h http.Header, body []byte, secrets []string) bool {
	found := false
	for _, secret := range secrets {
		good := forge.Signed(h, body, secret) && secret != ""
		found = found || good
	}
	return found
}

// refuse turns a delivery away. Only the operator learns why.
func (r *Receiver) refuse(w http.ResponseWriter, req *http.Request, name string, forge Forge, why string) {
	r.config.Audit(req.Context(), Refusal{
		App: shown(name), Source: r.source(req), Forge: forge.Name,
		Delivery: shown(first(req.Header, forge.DeliveryHeaders)), Reason: why,
	})
	answer(w, http.StatusUnauthorized, reply{Error: "no such app, or the signature is not right"})
}

// take reads a delivery that was let in, and keeps what it says.
func (r *Receiver) take(w http.ResponseWriter, req *http.Request, forge Forge, body []byte, d batuta.Delivery) {
	event, err := read(forge, req.Header, body)
	if why := expired(event.sent, d.Received, r.config.MaxAge); err == nil && why != "" {
		err = errors.New(why)
	}
	p := pen{r.config.Censor, d.App}
	d.Delivery = p.id(cmp.Or(first(req.Header, forge.DeliveryHeaders), event.Delivery), body)
	d.Event = p.line(clean(cmp.Or(req.Header.Get(forge.EventHeader), event.Name), asRead), 100)
	d.Clone, d.Payload = p.line(event.Clone, 500), p.payload(body)
	switch {
	case err != nil:
		why := p.line(clean(err.Error(), asRead), 500)
		r.note(req.Context(), d, "refused: "+why)
		answer(w, http.StatusBadRequest, reply{Error: why})
		return
	case len(event.Moves) == 0:
		why := p.line(event.Ignored, 500)
		r.note(req.Context(), d, "ignored: "+why)
		answer(w, http.StatusOK, reply{Ignored: why})
		return
	}
	said, err := r.keep(req.Context(), p, d, event.Moves)
	if err != nil {
		r.config.Log.ErrorContext(req.Context(), "keep push", "app", d.App, "forge", d.Forge, "delivery", d.Delivery, "error", err)
		w.Header().Set("Retry-After", "30")
		answer(w, http.StatusServiceUnavailable, reply{Error: "the push could not be kept; deliver it again"})
		return
	}
	status := http.StatusAccepted
	if said.Run == 0 {
		status = http.StatusOK
	}
	answer(w, status, said)
}

// read understands a delivery whose signature was right.
func read(forge Forge, h http.Header, body []byte) (Event, error) {
	payload, err := payloadOf(h, body)
	if err != nil {
		return Event{}, err
	}
	event, err := forge.Read(h.Get(forge.EventHeader), payload)
	if forge.Dated != nil {
		event.sent = forge.Dated(payload)
	}
	return event, err
}

// note keeps a delivery that nothing follows from. The forge has no use for
// knowing that this did not work.
func (r *Receiver) note(ctx context.Context, d batuta.Delivery, decision string) {
	d.Decision = decision
	if _, err := r.config.Inbox.Deliver(ctx, d); err != nil {
		r.config.Log.ErrorContext(ctx, "keep delivery", "app", d.App, "forge", d.Forge, "delivery", d.Delivery, "error", err)
	}
}

// keep takes in every branch and tag that moved, and every image that was
// pushed, each as a delivery of its own, in their order; the first has the
// payload. If one cannot be kept, the delivery has to come again: those that
// are kept already are known then.
func (r *Receiver) keep(ctx context.Context, p pen, sent batuta.Delivery, moves []Move) (reply, error) {
	var said reply
	var ignored []string
	for n, m := range moves {
		m = p.move(m)
		d := of(sent, n, m)
		if m.Ignored != "" {
			ignored = append(ignored, m.Ignored)
			r.note(ctx, d, "ignored: "+m.Ignored)
			continue
		}
		receipt, err := r.config.Inbox.Deliver(ctx, d)
		switch {
		case err != nil:
			return reply{}, err
		case receipt.Ignored != "":
			ignored = append(ignored, receipt.Ignored)
		case said.Run == 0:
			said.Run, said.Duplicate = receipt.Run, &receipt.Duplicate
		default:
			said.More = append(said.More, receipt.Run)
		}
	}
	said.Ignored = strings.Join(ignored, "; ")
	return said, nil
}

// of is the part of a delivery that is about one of its moves.
func of(d batuta.Delivery, n int, m Move) batuta.Delivery {
	if n > 0 {
		d.Delivery, d.Payload = fmt.Sprintf("%s/%d", d.Delivery, n), ""
	}
	d.Delivery, d.Event = cmp.Or(m.Delivery, d.Delivery), cmp.Or(m.Event, d.Event)
	p := m.Push
	d.Ref, d.Before, d.After, d.Sender, d.Message, d.Pull, d.Paths = p.Ref, p.Before, p.Revision, p.Sender, p.Message, p.Pull, m.Paths
	return d
}

// reply is what a forge shows to the person who looks at its deliveries.
type reply struct {
	Run       batuta.RunID   `json:"run,omitempty"`
	Duplicate *bool          `json:"duplicate,omitempty"` // of Run
	More      []batuta.RunID `json:"more,omitempty"`      // runs of the other branches and tags
	Ignored   string         `json:"ignored,omitempty"`
	Error     string         `json:"error,omitempty"`
}

func answer(w http.ResponseWriter, status int, r reply) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(r) //nolint:errcheck // the forge has hung up
}
