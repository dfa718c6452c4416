package maestro

import (
	"regexp"
	"slices"
	"strings"
)

// Peer is an instance as its variables tell other containers of it.
type Peer struct {
	Instance string
	Host     string // where its published ports answer
	Ports    []PeerPort
}

// PeerPort is a port by its name, with its number on the ship and in the
// container. A range stays one: 18300-18302.
type PeerPort struct {
	Name, External, Internal string
}

var notWord = regexp.MustCompile(`[^\p{L}\p{N}_]`)

// VariableName is a name as it appears in MaestroNG's variables: in capitals,
// with _ for all that is no letter, digit or _.
func VariableName(name string) string {
	return strings.ToUpper(notWord.ReplaceAllString(name, "_"))
}

// LinkVariables are the variables that tell of a service and its instances:
// SERVICE_INSTANCES, SERVICE_INSTANCE_HOST, SERVICE_INSTANCE_PORTNAME_PORT, and
// if internal, which only a service's own instances are told,
// SERVICE_INSTANCE_PORTNAME_INTERNAL_PORT.
func LinkVariables(service string, peers []Peer, internal bool) map[string]string {
	base := VariableName(service)
	out := map[string]string{}
	var names []string
	for _, p := range slices.SortedFunc(slices.Values(peers), func(a, b Peer) int { return strings.Compare(a.Instance, b.Instance) }) {
		names = append(names, p.Instance)
		own := base + "_" + VariableName(p.Instance)
		out[own+"_HOST"] = p.Host
		for _, port := range p.Ports {
			of := own + "_" + VariableName(port.Name)
			out[of+"_PORT"] = port.External
			if internal {
				out[of+"_INTERNAL_PORT"] = port.Internal
			}
		}
	}
	out[base+"_INSTANCES"] = strings.Join(names, ",")
	return out
}

// ImageTag is what MaestroNG takes for the tag of an image reference: all that
// follows the last colon, if no / does, and latest without one. For a
// reference by digest that is the digest's hash.
func ImageTag(reference string) string {
	colon := strings.LastIndex(reference, ":")
	if colon < 0 || strings.Contains(reference[colon:], "/") || colon == len(reference)-1 {
		return "latest"
	}
	return reference[colon+1:]
}

// merge puts the variables over those that are there.
func merge(into map[string]*string, over map[string]string) {
	for name, value := range over {
		into[name] = &value
	}
}
