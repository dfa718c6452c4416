package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
	"time"
)

// row is one line of the result.
type row struct {
	what                string
	ours, theirs, ratio string
}

func table(out io.Writer, rows []row) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nMEASURED\tBATUTA\tBARE\tRATIO")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.what, r.ours, r.theirs, r.ratio)
	}
	return w.Flush()
}

// compared is the line of two sides that took turns: each side's figures, and
// those of the ratios round by round.
func compared[T number](what string, ours, theirs []T, show func(T) string) row {
	ratios := make([]float64, min(len(ours), len(theirs)))
	for i := range ratios {
		ratios[i] = float64(ours[i]) / float64(theirs[i])
	}
	return row{what, spread(ours, show), spread(theirs, show), spread(ratios, asRatio)}
}

// part is the line of something that only one side has.
func part(what string, ours, theirs []time.Duration) row {
	r := row{what: "  " + what}
	if len(ours) > 0 {
		r.ours = spread(ours, asTime)
	}
	if len(theirs) > 0 {
		r.theirs = spread(theirs, asTime)
	}
	return r
}

// each is one figure of every turn.
func each[T, F any](turns []T, of func(T) F) []F {
	values := make([]F, len(turns))
	for i, t := range turns {
		values[i] = of(t)
	}
	return values
}

type number interface{ ~int | ~int64 | ~float64 }

// spread is the median and, if there are several values, the quartiles.
func spread[T number](values []T, show func(T) string) string {
	middle := show(quantile(values, 0.5))
	if len(values) < 2 {
		return middle
	}
	return fmt.Sprintf("%s (%s – %s)", middle, show(quantile(values, 0.25)), show(quantile(values, 0.75)))
}

// quantile is the smallest of the values that at least the share q of them
// does not exceed. There must be at least one.
func quantile[T number](values []T, q float64) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]
}

func asTime(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000)
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}

func asRatio(r float64) string { return fmt.Sprintf("%.2f", r) }

func asRate(perSecond float64) string { return fmt.Sprintf("%.0f/s", perSecond) }

func asSize(bytes int) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }
