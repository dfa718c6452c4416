package shiptest

import (
	"context"
	"crypto/rand"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"batuta"
	"batuta/deployer"
)

// Fixture is a ship under test.
type Fixture struct {
	Ship deployer.Ship
	Name batuta.ShipName
	// Image can be pulled by the ship. It has a static busybox at
	// /bin/busybox; nothing else is used of it.
	Image batuta.Image
	// Missing cannot be pulled: its registry answers, and does not have it.
	Missing batuta.Image
}

const (
	token   = "s3cret value"
	patient = 20 * time.Second // for a real ship on a busy machine
)

// Run runs the contract of deployer.Ship against the ships that open gives.
// Each test works in a scope of its own and leaves nothing behind in it.
func Run(t *testing.T, open func(*testing.T) Fixture) {
	for name, test := range map[string]func(*testing.T, *bench){
		"a container's life":                    life,
		"create adopts what never ran":          adopts,
		"two configurations side by side":       sideBySide,
		"scopes are apart":                      scopes,
		"a container is called as asked":        called,
		"what ended is made anew":               madeAnew,
		"an image may be what a tag means":      byReference,
		"a crash ends the wait":                 crash,
		"a restart is counted":                  restarts,
		"stop is polite, then firm":             stops,
		"kill asks nobody":                      kills,
		"an image in use is not pruned":         prunes,
		"a lease has one holder":                locks,
		"a lease ends by itself":                expires,
		"a note stands until its end":           notes,
		"checks":                                checks,
		"environment reaches the container":     environment,
		"a host port has one holder":            hostPort,
		"a process may have a host port":        listens,
		"an image that is missing":              missing,
		"what is gone is no error":              gone,
		"every call gives up when its ctx ends": givesUp,
		"checks that a ship does not make":      foreignChecks,
		"a ship tells what it is":               facts,
		"an image is found once it is fetched":  fetches,
		"all that was printed is copied":        logs,
		"printed lines are followed to the end": follows,
		"what happens is told once, in order":   watches,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newBench(t, open(t)))
		})
	}
}

// bench is one test's place on a ship.
type bench struct {
	Fixture
	scope deployer.Scope
}

func newBench(t *testing.T, f Fixture) *bench {
	b := &bench{f, deployer.Scope{App: "contract", Environment: batuta.EnvironmentName(strings.ToLower(rand.Text()[:12]))}}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patient)
		defer cancel()
		containers, err := f.Ship.Containers(ctx, b.scope)
		if err != nil {
			t.Errorf("list what the test left: %v", err)
		}
		for _, c := range containers {
			if err := f.Ship.Remove(ctx, c.ID); err != nil {
				t.Errorf("remove %s: %v", c.Name, err)
			}
		}
		if err := f.Ship.RemoveNetwork(ctx, b.scope); err != nil {
			t.Error(err)
		}
	})
	if err := f.Ship.Pull(t.Context(), f.Image); err != nil {
		t.Fatalf("pull %s: %v", f.Image, err)
	}
	return b
}

func busybox(args ...string) []string { return append([]string{"/bin/busybox"}, args...) }

func failing() []string   { return busybox("false") }
func seesToken() []string { return busybox("sh", "-c", `[ "$TOKEN" = "`+token+`" ]`) }
func quits() []string     { return busybox("sh", "-c", "echo one; echo two >&2; exit 3") }
func stubborn() []string  { return busybox("sleep", "3600") } // the first process of a container ignores what it does not handle
func polite() []string {
	return busybox("sh", "-c", `trap 'exit 0' TERM; echo waiting; while :; do /bin/busybox sleep 1 & wait $!; done`)
}
func serves() []string {
	return busybox("sh", "-c", "/bin/busybox mkdir -p /www; echo all is well >/www/up; exec /bin/busybox httpd -f -p 8080 -h /www")
}

// listensOn serves on a port.
func listensOn(port int) []string {
	return busybox("httpd", "-f", "-p", strconv.Itoa(port))
}

// Known is how the commands of the contract behave; any other is healthy.
func Known(i deployer.Instance) Behaviour {
	switch {
	case len(i.Command) > 4 && slices.Equal(i.Command[:4], listensOn(0)[:4]):
		port, _ := strconv.Atoi(i.Command[4])
		return Behaviour{Port: port}
	case slices.Equal(i.Command, quits()):
		return Behaviour{Exits: true, ExitAfter: time.Millisecond, ExitCode: 3, Prints: []string{"one", "two"}}
	case slices.Equal(i.Command, stubborn()):
		return Behaviour{IgnoresTERM: true}
	case slices.Equal(i.Command, polite()):
		return Behaviour{Prints: []string{"waiting"}}
	case slices.Equal(i.Command, serves()):
		return Behaviour{Port: 8080, Pages: map[string]string{"/up": "all is well\n"}}
	}
	return Behaviour{}
}

// instance is one as Resolve would make it; config stands for what it differs
// in.
func (b *bench) instance(config string, command []string, change ...func(*deployer.Instance)) deployer.Instance {
	i := deployer.Instance{
		Name: "web-1", Service: "web", Ship: b.Name, Image: b.Image, Command: command, Restart: "no",
		StopTimeout: time.Second, Config: strings.Repeat(config, 64)[:64], Spec: `{"name":"web-1","command":["` + config + `"]}`,
	}
	for _, c := range change {
		c(&i)
	}
	return i
}

func published(i *deployer.Instance) {
	i.Ports = []deployer.Port{{Name: "http", Container: 8080, Protocol: "tcp"}}
}

func (b *bench) create(t *testing.T, i deployer.Instance) string {
	t.Helper()
	id, err := b.Ship.Create(t.Context(), b.scope, 7, i)
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	return id
}

func (b *bench) run(t *testing.T, i deployer.Instance) string {
	t.Helper()
	id := b.create(t, i)
	if err := b.Ship.Start(t.Context(), id); err != nil {
		t.Fatalf("start: %v", err)
	}
	return id
}

// only is the scope's only container.
func (b *bench) only(t *testing.T) deployer.Container {
	t.Helper()
	all, err := b.Ship.Containers(t.Context(), b.scope)
	if err != nil || len(all) != 1 {
		t.Fatalf("containers = %v, %v; want one", all, err)
	}
	return all[0]
}

// eventually makes attempts until one succeeds.
func eventually(t *testing.T, what string, attempt func() error) {
	t.Helper()
	deadline := time.Now().Add(patient)
	for {
		err := attempt()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v, for %s", what, err, patient)
		}
		time.Sleep(20 * time.Millisecond) // the pause between attempts at a condition
	}
}

func check(kind deployer.CheckType, change func(*deployer.Check)) deployer.Check {
	c := deployer.Check{Type: kind, MaxWait: patient, Timeout: 5 * time.Second, Interval: time.Second}
	if kind != deployer.CheckExec {
		c.Port = 8080
	}
	change(&c)
	return c
}
