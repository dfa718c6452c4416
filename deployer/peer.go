package deployer

import (
	"cmp"
	"slices"
	"strings"

	"batuta"
)

const sharedNet = "container:" // before the instance whose network is shared

// needs tells whether an instance's container can only be made when another's
// is there: it names that one.
func (i *Instance) needs(other batuta.InstanceName) bool {
	return i.NetworkMode == sharedNet+string(other) || slices.Contains(i.VolumesFrom, other) ||
		slices.ContainsFunc(i.Links, func(l Link) bool { return l.Instance == other })
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
	depth := map[*task]int{}
	for range tasks { // the longest way from one to another
		for _, t := range tasks {
			for _, peer := range tasks {
				if t.hasPeers() && t.want.needs(peer.Instance) && depth[t] <= depth[peer] && depth[peer] < len(tasks) {
					depth[t] = depth[peer] + 1
				}
			}
		}
	}
	slices.SortStableFunc(tasks, func(a, b *task) int { return cmp.Compare(depth[a], depth[b]) })
}

// apartFromPeers is how many of the first tasks need none of each other.
func apartFromPeers(tasks []*task) int {
	for n, t := range tasks {
		if t.hasPeers() && slices.ContainsFunc(tasks[:n], func(peer *task) bool { return t.want.needs(peer.Instance) }) {
			return n
		}
	}
	return len(tasks)
}
