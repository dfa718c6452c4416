package shiptest

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"

	"batuta"
	"batuta/deployer"
)

// Behaviour is how a container of the fake behaves. The zero value runs for
// ever, is ready at once and ends when it is told to.
type Behaviour struct {
	Exits       bool          // it ends by itself,
	ExitAfter   time.Duration // so long after its start,
	ExitCode    int           // with this code
	Prints      []string      // at its start
	ReadyAfter  time.Duration // since its start; its checks fail before
	NeverReady  bool
	IgnoresTERM bool
	Pages       map[string]string // what GET answers; nil: 200 everywhere
	Port        int               // the only one it listens on; 0: any
}

const firstRestart = 100 * time.Millisecond // as Docker does it

// box is a container of the fake. Its mutex is the ship's.
type box struct {
	deployer.Container
	mu        *sync.Mutex
	diary     *diary // the ship's
	of        deployer.Instance
	behaviour Behaviour
	printed   []string
	ended     chan struct{} // closed when the present life ends
	life      int           // counts the starts; timers of an earlier life do nothing
}

func (b *box) note(kind deployer.EventKind) { b.diary.note(b.Container, kind, b.ExitCode) }

func (b *box) alive() bool {
	return b.State == "running" || b.State == "restarting" || b.State == "paused"
}

func (b *box) start() {
	if b.State == "exited" {
		b.ended, b.Restarts = make(chan struct{}), 0
	}
	b.life++
	b.State, b.Started, b.ExitCode = "running", time.Now(), 0
	b.note(deployer.Started)
	b.printed = append(b.printed, b.behaviour.Prints...)
	b.Ports = nil
	for n, p := range b.of.Ports {
		if b.of.NetworkMode == "host" {
			break // nothing is published
		}
		if p.Host == 0 {
			p.Host = 40000 + 100*len(b.ID) + n // nobody asks for these
		}
		b.Ports = append(b.Ports, p)
	}
	if b.behaviour.Exits {
		b.later(b.behaviour.ExitAfter, func() { b.end(b.behaviour.ExitCode, true) })
	}
}

// later does something in the same life of the container.
func (b *box) later(after time.Duration, do func()) {
	life := b.life
	time.AfterFunc(after, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.life == life {
			do()
		}
	})
}

// end ends the present life. One that ended by itself comes again, if its
// restart policy says so.
func (b *box) end(code int, itself bool) {
	if !b.alive() {
		return
	}
	b.life++
	b.State, b.ExitCode, b.Ports = "exited", code, nil
	if itself {
		b.note(deployer.Crashed)
	} else {
		b.note(deployer.Stopped)
	}
	close(b.ended)
	if itself && (b.of.Restart == "always" || b.of.Restart == "unless-stopped") {
		b.State = "restarting"
		b.ended = make(chan struct{})
		b.later(firstRestart, func() {
			b.start()
			b.Restarts++
		})
	}
}

// stop sends SIGTERM, and SIGKILL after the timeout.
func (b *box) stop(timeout time.Duration) <-chan struct{} {
	ended := b.ended
	if b.State == "running" && b.behaviour.IgnoresTERM {
		b.later(timeout, func() { b.end(137, false) })
	} else {
		b.end(0, false)
	}
	return ended
}

func (b *box) wantsPortOf(taken []deployer.Port) bool {
	return b.of.NetworkMode != "host" && slices.ContainsFunc(b.of.Ports, func(p deployer.Port) bool {
		return p.Host != 0 && slices.ContainsFunc(taken, func(q deployer.Port) bool {
			return p.Host == q.Host && p.Protocol == q.Protocol
		})
	})
}

func (b *box) probe(c deployer.Check) error {
	ours := []deployer.CheckType{deployer.CheckTCP, deployer.CheckHTTP, deployer.CheckExec, deployer.CheckHealth}
	switch {
	case c.Outside != "", !slices.Contains(ours, c.Type):
		return &batuta.Error{Kind: batuta.Invalid, Message: "not a check that a ship makes"}
	case c.Type == deployer.CheckHealth && b.of.Healthcheck == nil:
		return &batuta.Error{Kind: batuta.Invalid, Message: "the container has no health check of Docker's"}
	}
	if b.behaviour.NeverReady || time.Since(b.Started) < b.behaviour.ReadyAfter {
		return errors.New("connection refused")
	}
	switch {
	case c.Type == deployer.CheckExec:
		return b.exec(c.Command)
	case c.Type == deployer.CheckHealth:
		return nil
	case b.behaviour.Port != 0 && b.behaviour.Port != c.Port:
		return errors.New("connection refused")
	case c.Type == deployer.CheckTCP || b.behaviour.Pages == nil:
		return nil
	}
	page, ok := b.behaviour.Pages[c.Path]
	status := http.StatusOK
	if !ok {
		status = http.StatusNotFound
	}
	if !c.Passes(status) {
		return fmt.Errorf("%d %s", status, http.StatusText(status))
	}
	if match, err := regexp.MatchString(c.Match, page); err != nil || !match {
		return fmt.Errorf("the page does not match %s", c.Match)
	}
	return nil
}

// exec knows the commands of the contract.
func (b *box) exec(command []string) error {
	switch {
	case slices.Equal(command, failing()):
		return errors.New("exited 1")
	case slices.Equal(command, seesToken()) && !slices.ContainsFunc(b.of.Env, func(v deployer.Variable) bool {
		return v.Name == "TOKEN" && v.Value == token
	}):
		return errors.New("exited 1")
	}
	return nil
}
