// Package audit tells others what is done to an environment by hand, as a
// MaestroNG document's audit section says: a file, a web hook, a script, a
// channel. It stands around a play of package deployer.
package audit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"batuta/deployer"
	"batuta/deployer/maestro"
)

// Target is an instance that something is done to.
type Target struct {
	Name    string
	Service string
	Ship    string // its ship's address
}

// Trail tells the auditors of one play.
type Trail struct {
	auditors []maestro.Auditor
	action   string // start
	who      string
	targets  []Target
	begun    map[int]bool // the targets that something was told of
}

// moment is what an auditor is told.
type moment struct {
	stage   stage
	action  string
	who     string
	targets []Target
	why     error // of failed
	at      time.Time
	single  bool // one target of the play, for those who asked for every one
}

type stage int

const (
	begins stage = iota
	succeeded
	failed
)

// New makes the trail of a play: somebody does something to some targets.
func New(auditors []maestro.Auditor, action, who string, targets []Target) *Trail {
	return &Trail{auditors: auditors, action: action, who: who, targets: targets, begun: map[int]bool{}}
}

// Around tells that the play begins, lets it be played, and tells how it
// ended. If an auditor cannot be told of the beginning, and its errors are not
// ignored, nothing is played. That one cannot be told of the end changes
// nothing.
func (t *Trail) Around(ctx context.Context, play func() error) error {
	for _, a := range t.auditors {
		if err := tell(ctx, a, t.moment(begins, nil)); err != nil && !a.IgnoreErrors {
			return fmt.Errorf("tell the auditor %s, before anything was done: %w", a.Type, err)
		}
	}
	err := play()
	ctx = context.WithoutCancel(ctx)
	for _, a := range t.auditors {
		_ = tell(ctx, a, t.moment(end(err), err)) // the play is over
	}
	return err
}

func end(err error) stage {
	if err != nil {
		return failed
	}
	return succeeded
}

func (t *Trail) moment(s stage, why error) moment {
	return moment{stage: s, action: t.action, who: t.who, targets: t.targets, why: why, at: time.Now()}
}

// Cue tells those who want to know of every target what becomes of this one.
// It must not be called at the same time as itself.
func (t *Trail) Cue(ctx context.Context, c deployer.Cue) {
	if c.Number < 0 || c.Number >= len(t.targets) {
		return
	}
	for _, a := range t.auditors {
		if !a.Debug {
			continue
		}
		m := moment{action: t.action, who: t.who, targets: t.targets[c.Number : c.Number+1], at: time.Now(), single: true}
		if !t.begun[c.Number] {
			_ = tell(ctx, a, m) // MaestroNG, too, lets a play that has begun go on
		}
		if c.Final {
			m.stage, m.why = end(c.Err), c.Err
			_ = tell(ctx, a, m)
		}
	}
	t.begun[c.Number] = true
}

// tell tells one auditor, which is not interested in every stage.
func tell(ctx context.Context, a maestro.Auditor, m moment) error {
	switch {
	case a.Type == maestro.AuditLog:
		return appendTo(a.File, m)
	case a.Type == maestro.AuditHTTP && m.stage == begins:
		return request(ctx, a, m)
	case a.Type == maestro.AuditExec && m.stage == succeeded && !m.single:
		return execute(ctx, a, m)
	case a.Type == maestro.AuditSlack:
		return post(ctx, a, m)
	}
	return nil
}

// message is the moment as a person reads it, in MaestroNG's words.
func (m moment) message(what string) string {
	switch m.stage {
	case succeeded:
		return fmt.Sprintf("%s of %s succeeded.", strings.ToUpper(m.action[:1])+m.action[1:], what)
	case failed:
		return fmt.Sprintf("Failed to %s %s! (message: %s)", m.action, what, firstLine(m.why))
	}
	doing := m.action
	if doing == "stop" {
		doing = "stopp"
	}
	return fmt.Sprintf("%s is %sing %s.", m.who, doing, what)
}

// what names the targets.
func (m moment) what() string {
	var out []string
	for _, t := range m.targets {
		out = append(out, t.Name)
	}
	return strings.Join(out, ", ")
}

// compact names a few targets, and counts more.
func (m moment) compact() string {
	if len(m.targets) < 5 {
		return m.what()
	}
	return fmt.Sprintf("%d containers", len(m.targets))
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(errors.Join(err).Error(), "\n")
	return line
}
