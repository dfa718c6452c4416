package deployer

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"batuta"
)

// What net says, beside the name of a network.
const (
	hostNet   = "host"       // the ship's own network
	sharedNet = "container:" // before the instance whose network is shared
)

// needs tells whether an instance's container can only be made when another's
// is there: it names that one.
func (i *Instance) needs(other batuta.InstanceName) bool {
	return i.NetworkMode == sharedNet+string(other) || slices.Contains(i.VolumesFrom, other) ||
		slices.ContainsFunc(i.Links, func(l Link) bool { return l.Instance == other })
}

// peers are the instances that it needs.
func (i *Instance) peers() []batuta.InstanceName {
	out := slices.Clone(i.VolumesFrom)
	for _, l := range i.Links {
		out = append(out, l.Instance)
	}
	if peer, shares := strings.CutPrefix(i.NetworkMode, sharedNet); shares {
		out = append(out, batuta.InstanceName(peer))
	}
	return out
}

// Bind tells the instances what their services require, and has the Config of
// each change with those of its peers, once all are sealed: a container that
// takes another's network or volumes is of no use once that one is replaced.
func (s Spec) Bind() {
	for n := range s.Instances {
		s.Instances[n].Requires = s.Services[s.Instances[n].Service].Requires
	}
	bind(s.Instances)
}

func bind(all []Instance) {
	at := make(map[batuta.InstanceName]*Instance, len(all))
	for n := range all {
		at[all[n].Name] = &all[n]
	}
	bound := map[batuta.InstanceName]bool{}
	var one func(i *Instance)
	one = func(i *Instance) {
		if bound[i.Name] {
			return // or they need each other
		}
		bound[i.Name] = true
		configs := []string{i.Config}
		for _, name := range i.peers() {
			if peer := at[name]; peer != nil {
				one(peer)
				configs = append(configs, peer.Config)
			}
		}
		if len(configs) > 1 {
			sum := sha256.Sum256([]byte(strings.Join(configs, " ")))
			i.Config = hex.EncodeToString(sum[:])
		}
	}
	for n := range all {
		one(&all[n])
	}
}

// hasPeers tells whether the task's new container needs any other.
func (t *task) hasPeers() bool {
	return t.want != nil && (len(t.want.VolumesFrom)+len(t.want.Links) > 0 || strings.HasPrefix(t.want.NetworkMode, sharedNet))
}

// peersFirst puts tasks behind those of them that they need.
func peersFirst(tasks []*task) {
	if !slices.ContainsFunc(tasks, (*task).hasPeers) {
		return
	}
	at := make(map[batuta.InstanceName]*task, len(tasks))
	for _, t := range tasks {
		at[t.Instance] = t
	}
	depth := make(map[*task]int, len(tasks))
	var visit func(*task) int // the longest way to another
	visit = func(t *task) int {
		if d, known := depth[t]; known {
			return d
		}
		depth[t] = 0 // should they need each other
		d := 0
		if t.hasPeers() {
			for _, name := range t.want.peers() {
				if peer := at[name]; peer != nil {
					d = max(d, visit(peer)+1)
				}
			}
		}
		depth[t] = d
		return d
	}
	slices.SortStableFunc(tasks, func(a, b *task) int { return cmp.Compare(visit(a), visit(b)) })
}

// apartFromPeers is how many of the first tasks need none of each other.
func apartFromPeers(tasks []*task) int {
	before := make(map[batuta.InstanceName]bool, len(tasks))
	for n, t := range tasks {
		if t.hasPeers() && slices.ContainsFunc(t.want.peers(), func(peer batuta.InstanceName) bool { return before[peer] }) {
			return n
		}
		before[t.Instance] = true
	}
	return len(tasks)
}
