package docker_test

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/docker"
	"batuta/internal/lab"
)

const oneService = `
batuta: 1
services:
  web:
    build: busybox
    count: 3
    command: [/bin/busybox, sh, -c, "mkdir -p /www; echo all is well >/www/up; exec httpd -f -p 8080 -h /www"]
    ports: {http: 8080}
    stop_timeout: 1s
    lifecycle: {running: [{type: http, path: /up, max_wait: 60s}]}
`

// TestDeploymentOverEveryWay plans and applies a whole environment.
func TestDeploymentOverEveryWay(t *testing.T) {
	t.Parallel()
	a, s, helps := lab.NewAuthority(t), lab.NewSSHD(t), lab.NewSSHD(t, "AllowStreamLocalForwarding no")
	at := secured(t, a)
	client := a.Issue("client")
	both := tunnelled(s)
	both.TLS = withTLS(client).TLS
	for name, way := range map[string]struct {
		endpoint string
		reach    deployer.Reach
	}{
		"ssh":            {through(s, at), login(s)},
		"TLS":            {at.TCP, withTLS(client)},
		"tunnel and TLS": {at.TCP, both},
		"tunnel":         {at.Endpoint, tunnelled(s)},
		"helpers":        {through(helps, at), login(helps)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ship := dial(t, at.Name, way.endpoint, docker.Options{Runtime: newRuntime(t), Reach: way.reach})
			deploys(t, ship, at, busybox(t))
		})
	}
}

// deploys brings a document into effect, and takes all away again.
func deploys(t *testing.T, ship *docker.Ship, at lab.Ship, image batuta.Image) {
	t.Helper()
	scope := deployer.Scope{App: "docker", Environment: batuta.EnvironmentName(strings.ToLower(rand.Text()[:12]))}
	fleet := deployer.New(map[batuta.ShipName]deployer.Ship{at.Name: ship}, deployer.Options{})
	t.Cleanup(func() { must(t, fleet.Down(context.WithoutCancel(t.Context()), scope)) })
	doc, err := deployer.Parse("environments/qa.yml", []byte(oneService))
	must(t, err)
	plan := func() deployer.Plan {
		want, err := doc.Resolve(deployer.Input{
			Scope: scope, Release: 1, Ships: []deployer.ShipInfo{{Name: at.Name, Address: at.Address}},
			Images:  map[batuta.ImageName]batuta.Image{"busybox": image},
			Current: fleet.Observe(t.Context(), scope).Containers,
		})
		must(t, err)
		p, err := fleet.Plan(t.Context(), want)
		must(t, err)
		return p
	}
	outcome, err := fleet.Apply(t.Context(), plan(), func(e deployer.Event) { t.Log(e) })
	if err != nil || outcome.Status != batuta.Live {
		t.Fatalf("it ended %s: %v", outcome.Status, err)
	}
	if again := plan(); !again.Empty() {
		t.Errorf("it is not as declared: %s", again)
	}
}
