// Package pipeline is the run: it takes a push from the inbox, has its source
// fetched, its images built, a release made of them and the release deployed;
// and it takes the orders of people, to promote a release or to roll one back.
//
// A run is rows, not a goroutine's memory. Each step saves what it returned,
// so that a server that starts after a crash enters the run again, passes over
// the steps that ended, and goes on with the one that was interrupted.
//
// The steps' work is done by others: internal/gitsource, builder and deployer
// are the next parts of the journey, called through the small interfaces of
// ports.go.
package pipeline

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"batuta"
	"batuta/builder"
	"batuta/deployer"
	"batuta/internal/gitsource"
)

// App is what the server knows of an app: where its code is, and what its
// environments may ask for.
type App struct {
	Name       batuta.AppName
	Repository gitsource.Repository
	Images     string                           // where its images are pushed: registry host and path; the image's name follows
	Grants     map[batuta.EnvironmentName]Grant // by environment; an environment without one gets nothing
	Default    *Grant                           // for environments that Grants does not name; nil: they get nothing
	Registry   string                           // the host of the server's own registry, where other apps' images are, too; empty: an outside one is used
	Login      func(host string) builder.Login  // what the app's builds tell a registry; may be nil
	Secrets    map[string]string
	Poll       time.Duration                           // from one look at the repository to the next, where its recipe does not say; 0: none is taken
	Includes   []batuta.AppName                        // whose repositories it may include shared pipelines of
	Bases      []batuta.AppName                        // from whose images it may be built
	Listeners  []string                                // whom its recipe may have told, by their names in server.yml
	Floors     map[batuta.EnvironmentName]batuta.Stage // the rules of promotions to those that have any, which no recipe can loosen
	Keep       int                                     // releases of each environment whose images stay on the ships; at least 1
}

// Grant is what an environment may use of the server's ships.
type Grant struct {
	Ships []deployer.ShipInfo
	Allow deployer.Policy
}

// grant is what an environment of the app may use.
func (a App) grant(env batuta.EnvironmentName) (Grant, error) {
	if g, ok := a.Grants[env]; ok {
		return g, nil
	}
	if a.Default != nil {
		return *a.Default, nil
	}
	return Grant{}, &batuta.Error{Kind: batuta.Denied, Message: "server.yml gives " + string(a.Name) + " no environment " + string(env), Hint: "name it under apps." + string(a.Name) + ".environments"}
}

// Config is what a pipeline works with.
type Config struct {
	Apps      map[batuta.AppName]App
	Store     Store
	Source    Source
	Remote    Remote    // nil: no repository is polled, and every path counts as changed
	Commits   Historian // nil: nobody knows
	Builder   Builder
	Tester    Tester // nil: what has tests fails
	Pinner    Pinner
	Signer    Signer // nil: nothing is signed, and nothing has to be
	Fleet     Fleet
	Ships     map[batuta.ShipName]Ship
	Logs      Logs
	Log       *slog.Logger
	Artifacts string // directory of what tests leave, by run and test
	Dir       string // for the trees of runs in progress
	Key       []byte // the server's own, to hash secrets with
	AtOnce    int    // runs worked on at the same time
	Retries   int    // further attempts of a step when something outside does not answer
	Backoff   time.Duration

	Notifier   Notifier      // nil: nobody is told
	BasesEvery time.Duration // from one look at what the images from outside mean now to the next; 0: none is taken
	Every      time.Duration // from one look at all environments to the next; 0: none is taken
	Pulse      time.Duration // from one question to a ship whether it is there to the next; default 5 s
	KeepEvents int           // of each environment's history; default 10000

	KeepDeliveries time.Duration // how long what the forges delivered is kept; default 720h
	KeepLogs       time.Duration // how long the log of a run is kept after its end; default 2160h
}

// Pipeline works on runs. Its methods may be called at the same time.
type Pipeline struct {
	Config
	mu      sync.Mutex
	cancels map[batuta.RunID]context.CancelCauseFunc
	changed chan struct{} // closed and replaced whenever a run may have become ready

	places chan struct{} // holds an element for each run that is being worked on

	history *recorder
	ailing  *ailing
	seaway  chan struct{} // closed and replaced whenever a ship was lost, is back or was marked
	mail    chan struct{} // holds one when the outbox may have something new
	ground  chan struct{} // holds one when a base may have changed
}

// New makes a pipeline; Work sets it going, and Post tells the world of it.
func New(c Config) *Pipeline {
	c.Pulse, c.KeepEvents = cmp.Or(c.Pulse, 5*time.Second), cmp.Or(c.KeepEvents, 10_000)
	c.KeepDeliveries, c.KeepLogs = cmp.Or(c.KeepDeliveries, 720*time.Hour), cmp.Or(c.KeepLogs, 2160*time.Hour)
	if c.Notifier != nil {
		c.Store.Subscribe(c.Notifier.Addressees)
	}
	return &Pipeline{
		Config: c, mail: make(chan struct{}, 1), ground: make(chan struct{}, 1), cancels: map[batuta.RunID]context.CancelCauseFunc{}, changed: make(chan struct{}),
		places: make(chan struct{}, max(c.AtOnce, 1)), history: newRecorder(), ailing: &ailing{ids: map[deployer.Scope]map[string]bool{}}, seaway: make(chan struct{}),
	}
}

func (p *Pipeline) app(name batuta.AppName) (App, error) {
	if a, ok := p.Apps[name]; ok {
		return a, nil
	}
	return App{}, &batuta.Error{Kind: batuta.NotFound, Message: "no app " + string(name)}
}

// Deliver takes in a push. It is on disk when Deliver returns.
func (p *Pipeline) Deliver(ctx context.Context, push batuta.Push) (Receipt, error) {
	if _, err := p.app(push.App); err != nil {
		return Receipt{}, err
	}
	push.Message = batuta.Headline(push.Message)
	r, err := p.Store.Accept(ctx, push)
	if err == nil && !r.Duplicate {
		p.Wake()
	}
	return r, err
}

// Wake makes the workers look at the queue: something was put into it, or a
// run that stood in another's way has ended.
func (p *Pipeline) Wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.changed)
	p.changed = make(chan struct{})
}

// wakeup is closed at the next Wake.
func (p *Pipeline) wakeup() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}

// lookAround makes Reconcile look at all environments now.
func (p *Pipeline) lookAround() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.seaway)
	p.seaway = make(chan struct{})
}

// around is closed at the next lookAround.
func (p *Pipeline) around() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seaway
}
