package deployer_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"batuta"
	"batuta/deployer"
)

// resolve is a specification of the service web on real ships, that runs a
// script and ignores SIGTERM.
func (d *dock) resolve(t *testing.T, script string, s deployer.Service) deployer.Spec {
	t.Helper()
	doc, err := deployer.Parse("environments/qa.yml", fmt.Appendf(nil, `
batuta: 1
services:
  web:
    build: busybox
    count: %d
    command: [/bin/busybox, sh, -c, %q]
    stop_timeout: 1s
    lifecycle: {running: [{type: exec, command: [/bin/busybox, test, -e, /up], max_wait: 30s}]}
`, len(d.infos), "trap '' TERM; "+script))
	if err != nil {
		t.Fatal(err)
	}
	want, err := doc.Resolve(deployer.Input{
		Scope: d.scope, Release: 1, Ships: d.infos, Images: map[batuta.ImageName]batuta.Image{"busybox": d.image},
		Current: d.Observe(t.Context(), d.scope).Containers,
	})
	if err != nil {
		t.Fatal(err)
	}
	want.Services = map[batuta.ServiceName]deployer.Service{"web": s}
	return want
}

func (d *dock) applies(t *testing.T, want deployer.Spec) (deployer.Outcome, error) {
	t.Helper()
	plan, err := d.Plan(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	return d.Apply(t.Context(), plan, func(e deployer.Event) { t.Log(e) })
}

// containers are those of the scope, by id, with what they do.
func (d *dock) containers(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, c := range d.Observe(t.Context(), d.scope).Containers {
		out = append(out, c.ID+" "+c.State)
	}
	slices.Sort(out)
	return out
}

const stays = "/bin/busybox touch /up; while :; do /bin/busybox sleep 1; done"

func TestPoliciesOnRealShips(t *testing.T) {
	t.Parallel()
	d := newDock(t, 3)
	if outcome, err := d.applies(t, d.resolve(t, stays, deployer.Service{})); err != nil || outcome.Status != batuta.Live {
		t.Fatalf("the first release: %v, %v", outcome, err)
	}
	before := d.containers(t)
	refused := func(what string, want deployer.Spec, why string) {
		t.Helper()
		outcome, err := d.applies(t, want)
		if outcome.Status == batuta.Live || outcome.Undone != nil || !errors.Is(err, batuta.Unhealthy) || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, %v; want %s", what, outcome, err, why)
		}
		if now := d.containers(t); !slices.Equal(now, before) {
			t.Errorf("%s: on the ships: %v, want those of before: %v", what, now, before)
		}
	}
	falls := "[ $HOSTNAME = web-2 ] || exec /bin/busybox sh -c '" + stays + "'; /bin/busybox touch /up; /bin/busybox sleep 3; exit 9"
	refused("a crash while it is watched", d.resolve(t, falls, deployer.Service{Update: deployer.Update{Watch: 20 * time.Second}}), "web-2")

	next := d.resolve(t, stays+" # next", deployer.Service{})
	hook := next.Instances[0]
	hook.Name, hook.Command = "", []string{"/bin/busybox", "sh", "-c", "echo no such table; exit 3"}
	next.Services["web"] = deployer.Service{Hooks: deployer.Hooks{Before: []deployer.Hook{{Instance: hook, Timeout: time.Minute}}}}
	refused("a migration that fails", next, "no such table")
	hook.Command = []string{"/bin/busybox", "true"}
	next.Services["web"] = deployer.Service{Hooks: deployer.Hooks{Before: []deployer.Hook{{Instance: hook, Timeout: time.Minute}}}}
	if outcome, err := d.applies(t, next); err != nil || outcome.Status != batuta.Live {
		t.Errorf("a migration that works: %v, %v", outcome, err)
	}
	if now := d.containers(t); len(now) != 3 {
		t.Errorf("on the ships: %v", now)
	}
}
