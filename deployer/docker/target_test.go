package docker_test

import (
	"errors"
	"strings"
	"testing"

	"batuta"
)

// TestCheckBelievesNoMemoryOfAProcess has a container killed and started between
// two checks of the same second.
func TestCheckBelievesNoMemoryOfAProcess(t *testing.T) {
	t.Parallel()
	onBothWays(t, func(t *testing.T, b *bench) {
		id := b.run(t, b.instance(serves))
		b.passes(t, id, page("/up"))
		for range 3 {
			must(t, b.Kill(t.Context(), id))
			if err := b.Probe(t.Context(), id, page("/up")); !errors.Is(err, batuta.Unhealthy) || !strings.Contains(err.Error(), "does not run") {
				t.Errorf("of a container that has just been killed: %v", err)
			}
			must(t, b.Start(t.Context(), id))
			b.passes(t, id, page("/up"))
		}
	})
}
