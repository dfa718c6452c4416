package docker

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"

	"batuta"
	"batuta/deployer"
)

// lookBack is how far before the instant somebody asks from the Engine's
// events are read, to know who was being ended then.
const lookBack = time.Hour

// Watch calls each for everything that happens to containers of ours after
// the instant since, by the ship's clock, in order, until ctx ends or the ship
// does not answer any more. Who calls it again with the last Occurrence's At
// misses nothing and gets nothing twice, as far back as the Engine remembers:
// its last 256 events. The zero instant means all of these.
func (s *Ship) Watch(ctx context.Context, since time.Time, each func(deployer.Occurrence)) error {
	return s.fault(s.watch(ctx, since, each), "watch what happens")
}

func (s *Ship) watch(ctx context.Context, since time.Time, each func(deployer.Occurrence)) error {
	c, err := s.engine(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	news, failed := c.Events(ctx, events.ListOptions{
		Since:   stamp(since.Add(-lookBack)),
		Filters: filters.NewArgs(filters.Arg("type", string(events.ContainerEventType)), filters.Arg("label", labelInstance)),
	})
	w, late := watcher{lives: map[string]*lived{}}, hold{each: each}
	for {
		select {
		case m := <-news:
			if m.Action == events.ActionOOM && late.explain(m.Actor.ID) {
				continue
			}
			if o, tells := w.read(m); tells && o.At.After(since) {
				late.tell(o)
			}
		case <-late.due:
			late.release()
		case err := <-failed:
			late.release()
			return err
		}
	}
}

// An Engine that has much to do tells that memory was wanting up to a moment
// after it told what that ended.
const lateCause = time.Second

// hold keeps back what happened from a crash on that may be for want of
// memory, until that is told or can no more be, so that the order stays.
type hold struct {
	each func(deployer.Occurrence)
	kept []deployer.Occurrence
	due  <-chan time.Time
}

func (h *hold) tell(o deployer.Occurrence) {
	const killed = 137
	doubtful := o.Kind == deployer.Crashed && o.ExitCode == killed && !o.OOMKilled
	switch {
	case h.due == nil && !doubtful:
		h.each(o)
		return
	case h.due == nil:
		h.due = time.After(lateCause)
	}
	h.kept = append(h.kept, o)
}

// explain marks the container's crash that is kept, if there is one.
func (h *hold) explain(container string) bool {
	for i := range h.kept {
		if o := &h.kept[i]; o.Container == container && o.Kind == deployer.Crashed && !o.OOMKilled {
			o.OOMKilled = true
			return true
		}
	}
	return false
}

func (h *hold) release() {
	for _, o := range h.kept {
		h.each(o)
	}
	h.kept, h.due = nil, nil
}

// stamp is an instant as the Engine reads it. Before 1970 nothing happened.
func stamp(t time.Time) string {
	if t.Unix() < 1 {
		return "1"
	}
	return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond())
}

// watcher makes occurrences of the Engine's events.
type watcher struct {
	lives map[string]*lived // by container
}

// lived is what is known of a container's present life.
type lived struct {
	told bool // it was told to end
	oom  bool // a process of it was ended for want of memory
}

// read tells what an event means; nothing, if it only prepares another.
func (w watcher) read(m events.Message) (deployer.Occurrence, bool) {
	o := occurrence(m)
	life := w.lives[o.Container]
	if life == nil {
		life = &lived{}
		w.lives[o.Container] = life
	}
	switch m.Action {
	case events.ActionCreate:
		o.Kind = deployer.Created
	case events.ActionStart:
		*life = lived{}
		o.Kind = deployer.Started
	case events.ActionKill:
		life.told = life.told || ends(m.Actor.Attributes["signal"])
	case events.ActionOOM:
		life.oom = true
	case events.ActionDie:
		o.Kind, o.OOMKilled = deployer.Crashed, life.oom
		if life.told {
			o.Kind = deployer.Stopped
		}
		o.ExitCode, _ = strconv.Atoi(m.Actor.Attributes["exitCode"])
		*life = lived{}
	case events.ActionDestroy:
		delete(w.lives, o.Container)
		o.Kind = deployer.Removed
	case events.ActionHealthStatusHealthy:
		o.Kind = deployer.Ready
	case events.ActionHealthStatusUnhealthy:
		o.Kind = deployer.Unready
	}
	return o, o.Kind != ""
}

// ends tells whether a signal, by Linux's number, asks a program to end. Those
// that are for something else, such as to read its configuration again, do not.
func ends(signal string) bool {
	const hup, usr1, usr2, cont = "1", "10", "12", "18"
	return !slices.Contains([]string{hup, usr1, usr2, cont}, signal)
}

func occurrence(m events.Message) deployer.Occurrence {
	has := m.Actor.Attributes
	release, _ := strconv.Atoi(has[labelRelease])
	return deployer.Occurrence{
		At:      time.Unix(0, m.TimeNano),
		Scope:   deployer.Scope{App: batuta.AppName(has[labelApp]), Environment: batuta.EnvironmentName(has[labelEnvironment])},
		Service: batuta.ServiceName(has[labelService]), Instance: batuta.InstanceName(has[labelInstance]),
		Release: batuta.ReleaseNumber(release), Container: m.Actor.ID,
	}
}
