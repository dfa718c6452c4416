package trial

import (
	"context"
	"io"

	"batuta"
	"batuta/deployer"
)

// Container is one of an attempt: the test's own, or a service.
type Container struct {
	Network string // its id
	Alias   string // the name under which the others of the network find it
	Image   batuta.Image
	Program []string // in the place of all that the image would run; empty: what the image runs
	Command []string // what the image's entrypoint is given; empty: the image's own
	Env     map[string]string
	Dir     string
	User    string
	Labels  map[string]string
}

// Alias is the name under which services find the test.
const Alias = "test"

// Thing is a container or a network that a test made.
type Thing struct {
	ID     string
	Labels map[string]string
}

// Engine is where tests run. Its methods may be called at the same time, and
// each gives up when its ctx ends.
type Engine interface {
	Pull(ctx context.Context, i batuta.Image) error
	Bench
	Observer
}

// Bench makes and removes what a test needs. To remove what is gone is no
// error.
type Bench interface {
	// MakeTrialNetwork makes a network that nothing else is in.
	MakeTrialNetwork(ctx context.Context, labels map[string]string) (id string, err error)
	CreateTrial(ctx context.Context, c Container) (id string, err error)
	Start(ctx context.Context, id string) error
	Remove(ctx context.Context, id string) error
	RemoveTrialNetwork(ctx context.Context, id string) error
	// Trials lists what has a label with that value.
	Trials(ctx context.Context, label, value string) (containers, networks []Thing, err error)
}

// Observer sees what containers do and leave.
type Observer interface {
	Wait(ctx context.Context, id string) (deployer.Exit, error)
	Logs(ctx context.Context, id string, lines int, follow bool, to io.Writer) error
	Tail(ctx context.Context, id string, lines int) ([]string, error)
	Probe(ctx context.Context, id string, c deployer.Check) error
	// Archive is a file or directory of the container, running or not, as tar;
	// a relative path begins where the container's program does. One that is
	// not there is NotFound.
	Archive(ctx context.Context, id, path string) (io.ReadCloser, error)
}
