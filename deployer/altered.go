package deployer

import (
	"cmp"
	"slices"
	"strings"
)

// Actual is what a container is now of what can be changed while it is there:
// docker update, docker network connect and disconnect.
type Actual struct {
	Restart  string // no, always, unless-stopped, on-failure or on-failure:5
	Limits   Limits // Swap is not told: Docker picks it if nobody does
	Own      bool   // it is in its environment's network, by its own name
	Networks []string
}

// Altered says what differs from a container as it was created, by its label
// batuta.spec: somebody changed it by hand. An Engine whose kernel cannot bound
// something leaves that out, which is no change.
func Altered(spec string, now Actual) []string {
	was, known := recall(Container{Spec: spec})
	if !known {
		return nil
	}
	out := told(change{"restart", plainRestart(was.Restart), plainRestart(now.Restart)})
	for _, l := range []struct {
		what     string
		from, to int64
	}{
		{"limit memory", was.Limits.Memory, now.Limits.Memory}, {"limit cpu_shares", was.Limits.CPUShares, now.Limits.CPUShares},
		{"limit pids", was.Limits.PIDs, now.Limits.PIDs},
	} {
		switch {
		case l.to == 0 || l.from == 0 && l.what == "limit pids": // an Engine may have a bound of its own
		case l.what == "limit memory":
			out = append(out, told(change{l.what, sizeText(l.from), sizeText(l.to)})...)
		default:
			out = append(out, told(change{l.what, l.from, l.to})...)
		}
	}
	if now.Limits.CPUs != 0 {
		out = append(out, told(change{"limit cpus", was.Limits.CPUs, now.Limits.CPUs})...)
	}
	if was.NetworkMode != "" {
		return out
	}
	if !now.Own {
		out = append(out, "it is not in the environment's network by its own name")
	}
	return append(out, setChanges("network", attached(was.Networks), now.Networks)...)
}

// plainRestart leaves out what says nothing.
func plainRestart(policy string) string { return cmp.Or(strings.TrimSuffix(policy, ":0"), "no") }

func attached(to []Attachment) []string {
	var out []string
	for _, a := range to {
		out = append(out, a.Network)
	}
	return out
}

// setChanges says what is in one list and not in the other.
func setChanges(what string, from, to []string) []string {
	var out []string
	for _, gone := range sorted(from) {
		if !slices.Contains(to, gone) {
			out = append(out, what+" "+gone+" removed")
		}
	}
	for _, added := range sorted(to) {
		if !slices.Contains(from, added) {
			out = append(out, what+" "+added+" added")
		}
	}
	return out
}
