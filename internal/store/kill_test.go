package store_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sync/errgroup"

	"batuta"
	"batuta/internal/store"
)

// These make the test binary the server that is killed.
const (
	victimDir   = "BATUTA_STORE_VICTIM_DIR"
	victimRound = "BATUTA_STORE_VICTIM_ROUND"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		fmt.Fprintln(os.Stderr, beVictim(context.Background(), dir, os.Getenv(victimRound)))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// beVictim works from eight goroutines, and prints a line for whatever the
// store acknowledged, until it is killed.
func beVictim(ctx context.Context, dir, round string) error {
	db, err := store.Open(ctx, dir)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for g := range 8 {
		group.Go(func() error {
			for n := 0; ; n++ {
				if err := work(ctx, db, fmt.Sprintf("%s-%d-%d", round, g, n)); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}

// work accepts a push, writes it into the audit trail, and does a step of the
// run that is next.
func work(ctx context.Context, db *store.DB, delivery string) error {
	receipt, err := db.Accept(ctx, batuta.Push{App: "portal", Forge: "gitea", Delivery: delivery, Ref: delivery})
	if err != nil {
		return err
	}
	fmt.Printf("run %d %s\n", receipt.Run, delivery)
	if err := db.Audit(ctx, batuta.Entry{By: "gitea", Action: "push accepted", Object: delivery}); err != nil {
		return err
	}
	fmt.Printf("audit 0 %s\n", delivery)
	run, lease, err := db.Claim(ctx)
	if err != nil {
		return err
	}
	if err := db.SaveStep(ctx, lease, batuta.Step{Name: "source", Status: batuta.StepSucceeded, Attempt: 1}); err != nil {
		return err
	}
	fmt.Printf("step %d %s\n", run.ID, run.Push.Delivery)
	return nil
}

// TestWhatWasAcknowledgedOutlivesAKill kills a server several times, each time
// after a random number of acknowledgements.
func TestWhatWasAcknowledgedOutlivesAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var acknowledged []line
	for round := range 6 {
		lines := killAfter(t, dir, round, 1+random.IntN(300))
		checkAcknowledged(t, dir, lines)
		acknowledged = append(acknowledged, lines...)
	}
	checkAcknowledged(t, dir, acknowledged)
}

// line is something that the store acknowledged: a run, an audit entry, a step.
type line struct {
	what     string
	run      batuta.RunID
	delivery string
}

// killAfter starts a server in dir, kills it once it has acknowledged n things,
// and gives all that it acknowledged before it was dead.
func killAfter(t *testing.T, dir string, round, n int) (lines []line) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	victim := exec.CommandContext(t.Context(), exe)
	victim.Env = append(os.Environ(), victimDir+"="+dir, fmt.Sprint(victimRound, "=", round))
	victim.Stderr = os.Stderr
	out, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	for s := bufio.NewScanner(out); s.Scan(); {
		var l line
		if _, err := fmt.Sscanf(s.Text(), "%s %d %s", &l.what, &l.run, &l.delivery); err != nil {
			t.Fatalf("the server says %q: %v", s.Text(), err)
		}
		lines = append(lines, l)
		if len(lines) == n {
			if err := victim.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = victim.Wait() // it was killed
	if len(lines) < n {
		t.Fatalf("the server ended by itself after %d of %d", len(lines), n)
	}
	return lines
}

// checkAcknowledged looks for all that was acknowledged, and for traces of
// what was not.
func checkAcknowledged(t *testing.T, dir string, lines []line) {
	t.Helper()
	db := open(t, dir)
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	audited := int64(0)
	for _, l := range lines {
		if l.what == "audit" {
			audited++
			continue
		}
		run, err := db.Run(t.Context(), l.run)
		if err != nil || run.Push.Delivery != l.delivery || l.what == "step" && len(run.Steps) != 1 {
			t.Errorf("acknowledged %v, kept %+v: %v", l, run, err)
		}
		if l.what == "step" {
			continue
		}
		receipt, err := db.Accept(t.Context(), batuta.Push{App: "portal", Forge: "gitea", Delivery: l.delivery})
		if err != nil || !receipt.Duplicate || receipt.Run != l.run {
			t.Errorf("%v again is %+v: %v", l, receipt, err)
		}
	}
	if whole, err := db.VerifyAudit(t.Context()); err != nil || whole < audited {
		t.Errorf("of %d audit entries %d are whole: %v", audited, whole, err)
	}
	for query, want := range map[string]string{
		"PRAGMA integrity_check":                                         "ok",
		"SELECT count(*) FROM pragma_foreign_key_check":                  "0",
		"SELECT count(*) - (SELECT count(*) FROM deliveries) FROM runs":  "0",
		"SELECT count(*) FROM steps JOIN runs ON id = run WHERE epoch=0": "0",
	} {
		var got string
		if err := connect(t, dir).QueryRowContext(t.Context(), query).Scan(&got); err != nil || got != want {
			t.Errorf("%s: %s (%v), want %s", query, got, err, want)
		}
	}
}
