package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"batuta"
	"batuta/webhooks"
)

// refusalsAMinute is how many refused deliveries a minute get a line of their
// own in the audit trail; the others share one. Anybody can send deliveries,
// and the trail keeps all it is given.
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

// auditRefusal keeps who was turned away, and why.
func (s *server) auditRefusal(ctx context.Context, r webhooks.Refusal) {
	now := time.Now()
	own, unsaid := s.refusals.note(now)
	if unsaid > 0 {
		s.audit(ctx, batuta.Entry{At: now, By: "batuta", Action: "webhooks refused", Detail: fmt.Sprintf("%d more in a minute", unsaid)})
	}
	if !own {
		return
	}
	s.log.Warn("webhook refused", "app", r.App, "source", r.Source, "forge", r.Forge, "delivery", r.Delivery, "reason", r.Reason)
	entry := batuta.Entry{At: now, By: r.Source, Action: "webhook refused", Object: r.Forge + " " + r.Delivery, Detail: r.Reason}
	if _, known := s.config.Apps[batuta.AppName(r.App)]; known {
		entry.App = batuta.AppName(r.App)
	}
	s.audit(ctx, entry)
}

func (s *server) audit(ctx context.Context, e batuta.Entry) {
	if err := s.store.Audit(ctx, e); err != nil {
		s.log.Error("write the audit trail", "action", e.Action, "err", err)
	}
}
