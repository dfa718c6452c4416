package builder

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) *time.Time {
	t := noon.Add(d)
	return &t
}

func vertex(name string, change func(*client.Vertex)) *client.SolveStatus {
	v := &client.Vertex{Digest: digest.FromString(name), Name: name, Started: at(0)}
	if change != nil {
		change(v)
	}
	return &client.SolveStatus{Vertexes: []*client.Vertex{v}}
}

func ended(name string, after time.Duration, failure string) *client.SolveStatus {
	return vertex(name, func(v *client.Vertex) { v.Completed, v.Error = at(after), failure })
}

func prints(name, text string) *client.SolveStatus {
	return &client.SolveStatus{Logs: []*client.VertexLog{{Vertex: digest.FromString(name), Data: []byte(text)}}}
}

func transfers(name, id string, after time.Duration, current, total int64, done bool) *client.SolveStatus {
	s := &client.VertexStatus{ID: id, Vertex: digest.FromString(name), Current: current, Total: total, Timestamp: *at(after)}
	if done {
		s.Completed = at(after)
	}
	return &client.SolveStatus{Statuses: []*client.VertexStatus{s}}
}

func TestProgress(t *testing.T) {
	for name, test := range map[string]struct {
		reports []*client.SolveStatus
		want    string
	}{
		"a step": {
			reports: []*client.SolveStatus{
				vertex("[1/2] FROM busybox", nil),
				ended("[1/2] FROM busybox", 40*time.Millisecond, ""),
				vertex("[2/2] RUN npm ci", nil),
				prints("[2/2] RUN npm ci", "added 51\nand 2 mo"),
				prints("[2/2] RUN npm ci", "re\n"),
				ended("[2/2] RUN npm ci", 1240*time.Millisecond, ""),
			},
			want: "#1 [1/2] FROM busybox\n#1 DONE 0.0s\n#2 [2/2] RUN npm ci\n#2 added 51\n#2 and 2 more\n#2 DONE 1.2s\n",
		},
		"steps side by side": {
			reports: []*client.SolveStatus{
				vertex("a", nil), vertex("b", nil), prints("b", "from b\n"), prints("a", "from a\n"),
				ended("b", 0, "exit code: 1"), ended("a", 0, "context canceled"),
			},
			want: "#1 a\n#2 b\n#2 from b\n#1 from a\n#2 ERROR: exit code: 1\n#1 ERROR: context canceled\n",
		},
		"cached": {
			reports: []*client.SolveStatus{vertex("a", func(v *client.Vertex) { v.Completed, v.Cached = at(0), true })},
			want:    "#1 a\n#1 CACHED\n",
		},
		"not yet started": {
			reports: []*client.SolveStatus{vertex("a", func(v *client.Vertex) { v.Started = nil }), prints("a", "x\n")},
		},
		"output without an end": {
			reports: []*client.SolveStatus{vertex("a", nil), prints("a", "half"), ended("a", 0, "")},
			want:    "#1 a\n#1 half\n#1 DONE 0.0s\n",
		},
		"a bar drawn with carriage returns": {
			reports: []*client.SolveStatus{vertex("a", nil), prints("a", "10%\r50%\r100%\r\n")},
			want:    "#1 a\n#1 100%\n",
		},
		"a failure after the end": {
			reports: []*client.SolveStatus{vertex("a", nil), ended("a", 0, ""), ended("a", 0, ""), ended("a", 0, "push"), ended("a", 0, "push")},
			want:    "#1 a\n#1 DONE 0.0s\n#1 ERROR: push\n",
		},
		"a short transfer": {
			reports: []*client.SolveStatus{vertex("a", nil), transfers("a", "layer", 0, 0, 2e6, false), transfers("a", "layer", time.Second, 2e6, 2e6, true), transfers("a", "layer", time.Second, 2e6, 2e6, true)},
			want:    "#1 a\n#1 layer 2.00 / 2.00 MB done\n",
		},
		"a long transfer": {
			reports: []*client.SolveStatus{vertex("a", nil), transfers("a", "x", 0, 0, 0, false), transfers("a", "x", 2*time.Second, 1e6, 0, false), transfers("a", "x", 6*time.Second, 3e6, 0, false), transfers("a", "x", 8*time.Second, 4e6, 0, false)},
			want:    "#1 a\n#1 x 3.00 MB\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			p := newProgress(&out)
			for _, r := range test.reports {
				p.show(r)
			}
			if diff := cmp.Diff(test.want, out.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTailIsBounded(t *testing.T) {
	var out strings.Builder
	p := newProgress(&out)
	p.show(vertex("a", nil))
	for i := range 100 {
		p.show(prints("a", fmt.Sprintf("line %d\n", i)))
	}
	p.show(prints("a", strings.Repeat("x", 3*lineLength)))
	p.show(ended("a", 0, "exit code: 1"))
	tail := p.failed().tail
	if len(tail) != tailLines || tail[0] != "line 81" {
		t.Errorf("%d lines from %q", len(tail), tail[0])
	}
	if len(tail[tailLines-1]) != 3*lineLength {
		t.Errorf("the last line has %d bytes", len(tail[tailLines-1]))
	}
}

func TestFailedIsTheCause(t *testing.T) {
	var out strings.Builder
	p := newProgress(&out)
	if p.failed() != nil {
		t.Error("a step failed before any")
	}
	for _, name := range []string{"a", "b", "c"} {
		p.show(vertex(name, nil))
	}
	p.show(ended("a", 0, "executor failed running [x]: context canceled"))
	p.show(ended("c", 0, "exit code: 1"))
	p.show(ended("b", 0, "exit code: 2"))
	if got := p.failed(); got == nil || got.name != "b" {
		t.Errorf("got %+v", got)
	}
}
