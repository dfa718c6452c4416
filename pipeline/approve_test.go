package pipeline

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"batuta"
)

// past is a store that knows the deployments of one environment.
type past struct {
	Store
	deployments []batuta.Deployment
}

func (s past) Deployments(context.Context, batuta.AppName, batuta.EnvironmentName, int) ([]batuta.Deployment, error) {
	return s.deployments, nil
}

// A release of which nobody knows since when it is live has no time at which
// it has soaked, and who asks is told a way out.
func TestASoakWithoutABeginning(t *testing.T) {
	t.Parallel()
	live := time.Now().Add(-time.Minute)
	for name, c := range map[string]struct {
		past []batuta.Deployment
		hint string
	}{
		"never live":    {nil, "it is not known since when it is; deploy release 3 to qa again"},
		"another since": {[]batuta.Deployment{{Release: 4, Status: batuta.Live, Ended: live}, {Release: 3, Status: batuta.Live, Ended: live.Add(-time.Hour)}}, "it is not known since when it is; deploy release 3 to qa again"},
		"live a minute": {[]batuta.Deployment{{Release: 3, Status: batuta.Live, Ended: live}}, "that is so at " + live.Add(time.Hour).UTC().Format(time.RFC3339)},
	} {
		p := &Pipeline{Config: Config{Store: past{deployments: c.past}}}
		err := p.soaked(t.Context(), Order{App: "portal", Environment: "production"}, "qa", batuta.Release{Number: 3}, time.Hour)
		var refused *batuta.Error
		if !errors.As(err, &refused) || refused.Kind != batuta.Conflict || refused.Hint != c.hint || strings.Contains(refused.Hint, "0001") {
			t.Errorf("%s: %v, want the hint %q", name, err, c.hint)
		}
	}
}
