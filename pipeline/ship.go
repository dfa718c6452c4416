package pipeline

import (
	"time"

	"batuta"
	"batuta/deployer"
)

// Ship is one of the server's ships as the pipeline knows it.
type Ship struct {
	Address  string // where its published ports answer
	Labels   map[string]string
	Reporter Reporter
}

// Mark is what a person wants of a ship.
type Mark string

// The marks. A ship without one is open to all that matches it.
const (
	Open     Mark = ""
	Cordoned Mark = "cordoned" // what runs there stays, and nothing counted comes
	Draining Mark = "draining" // what is counted goes elsewhere, and nothing counted comes
)

// ShipRecord is what is kept of a ship.
type ShipRecord struct {
	Mark   Mark      `json:"mark,omitempty"`
	Marked time.Time `json:"marked,omitzero"` // since when
	By     string    `json:"by,omitempty"`    // who wanted it
	Why    string    `json:"why,omitempty"`   // in that person's words

	Silent    time.Time `json:"silent,omitzero"` // since when it has not answered; zero: it does
	SilentWhy string    `json:"silent_why,omitempty"`
	Back      time.Time `json:"back,omitzero"` // when it answered again, the last time that it had not
	Heard     time.Time `json:"-"`             // up to when the history has what happened on it, by its own clock
}

// ShipStatus is what a ship says of itself now, and what is known of it.
type ShipStatus struct {
	Name      batuta.ShipName   `json:"name"`
	Address   string            `json:"address,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	Reachable bool              `json:"reachable"`
	Reason    string            `json:"reason,omitempty"` // why it is not reachable
	ShipRecord
	Facts deployer.Facts `json:"facts,omitzero"`
	Runs  []Cargo        `json:"runs,omitempty"` // by app and environment; of a ship that is not reachable: what ran there last
}

// Cargo is what one environment has on one ship.
type Cargo struct {
	App         batuta.AppName          `json:"app"`
	Environment batuta.EnvironmentName  `json:"environment"`
	Instances   int                     `json:"instances"`
	Running     int                     `json:"running"`
	Containers  []batuta.ContainerState `json:"containers,omitempty"` // only where one ship was asked about
}

// Drain is what became of the wish to empty a ship.
type Drain struct {
	Ship  batuta.ShipName `json:"ship"`
	Runs  []batuta.RunID  `json:"runs,omitempty"`  // which move what can move
	Stuck []Stuck         `json:"stuck,omitempty"` // what stays
}

// Stuck is an instance that a drained ship keeps.
type Stuck struct {
	App         batuta.AppName         `json:"app"`
	Environment batuta.EnvironmentName `json:"environment"`
	Instance    batuta.InstanceName    `json:"instance,omitempty"` // empty: all of the environment
	Why         string                 `json:"why"`
}
