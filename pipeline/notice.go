package pipeline

import (
	"context"
	"strings"
	"time"

	"batuta"
)

// Notice is something that people should know and did not ask for.
type Notice struct {
	At          time.Time              `json:"at"`
	Kind        NoticeKind             `json:"kind"`
	App         batuta.AppName         `json:"app,omitempty"`
	Environment batuta.EnvironmentName `json:"environment,omitempty"`
	Ship        batuta.ShipName        `json:"ship,omitempty"`
	Run         batuta.RunID           `json:"run,omitempty"`
	Text        string                 `json:"text"`
}

// NoticeKind is what a notice is about.
type NoticeKind string

// The kinds of notices.
const (
	DriftSeen    NoticeKind = "drift seen"
	DriftGone    NoticeKind = "drift gone"
	ShipLost     NoticeKind = "ship lost"
	ShipBack     NoticeKind = "ship back"
	RepairFailed NoticeKind = "repair failed"
	RunFailed    NoticeKind = "run failed"
	WentLive     NoticeKind = "went live"
)

// notify tells people; that it cannot is told to the operator.
func (p *Pipeline) notify(ctx context.Context, n Notice) {
	if p.Notifier == nil {
		return
	}
	n.At = time.Now()
	if err := p.Notifier.Notify(ctx, n); err != nil && ctx.Err() == nil {
		p.Log.Error("notify", "kind", n.Kind, "err", err)
	}
}

// lines is a list on one line.
func lines(all []string) string { return strings.Join(all, "; ") }
