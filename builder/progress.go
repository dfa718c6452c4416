package builder

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
)

const (
	tailLines  = 20              // of a step's output, kept for an error message
	lineLength = 16 << 10        // of output without a newline before it is shown as a line, in bytes
	quiet      = 5 * time.Second // between two lines about one transfer
)

// progress writes what a daemon reports as lines, at once and in the order in
// which it comes; lines of steps that run side by side are told apart by the
// step's number.
//
//	#4 [2/3] RUN npm ci
//	#4 added 51 packages
//	#4 DONE 1.2s
//
// It also remembers how each step's output ended. It is for one goroutine.
type progress struct {
	w     io.Writer
	steps map[digest.Digest]*step
	bases bases // the images that the build reads
	last  *step // that publish started
}

// loadMetadata begins the name of the step that resolves a base image.
const loadMetadata = "[internal] load metadata for "

// step is one vertex of the graph that BuildKit solves.
type step struct {
	number    int
	name      string
	started   time.Time
	completed bool
	cached    bool
	failure   string
	partial   []byte               // output since the last newline
	tail      []string             // the last lines of output
	shown     map[string]time.Time // by transfer, when it was last shown; zero time when it has ended
}

func newProgress(w io.Writer) *progress {
	return &progress{w: w, steps: map[digest.Digest]*step{}, bases: bases{}}
}

// show writes one report.
func (p *progress) show(s *client.SolveStatus) {
	for _, v := range s.Vertexes {
		p.vertex(v)
	}
	for _, st := range s.Statuses {
		p.transfer(st)
	}
	for _, l := range s.Logs {
		p.output(l)
	}
	for _, v := range s.Vertexes {
		p.complete(v)
	}
}

// vertex announces a step when it starts.
func (p *progress) vertex(v *client.Vertex) {
	if v.Started == nil || p.steps[v.Digest] != nil {
		return
	}
	st := &step{number: len(p.steps) + 1, name: v.Name, started: *v.Started, shown: map[string]time.Time{}}
	p.steps[v.Digest] = st
	p.print(st, v.Name)
}

// complete tells how a step ended. A step may go on after that (an export
// with its push); then only a failure is told.
func (p *progress) complete(v *client.Vertex) {
	st := p.steps[v.Digest]
	if st == nil || v.Completed == nil || st.completed && (v.Error == "" || st.failure != "") {
		return
	}
	st.completed = true
	if len(st.partial) > 0 {
		p.outputLine(st, st.partial)
		st.partial = nil
	}
	switch {
	case v.Error != "":
		st.failure = v.Error
		p.print(st, "ERROR: "+v.Error)
	case v.Cached:
		st.cached = true
		p.print(st, "CACHED")
	default:
		p.print(st, fmt.Sprintf("DONE %.1fs", v.Completed.Sub(st.started).Seconds()))
	}
}

// transfer tells of something moved within a step: when it ends and, if that
// takes long, now and then before.
func (p *progress) transfer(s *client.VertexStatus) {
	st := p.steps[s.Vertex]
	if st == nil {
		return
	}
	last, known := st.shown[s.ID]
	switch {
	case known && last.IsZero():
		return
	case s.Completed != nil:
		st.shown[s.ID] = time.Time{}
	case !known:
		st.shown[s.ID] = s.Timestamp
		return
	case s.Timestamp.Sub(last) < quiet:
		return
	default:
		st.shown[s.ID] = s.Timestamp
	}
	p.print(st, describe(s))
}

func describe(s *client.VertexStatus) string {
	line := s.ID
	switch {
	case s.Total > 0:
		line += fmt.Sprintf(" %.2f / %.2f MB", megabytes(s.Current), megabytes(s.Total))
	case s.Current > 0:
		line += fmt.Sprintf(" %.2f MB", megabytes(s.Current))
	}
	if s.Completed != nil {
		line += " done"
	}
	return line
}

func megabytes(n int64) float64 { return float64(n) / 1e6 }

// output splits what a step printed into lines.
func (p *progress) output(l *client.VertexLog) {
	st := p.steps[l.Vertex]
	if st == nil {
		return
	}
	rest := append(st.partial, l.Data...)
	for {
		line, after, found := bytes.Cut(rest, []byte("\n"))
		if !found {
			break
		}
		p.outputLine(st, line)
		rest = after
	}
	if len(rest) > lineLength {
		p.outputLine(st, rest)
		rest = nil
	}
	st.partial = bytes.Clone(rest)
}

// outputLine shows a line of output as a terminal would leave it: what a
// carriage return overwrites is dropped.
func (p *progress) outputLine(st *step, line []byte) {
	line = bytes.TrimRight(line, "\r")
	line = line[bytes.LastIndexByte(line, '\r')+1:]
	if len(st.tail) == tailLines {
		st.tail = st.tail[1:]
	}
	st.tail = append(st.tail, string(line))
	p.print(st, string(line))
}

// failed is the first step that failed; nil if none did. Steps that ran
// beside it were cancelled.
func (p *progress) failed() *step {
	var first *step
	for _, st := range p.steps {
		if st.failure == "" || strings.HasSuffix(st.failure, "context canceled") {
			continue
		}
		if first == nil || st.number < first.number {
			first = st
		}
	}
	return first
}

// cached tells whether every instruction's result was known before.
func (p *progress) cached() bool {
	for _, st := range p.steps {
		if _, reads := readImage(st.name); st.works() && !reads && !st.cached {
			return false
		}
	}
	return true
}

// works tells whether the step is an instruction, rather than something that
// happens around them.
func (s *step) works() bool {
	for _, around := range [...]string{"[internal] ", "exporting ", "importing ", "load ", "[auth] ", "[context "} {
		if strings.HasPrefix(s.name, around) {
			return false
		}
	}
	return true
}

// title is the step's name without its number in the stage: the instruction.
func (s *step) title() string {
	if s == nil {
		return "build"
	}
	if image, ok := strings.CutPrefix(s.name, loadMetadata); ok {
		return "FROM " + image
	}
	return counter.ReplaceAllString(s.name, "")
}

// exports tells whether the step is the one that delivers the image.
func (s *step) exports() bool { return s != nil && strings.HasPrefix(s.name, "exporting to ") }

// pulls tells whether the step asks a registry for a base image.
func (s *step) pulls() bool {
	return s != nil && strings.HasPrefix(s.title(), "FROM ")
}

// note writes a line that belongs to no step.
func (p *progress) note(line string) { fmt.Fprintln(p.w, line) }

// start announces a step of our own after the daemon's.
func (p *progress) start(name string) {
	p.last = &step{number: len(p.steps) + 1, name: name}
	p.print(p.last, name)
}

// line tells of the step that start announced.
func (p *progress) line(format string, args ...any) {
	p.print(p.last, fmt.Sprintf(format, args...))
}

func (p *progress) print(st *step, line string) {
	fmt.Fprintf(p.w, "#%d %s\n", st.number, line)
}
