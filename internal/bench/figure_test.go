package main

import (
	"strings"
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	t.Parallel()
	values := []int{5, 1, 4, 2, 3}
	for q, want := range map[float64]int{0: 1, 0.25: 2, 0.5: 3, 0.75: 4, 0.99: 5, 1: 5} {
		if got := quantile(values, q); got != want {
			t.Errorf("quantile %v of %v = %d, want %d", q, values, got, want)
		}
	}
	if values[0] != 5 {
		t.Error("the values were sorted in place")
	}
	if got := quantile([]int{7}, 0.99); got != 7 {
		t.Errorf("of one value: %d", got)
	}
}

// The ratio is that of the rounds, so that a slow round, slow for both sides,
// does not tilt it.
func TestComparedTakesTheRatioOfEachRound(t *testing.T) {
	t.Parallel()
	ms := time.Millisecond
	got := compared("all", []time.Duration{100 * ms, 900 * ms, 110 * ms}, []time.Duration{100 * ms, 1000 * ms, 100 * ms}, asTime)
	want := row{"all", "110 ms (100 ms – 900 ms)", "100 ms (100 ms – 1000 ms)", "1.00 (0.90 – 1.10)"}
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := table(&out, []row{{"a", "1", "2", "0.50"}, {what: "  part", ours: "1"}}); err != nil {
		t.Fatal(err)
	}
	want := "\nMEASURED  BATUTA  BARE  RATIO\na         1       2     0.50\n  part    1             \n"
	if out.String() != want {
		t.Errorf("got %q", out.String())
	}
}

func TestParseRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"-only=push,sleep", "-rounds=0", "-deliveries=3"} {
		if _, err := parse([]string{args}); err == nil {
			t.Errorf("%s was taken", args)
		}
	}
	if o, err := parse([]string{"-only=idle,push"}); err != nil || len(o.only) != 2 {
		t.Errorf("got %+v, %v", o, err)
	}
}
