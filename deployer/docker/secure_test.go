package docker_test

import (
	"strings"
	"testing"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/docker"
	"batuta/internal/lab"
)

// secured is a ship of the test's own whose TCP endpoint speaks TLS alone.
func secured(t *testing.T, a *lab.Authority) lab.Ship {
	t.Helper()
	at := lab.OwnShips(t, 1)[0]
	must(t, at.Secure(t.Context(), a.Issue(at.Address)))
	return at
}

func withTLS(f lab.TLSFiles) deployer.Reach {
	return deployer.Reach{TLS: &deployer.TLS{CA: f.CA, Cert: f.Cert, Key: f.Key}}
}

func TestBothSidesProveWhoTheyAre(t *testing.T) {
	t.Parallel()
	a, other := lab.NewAuthority(t), lab.NewAuthority(t)
	at := secured(t, a)
	client := a.Issue("client")
	plain := lab.Ships(t, 1)[0]
	for name, c := range map[string]struct {
		change     func(*deployer.TLS)
		endpoint   string
		kind       batuta.Kind
		says, hint string
	}{
		"no certificate":    {func(c *deployer.TLS) { c.Cert, c.Key = "", "" }, at.TCP, batuta.Denied, "does not take this client certificate", "--tlscacert"},
		"another's":         {func(c *deployer.TLS) { f := other.Issue("client"); c.Cert, c.Key = f.Cert, f.Key }, at.TCP, batuta.Denied, "does not take this client certificate", "--tlscacert"},
		"an unknown CA":     {func(c *deployer.TLS) { c.CA = "" }, at.TCP, batuta.Denied, "not to be trusted", "as ca of tls"},
		"another name":      {func(c *deployer.TLS) { c.ServerName = "docker.example.edu" }, at.TCP, batuta.Denied, "not to be trusted", "it is for " + at.Address},
		"an Engine without": {func(*deployer.TLS) {}, plain.TCP, batuta.Invalid, "does not speak TLS", "remove tls"},
	} {
		t.Run(name, func(t *testing.T) {
			reach := withTLS(client)
			c.change(reach.TLS)
			_, err := dial(t, at.Name, c.endpoint, docker.Options{Reach: reach}).Facts(t.Context())
			must(t, wrong(err, c.kind, c.says, c.hint))
		})
	}
	_, err := dial(t, at.Name, at.TCP, docker.Options{}).Facts(t.Context())
	must(t, wrong(err, batuta.Invalid, "speaks TLS at this port", "add tls"))

	insecure := withTLS(client)
	insecure.TLS.CA, insecure.TLS.ServerName, insecure.TLS.Insecure = "", "docker.example.edu", true
	_, err = dial(t, at.Name, at.TCP, docker.Options{Reach: insecure}).Facts(t.Context())
	must(t, err)
}

func TestWaysThatCannotBe(t *testing.T) {
	t.Parallel()
	ssh, tls := &deployer.SSH{}, &deployer.TLS{}
	for name, c := range map[string]struct {
		endpoint string
		reach    deployer.Reach
		says     string
	}{
		"TLS to a socket":        {"unix:///var/run/docker.sock", deployer.Reach{TLS: tls}, "only a tcp endpoint"},
		"TLS in ssh":             {"ssh://host", deployer.Reach{TLS: tls}, "only a tcp endpoint"},
		"two hosts":              {"ssh://host", deployer.Reach{SSH: &deployer.SSH{Host: "other"}}, "says itself"},
		"no host":                {"unix:///var/run/docker.sock", deployer.Reach{SSH: ssh}, "where to log in"},
		"a password":             {"ssh://me:secret@host", deployer.Reach{}, "password"},
		"half a certificate":     {"tcp://host:2376", deployer.Reach{TLS: &deployer.TLS{Cert: "/cert.pem"}}, "belong together"},
		"a CA that is not there": {"tcp://host:2376", deployer.Reach{TLS: &deployer.TLS{CA: "/no/such/ca.pem"}}, "/no/such/ca.pem"},
	} {
		_, err := docker.Dial("node1", c.endpoint, docker.Options{Reach: c.reach})
		if err := wrong(err, batuta.Invalid, c.says, ""); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("it tells the password: %v", err)
		}
	}
}
