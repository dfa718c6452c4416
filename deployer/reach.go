package deployer

import "time"

// Reach is how a ship's Engine is reached, beside its endpoint. The zero value
// is plain.
type Reach struct {
	TLS     *TLS          // of a tcp endpoint; nil: plain
	SSH     *SSH          // of an ssh endpoint, or of the tunnel through which a tcp or unix endpoint is reached
	Timeout time.Duration // of one answer; 0: the fleet's patience
}

// TLS is the two sides' proof of who they are. The files are PEM.
type TLS struct {
	CA         string // file; empty: the system's
	Cert, Key  string // files; empty: no client certificate
	ServerName string // in the Engine's certificate; empty: the endpoint's host
	Insecure   bool   // take any certificate
}

// SSH is a login to a ship. What is empty is left to ssh and its own
// configuration, known hosts and agent.
type SSH struct {
	Host       string // with Port, where a tunnel ends; an ssh endpoint says so itself
	Port       int
	User       string
	Key        string // file of the private key
	KnownHosts string // file; empty: the user's own
}
