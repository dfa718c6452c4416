package shiptest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"batuta"
	"batuta/deployer"
)

func foreignChecks(t *testing.T, b *bench) {
	id := b.run(t, b.instance("a", serves(), published))
	for _, c := range []deployer.Check{
		check(deployer.CheckSleep, func(c *deployer.Check) { c.Wait = time.Second }),
		check(deployer.CheckLocal, func(c *deployer.Check) { c.Command = busybox("true") }),
		check(deployer.CheckTCP, func(c *deployer.Check) { c.Outside = "127.0.0.1" }),
		check(deployer.CheckHTTP, func(c *deployer.Check) { c.Outside = "127.0.0.1" }),
		check(deployer.CheckHealth, func(*deployer.Check) {}), // the container has none
		check("udp", func(*deployer.Check) {}),
	} {
		if err := b.Ship.Probe(t.Context(), id, c); !errors.Is(err, batuta.Invalid) {
			t.Errorf("%s: %v; want it to be invalid", c, err)
		}
	}
}

func facts(t *testing.T, b *bench) {
	b.run(t, b.instance("a", stubborn()))
	f, err := b.Ship.Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if f.Engine == "" || f.API < "1.41" || !strings.HasPrefix(f.Platform, "linux/") || f.CPUs < 1 || f.Memory < 1<<20 {
		t.Errorf("what it is: %+v", f)
	}
	if f.Running < 1 || f.Containers < f.Running {
		t.Errorf("what runs: %+v", f)
	}
	if f.DiskFree < 1 || f.DiskSize < f.DiskFree || f.Load < 0 {
		t.Errorf("what it has left: %+v", f)
	}
	if since := time.Since(f.Time).Abs(); since > time.Minute {
		t.Errorf("its clock is %s off", since)
	}
}

func fetches(t *testing.T, b *bench) {
	if id, err := b.Ship.Find(t.Context(), b.Missing.String()); err != nil || id != "" {
		t.Errorf("what is not there is found as %q, %v", id, err)
	}
	var told []int
	if err := b.Ship.Fetch(t.Context(), b.Image.String(), nil, func(percent int) { told = append(told, percent) }); err != nil {
		t.Fatal(err)
	}
	if !slices.IsSorted(told) || len(told) == 0 || told[len(told)-1] != 100 {
		t.Errorf("progress: %v", told)
	}
	if err := b.Ship.Fetch(t.Context(), b.Image.String(), &deployer.Login{User: "ana", Password: "not needed"}, nil); err != nil {
		t.Errorf("nobody looks on: %v", err)
	}
	if id, err := b.Ship.Find(t.Context(), b.Image.String()); err != nil || id == "" {
		t.Errorf("it is found as %q, %v", id, err)
	}
	if err := b.Ship.Fetch(t.Context(), b.Missing.String(), nil, nil); !errors.Is(err, batuta.NotFound) {
		t.Errorf("what is missing: %v", err)
	}
}

func logs(t *testing.T, b *bench) {
	id := b.run(t, b.instance("a", quits()))
	if _, err := b.Ship.Wait(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]int{-1: 2, 1: 1, 0: 0, 100: 2} {
		var out strings.Builder
		if err := b.Ship.Logs(t.Context(), id, n, false, &out); err != nil || strings.Count(out.String(), "\n") != want {
			t.Errorf("the last %d: %q, %v", n, out.String(), err)
		}
	}
	if err := b.Ship.Logs(t.Context(), "0123456789ab", -1, false, new(strings.Builder)); !errors.Is(err, batuta.NotFound) {
		t.Errorf("of nobody: %v", err)
	}
}

func follows(t *testing.T, b *bench) {
	id := b.run(t, b.instance("a", polite()))
	out := &listener{heard: make(chan string, 100)}
	ended := make(chan error, 1)
	go func() { ended <- b.Ship.Logs(t.Context(), id, -1, true, out) }()
	select {
	case said := <-out.heard:
		if said != "waiting\n" {
			t.Errorf("it says %q", said)
		}
	case err := <-ended:
		t.Fatalf("it was not followed: %v", err)
	}
	if err := b.Ship.Stop(t.Context(), id, patient); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("at the end: %v", err)
	}
}

// listener hands on what is written.
type listener struct{ heard chan string }

func (l *listener) Write(p []byte) (int, error) {
	l.heard <- string(p)
	return len(p), nil
}

func watches(t *testing.T, b *bench) {
	before, err := b.Ship.Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	crashed := b.run(t, b.instance("a", quits()))
	if _, err := b.Ship.Wait(t.Context(), crashed); err != nil {
		t.Fatal(err)
	}
	stopped := b.run(t, b.instance("b", stubborn()))
	if err := b.Ship.Stop(t.Context(), stopped, 0); err != nil {
		t.Fatal(err)
	}
	past := b.watch(t, before.Time, 6)
	if err := b.Ship.Remove(t.Context(), stopped); err != nil {
		t.Fatal(err)
	}
	compare(t, past[:3], crashed, deployer.Created, deployer.Started, deployer.Crashed)
	compare(t, past[3:], stopped, deployer.Created, deployer.Started, deployer.Stopped)
	if past[2].ExitCode != 3 || past[5].ExitCode != 137 {
		t.Errorf("exit codes %d and %d; want 3 and 137", past[2].ExitCode, past[5].ExitCode)
	}
	compare(t, b.watch(t, past[3].At, 3), stopped, deployer.Started, deployer.Stopped, deployer.Removed)
}

// watch gives the first so many things that happened in the scope after an
// instant.
func (b *bench) watch(t *testing.T, since time.Time, want int) []deployer.Occurrence {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	var got []deployer.Occurrence
	err := b.Ship.Watch(ctx, since, func(o deployer.Occurrence) {
		if o.Scope != b.scope {
			return
		}
		if got = append(got, o); len(got) == want {
			cancel()
		}
	})
	if len(got) != want || err == nil {
		t.Fatalf("what happened: %+v (%v); want %d occurrences", got, err, want)
	}
	return got
}

func compare(t *testing.T, got []deployer.Occurrence, container string, kinds ...deployer.EventKind) {
	t.Helper()
	for n, o := range got {
		if o.Kind != kinds[n] || o.Container != container || o.Service != "web" || o.Instance != "web-1" || o.Release != 7 {
			t.Errorf("%+v; want %s of %s", o, kinds[n], container)
		}
	}
}
