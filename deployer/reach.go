package deployer

import "time"

// Reach is how a ship's Engine is reached, beside its endpoint. The zero value
// is plain.
type Reach struct {
	TLS     *TLS          // of a tcp endpoint; nil: plain
	SSH     *SSH          // of an ssh endpoint, or of the tunnel through which a tcp or unix endpoint is reached
	Timeout time.Duration // for the answer to a question; what changes something takes its time; 0: the fleet's patience
}

// TLS is the two sides' proof of who they are. The files are PEM.
type TLS struct {
	CA         string // file; empty: the system's
	Cert, Key  string // files; empty: no client certificate
	ServerName string // in the Engine's certificate; empty: the endpoint's host
	Insecure   bool   // take any certificate
}

// SSH is a login to a ship.
type SSH struct {
	Host       string // where a tunnel ends; empty: at the endpoint's host. An ssh endpoint says so itself
	Port       int    // with Host; 0: 22
	User       string // empty: whoever runs Batuta
	Key        string // file of the private key; empty: the agent's and the person's own
	KnownHosts string // file; empty: the person's own and the machine's
}
