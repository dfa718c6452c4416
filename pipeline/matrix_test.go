package pipeline_test

import (
	"testing"

	"batuta"
	"batuta/pipeline"
)

// TestWhatRunsIsExtraOnlyIfNothingIsLive looks at an environment whose document
// nobody can resolve any more, and at one in which nothing is live.
func TestWhatRunsIsExtraOnlyIfNothingIsLive(t *testing.T) {
	t.Parallel()
	cell := func(live batuta.ReleaseNumber) pipeline.MatrixCell {
		m := pipeline.MatrixOf([]pipeline.EnvironmentStatus{{
			App: "shop", Environment: "qa", Release: live, Reason: "no ship \"node1\"",
			Containers: []batuta.ContainerState{{Service: "web", Instance: "web-1", Ship: "node1", Release: 7, State: "running"}},
		}}, nil)
		if len(m.Rows) != 1 || len(m.Rows[0].Cells) != 1 {
			t.Fatalf("the matrix is %+v", m)
		}
		return m.Rows[0].Cells["node1"]
	}
	if c := cell(7); c.Extra != 0 || c.Wanted != 1 || c.Ready != 0 || c.Reason != "no ship \"node1\"" {
		t.Errorf("of what cannot be resolved: %+v", c)
	}
	if c := cell(0); c.Extra != 1 || c.Wanted != 0 {
		t.Errorf("of what is not live: %+v", c)
	}
}
