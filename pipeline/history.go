package pipeline

import (
	"time"

	"batuta"
	"batuta/deployer"
)

// Event is one thing that happened to an instance, as the history keeps it.
type Event struct {
	ID          int64                  `json:"id"` // rises with each event of the server
	At          time.Time              `json:"at"` // by the clock of whoever told it
	App         batuta.AppName         `json:"app"`
	Environment batuta.EnvironmentName `json:"environment"`
	Kind        deployer.EventKind     `json:"kind"`
	Ship        batuta.ShipName        `json:"ship"`
	Service     batuta.ServiceName     `json:"service,omitempty"`
	Instance    batuta.InstanceName    `json:"instance"`
	Container   string                 `json:"container,omitempty"` // Docker's id
	Release     batuta.ReleaseNumber   `json:"release,omitempty"`
	ExitCode    int                    `json:"exit_code,omitempty"`
	OOMKilled   bool                   `json:"oom_killed,omitempty"`
	Text        string                 `json:"text,omitempty"`
	Teller      Teller                 `json:"teller"`
}

// EventFilter chooses events of an environment's history. What is zero does not
// choose.
type EventFilter struct {
	Instance batuta.InstanceName
	Kind     deployer.EventKind
	Since    time.Time
	Limit    int
}

// Teller is who told of an event.
type Teller string

// The tellers. A ship tells what its Engine saw; a deployment tells that too,
// as far as it did it, and what only it can know: ready and replaced. The
// server itself tells whether what is live still passes its checks.
const (
	ToldByServer     Teller = "server"
	ToldByShip       Teller = "ship"
	ToldByDeployment Teller = "deployment"
)
