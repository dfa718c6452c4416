package pipeline

import (
	"time"

	"batuta"
	"batuta/deployer"
)

// EnvironmentStatus is what an environment is meant to run and what it runs.
type EnvironmentStatus struct {
	App         batuta.AppName          `json:"app"`
	Environment batuta.EnvironmentName  `json:"environment"`
	Release     batuta.ReleaseNumber    `json:"release,omitempty"` // of the last live deployment
	Revision    batuta.Revision         `json:"revision,omitempty"`
	Since       time.Time               `json:"since,omitzero"` // when that deployment ended
	Last        *batuta.Deployment      `json:"last,omitempty"` // the last deployment, live or not
	Healthy     bool                    `json:"healthy"`
	Reason      string                  `json:"reason,omitempty"` // why it is not healthy
	Containers  []batuta.ContainerState `json:"containers,omitempty"`
	Unreachable []batuta.ShipName       `json:"unreachable,omitempty"`
	Instances   []InstanceStatus        `json:"instances,omitempty"` // what the release wants, in the order of starting, and what else is there
	Drift       *Drift                  `json:"drift,omitempty"`     // as it was seen last; nil: none
}

// InstanceStatus is one instance as its live release wants it.
type InstanceStatus struct {
	Service  batuta.ServiceName   `json:"service"`
	Instance batuta.InstanceName  `json:"instance"`
	Ship     batuta.ShipName      `json:"ship"`
	Ready    bool                 `json:"ready"`             // it runs as wanted, and its checks pass now
	Reason   string               `json:"reason,omitempty"`  // why it is not ready
	Unknown  bool                 `json:"unknown,omitempty"` // its ship does not answer
	Extra    bool                 `json:"extra,omitempty"`   // it is there and not wanted
	Release  batuta.ReleaseNumber `json:"release,omitempty"` // that runs
	Started  time.Time            `json:"started,omitzero"`
}

// Order is a person's wish to have a release in an environment.
type Order struct {
	Kind        batuta.RunKind         `json:"kind" enum:"promotion,rollback,deploy"`
	App         batuta.AppName         `json:"app"`
	Environment batuta.EnvironmentName `json:"environment"`
	// From is the environment whose release is promoted; empty: the one
	// before Environment in the release's order.
	From batuta.EnvironmentName `json:"from,omitempty"`
	// Release 0 means: the one that From runs (promotion), the live one
	// before the current (rollback), the current (deploy).
	Release batuta.ReleaseNumber `json:"release,omitempty"`
	// Approved is the hash of the plan that was shown; empty: whatever the
	// plan is.
	Approved string `json:"approved,omitempty"`
	By       string `json:"by,omitempty"`
}

// Proposal is the plan that an order comes to, for a person to say yes to.
type Proposal struct {
	App         batuta.AppName         `json:"app"`
	Environment batuta.EnvironmentName `json:"environment"`
	Current     batuta.ReleaseNumber   `json:"current,omitempty"`
	Release     batuta.Release         `json:"release"`
	From        batuta.EnvironmentName `json:"from,omitempty"` // where a promotion takes it from
	Plan        deployer.Plan          `json:"plan"`
	Text        string                 `json:"text"` // the plan as a person reads it
	Hash        string                 `json:"hash"` // what Order.Approved repeats
}
