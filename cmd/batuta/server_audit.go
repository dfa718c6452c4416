package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"batuta"
	"batuta/webhooks"
)

// refusalsAMinute is how many refused deliveries a minute, and as many refused
// orders, get a line of their own in the audit trail; the others share one.
// Anybody can send deliveries, and the trail keeps all it is given.
const refusalsAMinute = 30

// refusals counts what was refused in the current minute.
type refusals struct {
	mu    sync.Mutex
	since time.Time
	count int
}

// note counts one more. It tells whether this one gets a line of its own, and
// how many of the minute before got none.
func (r *refusals) note(now time.Time) (own bool, unsaid int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.since) >= time.Minute {
		unsaid = max(r.count-refusalsAMinute, 0)
		r.since, r.count = now, 0
	}
	r.count++
	return r.count <= refusalsAMinute, unsaid
}

// ownLine tells whether what was refused now gets a line of its own, after the
// line that those of the minute before share.
func (s *server) ownLine(ctx context.Context, r *refusals, action string) bool {
	now := time.Now()
	own, unsaid := r.note(now)
	if unsaid > 0 {
		s.audit(ctx, batuta.Entry{At: now, By: "batuta", Action: action, Detail: fmt.Sprintf("%d more in a minute", unsaid)})
	}
	return own
}

// auditRefusal keeps which delivery was turned away, and why.
func (s *server) auditRefusal(ctx context.Context, r webhooks.Refusal) {
	if !s.ownLine(ctx, &s.refusals, "webhooks refused") {
		return
	}
	s.log.Warn("webhook refused", "app", r.App, "source", r.Source, "forge", r.Forge, "delivery", r.Delivery, "reason", r.Reason)
	entry := batuta.Entry{At: time.Now(), By: r.Source, Action: "webhook refused", Object: r.Forge + " " + r.Delivery, Detail: r.Reason}
	if _, known := s.config.Apps[batuta.AppName(r.App)]; known {
		entry.App = batuta.AppName(r.App)
	}
	s.audit(ctx, entry)
}

// auditDenial keeps who asked for what without the right to it.
func (s *server) auditDenial(ctx context.Context, e batuta.Entry) {
	if _, known := s.config.Apps[e.App]; !known {
		e.App = ""
	}
	if s.ownLine(ctx, &s.denials, "orders refused") {
		s.audit(ctx, e)
	}
}

func (s *server) audit(ctx context.Context, e batuta.Entry) {
	if err := s.store.Audit(ctx, e); err != nil {
		s.log.Error("write the audit trail", "action", e.Action, "err", err)
	}
}
