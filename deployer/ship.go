package deployer

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"batuta"
)

// Instance is one container as it is meant to be: everything resolved, nothing
// left to a tag or a default of the day.
type Instance struct {
	Name        batuta.InstanceName `json:"name"`
	Service     batuta.ServiceName  `json:"service"`
	Ship        batuta.ShipName     `json:"ship"`
	Image       batuta.Image        `json:"image"`
	Reference   string              `json:"reference,omitempty"` // the image as written, for verbs that ask no registry; Image is zero then
	Called      string              `json:"called,omitempty"`    // the container's name if nobody else on the ship has it; empty: one made of scope, instance and config
	Command     []string            `json:"command,omitempty"`   // nil: the image's own
	Env         []Variable          `json:"env,omitempty"`       // sorted by name
	Ports       []Port              `json:"ports,omitempty"`     // sorted by name
	Volumes     []Volume            `json:"volumes,omitempty"`   // sorted by target
	Restart     string              `json:"restart"`             // Docker's restart policy
	StopTimeout time.Duration       `json:"stop_timeout"`        // from SIGTERM to SIGKILL
	Checks      []Check             `json:"checks,omitempty"`    // all must pass before it counts as ready
	Lifecycle   Lifecycle           `json:"lifecycle,omitzero"`
	Settings
	Config string `json:"config"` // hash of all of the above; equal config, equal container

	Spec string `json:"-"` // all of the above as JSON, secrets as keyed hashes; kept in the label batuta.spec
	// Requires are the services that its own requires; kept in the label
	// batuta.requires, for when the document does not tell any more.
	Requires  []batuta.ServiceName `json:"-"`
	StopFirst bool                 `json:"-"` // the old one has to stop before a new one starts; not the container's business

	secrets []string // the values in Env that must not be shown
}

// Variable is one environment variable. A secret's value is in Value too, and
// is never printed or marshalled.
type Variable struct {
	Name   string `json:"name"`
	Value  string `json:"-"`
	Secret bool   `json:"secret,omitempty"`
	Unset  bool   `json:"unset,omitempty"` // the image's variable of this name is taken away
}

// Port is one port of a container. Host 0 means that Docker picks a free one.
type Port struct {
	Name      string `json:"name"`
	Container int    `json:"container"`
	Host      int    `json:"host,omitempty"`
	HostEnd   int    `json:"host_end,omitempty"` // Docker picks one of Host to HostEnd; 0: Host it is
	Address   string `json:"address,omitempty"`  // the ship's address to publish on; empty: all
	Protocol  string `json:"protocol"`           // tcp or udp
}

// Volume mounts a directory of the ship, or a named volume, into a container.
type Volume struct {
	Source   string `json:"source"` // an absolute path, or a volume's name
	Target   string `json:"target"`
	ReadOnly bool   `json:"read_only,omitempty"`
	Options  string `json:"options,omitempty"` // further words of Docker's mode: z, Z, cached
}

// CheckType is how a check looks at a container.
type CheckType string

// The types of checks.
const (
	CheckTCP  CheckType = "tcp"  // the port takes a connection
	CheckHTTP CheckType = "http" // the port answers a GET with 2xx or 3xx, and Match if given
	CheckExec CheckType = "exec" // the command exits 0 inside the container

	CheckHealth CheckType = "health" // Docker's own health check says healthy
	CheckSleep  CheckType = "sleep"  // Wait has gone by
	CheckLocal  CheckType = "local"  // the command exits 0 where Batuta runs, with the container's environment
)

// Check is one condition of readiness. It is made at the container's own
// address, never through a published port: docker-proxy accepts connections
// for applications that do not listen yet.
type Check struct {
	Type    CheckType `json:"type"`
	Port    int       `json:"port,omitempty"` // the container's
	Path    string    `json:"path,omitempty"`
	Host    string    `json:"host,omitempty"`  // the Host header
	Match   string    `json:"match,omitempty"` // regular expression on the body's first MiB
	Command []string  `json:"command,omitempty"`

	Scheme   string            `json:"scheme,omitempty"`   // of CheckHTTP: http (empty) or https
	Method   string            `json:"method,omitempty"`   // of CheckHTTP; empty: GET
	Headers  map[string]string `json:"headers,omitempty"`  // of CheckHTTP
	Insecure bool              `json:"insecure,omitempty"` // of https: whatever the certificate
	Exactly  int               `json:"exactly,omitempty"`  // of CheckHTTP: the only status that passes; 0: 200 to 399
	Any      bool              `json:"any,omitempty"`      // of CheckHTTP: every status passes, if the page matches
	Follow   bool              `json:"follow,omitempty"`   // of CheckHTTP: redirects are followed, and the last answer counts
	Outside  string            `json:"outside,omitempty"`  // of CheckHTTP and CheckTCP: the host to ask from where Batuta runs, instead of the container
	Wait     time.Duration     `json:"wait,omitempty"`     // of CheckSleep
	Stdin    bool              `json:"stdin,omitempty"`    // of CheckLocal: the container's environment comes as JSON on its stdin

	Attempts int           `json:"attempts,omitempty"` // of CheckExec and CheckLocal: it fails after so many, an Interval apart; 0: MaxWait decides
	MaxWait  time.Duration `json:"max_wait"`           // how long it may take to pass first
	Timeout  time.Duration `json:"timeout"`            // of one attempt
	Interval time.Duration `json:"interval"`           // between attempts
}

// String is the check as a person writes it: http :8080/up.
func (c Check) String() string {
	if c.Type == CheckExec {
		return "exec " + strings.Join(c.Command, " ")
	}
	return fmt.Sprintf("%s :%d%s", c.Type, c.Port, c.Path)
}

// Passes tells whether an answer's status is one that the check wants.
func (c Check) Passes(status int) bool {
	switch {
	case c.Any:
		return true
	case c.Exactly != 0:
		return status == c.Exactly
	}
	return status >= 200 && status <= 399
}

// Scope is whose containers are meant: one environment of one app.
type Scope struct {
	App         batuta.AppName         `json:"app"`
	Environment batuta.EnvironmentName `json:"environment"`
}

// Container is one container of ours as it is, read from its labels and from
// Docker.
type Container struct {
	ID       string
	Name     string // Docker's name for it
	Scope    Scope
	Service  batuta.ServiceName
	Instance batuta.InstanceName
	Ship     batuta.ShipName
	Release  batuta.ReleaseNumber // the release that started it
	Config   string
	Spec     string               // the label batuta.spec: Instance.Spec of when it was created; empty if it has none
	Requires []batuta.ServiceName // the label batuta.requires: Instance.Requires of when it was created
	Image    batuta.Image
	ImageID  string // Docker's own, as Find tells it
	State    string // Docker's: created, running, restarting, exited, dead
	ExitCode int
	Restarts int // how often Docker restarted it by itself since it was started
	Created  time.Time
	Started  time.Time
	Ports    []Port   // with the host ports that Docker picked
	Altered  []string // what somebody changed of it by hand: limit memory 256m → 512m
}

// Exit is how a container ended.
type Exit struct {
	Code      int
	OOMKilled bool
	Error     string // Docker's word, if it could not even start
}

// The ship's side of a deployment, in the parts in which it is used. Each
// method may be called at the same time as any other; each gives up when ctx
// ends. Errors carry a batuta.Kind: Unavailable if the ship does not answer.
type (
	// Observer tells what runs.
	Observer interface {
		// Containers lists all containers of ours in the scope, in any state.
		Containers(ctx context.Context, s Scope) ([]Container, error)
		// Taken lists the host ports that are published for the ship's running
		// containers, ours or not.
		Taken(ctx context.Context) ([]Taken, error)
		// Listens lists the ports of the ship on which processes listen, those
		// of Docker for published ports, too.
		Listens(ctx context.Context) ([]Port, error)
	}

	// Puller brings an image to the ship.
	Puller interface {
		// Pull returns at once if the ship has the image, by digest.
		Pull(ctx context.Context, image batuta.Image) error
		// Find tells which image, by Docker's own id, a reference means on
		// the ship now; empty if none.
		Find(ctx context.Context, reference string) (id string, err error)
		// Fetch pulls what a reference means in its registry now, whether the
		// ship has such an image or not. Login overrides the ship's own
		// credentials; progress, which may be nil, gets percent.
		Fetch(ctx context.Context, reference string, login *Login, progress func(percent int)) error
		// Prune removes the images of these repositories that are neither
		// kept nor in use by any container, and says which. No other image is
		// touched.
		Prune(ctx context.Context, repositories []string, keep []batuta.Image) ([]string, error)
	}

	// Runner changes what runs.
	Runner interface {
		// Create makes the container and what it needs (its environment's
		// network), not started. One of the same scope, instance and config
		// that never ran is taken as it is; its name never collides with one
		// of another config, or one that somebody changed by hand.
		Create(ctx context.Context, s Scope, r batuta.ReleaseNumber, i Instance) (id string, err error)
		// Start starts a created or stopped container.
		Start(ctx context.Context, id string) error
		// Stop ends it with SIGTERM, after the timeout with SIGKILL; it stays,
		// and can be started again. One that does not run is no error.
		Stop(ctx context.Context, id string, timeout time.Duration) error
		// Kill ends it with SIGKILL. One that does not run is no error.
		Kill(ctx context.Context, id string) error
		// Remove deletes it, running or not, with its anonymous volumes. One
		// that is gone is no error.
		Remove(ctx context.Context, id string) error
		// RemoveNetwork deletes the scope's network, which Create makes. One
		// that is gone is no error; one that a container of the scope still
		// needs stays, and is none either.
		RemoveNetwork(ctx context.Context, s Scope) error
	}

	// Prober looks into a container.
	Prober interface {
		// Probe makes one attempt at the check and returns why it did not pass.
		Probe(ctx context.Context, id string, c Check) error
		// Wait returns when the container does not run (any more).
		Wait(ctx context.Context, id string) (Exit, error)
		// Tail gives the last lines it printed, both streams, oldest first.
		Tail(ctx context.Context, id string, lines int) ([]string, error)
		// Logs copies what it printed, both streams, from the last lines on
		// (negative: all); with follow, until it ends or ctx does.
		Logs(ctx context.Context, id string, lines int, follow bool, to io.Writer) error
	}

	// Reporter tells about the ship itself.
	Reporter interface {
		// Facts is what the ship is, and what it has left.
		Facts(ctx context.Context) (Facts, error)
		// Watch calls each for everything that happens to containers of ours,
		// of all scopes, from the instant on, as far back as Docker knows it,
		// in order, until ctx ends or the ship does not answer any more.
		Watch(ctx context.Context, since time.Time, each func(Occurrence)) error
	}

	// Locker keeps two from changing an environment at the same time, whoever
	// they are and whatever server they belong to, and remembers of the last
	// whether it came to an end.
	Locker interface {
		// Lock takes or renews the scope's lease for the holder, until ttl
		// from now by the ship's clock. If another holds it, it is taken not,
		// and held by tells who, for a person.
		Lock(ctx context.Context, s Scope, holder string, ttl time.Duration) (by string, err error)
		// Unlock lets go of it. One that is not the holder's is left alone.
		Unlock(ctx context.Context, s Scope, holder string) error
		// Begin notes that the scope is being changed, however long the lease
		// lasts, and gives the note that stands: this one, or that of an
		// earlier change that has no end.
		Begin(ctx context.Context, s Scope, n Note) (Note, error)
		// End takes the note away, whoever made it.
		End(ctx context.Context, s Scope) error
	}

	// Ship is one Docker host.
	Ship interface {
		Observer
		Puller
		Runner
		Prober
		Reporter
		Locker
	}
)

// Note is what a deployment leaves on a ship for as long as it is under way.
type Note struct {
	Change string            // names the deployment; no two have one name
	Left   []string          // the ids of containers that stood still at its begin, and had been replaced already
	Seats  []batuta.ShipName // that were to have it
}

// Login is a person's or a server's word to a registry.
type Login struct {
	User, Password string
}

// Facts is what a ship says of itself.
type Facts struct {
	Engine     string    `json:"engine"`              // Docker's version: 20.10.24
	API        string    `json:"api"`                 // the version that is spoken with it
	Platform   string    `json:"platform"`            // linux/x86_64
	CPUs       int       `json:"cpus"`                //
	Memory     int64     `json:"memory"`              // bytes
	Containers int       `json:"containers"`          // all of them, not only ours
	Running    int       `json:"running"`             //
	Load       float64   `json:"load,omitempty"`      // over the last minute; 0: not known
	DiskFree   int64     `json:"disk_free,omitempty"` // bytes where images and containers are kept; 0: not known
	DiskSize   int64     `json:"disk_size,omitempty"` // bytes
	Time       time.Time `json:"time,omitzero"`       // by its own clock
}

// Occurrence is one thing that happened to a container of ours.
type Occurrence struct {
	At        time.Time // by the ship's clock
	Scope     Scope
	Service   batuta.ServiceName
	Instance  batuta.InstanceName
	Release   batuta.ReleaseNumber
	Container string    // Docker's id
	Kind      EventKind // Created, Started, Crashed, Stopped, Removed, Ready or Unready (of Docker's health check)
	ExitCode  int       // of Crashed and Stopped
	OOMKilled bool
}
