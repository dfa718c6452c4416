package deployer

import (
	"fmt"
	"slices"
	"strings"

	"batuta"
)

// Tree draws what services require, as far as is said: of those that the
// things name, or of all of them; with deep also what these require, and so
// on. The error is Invalid: nobody by such a name, services that require each
// other in a circle.
func (s Spec) Tree(things []string, deep bool) (string, error) {
	p, err := NewPlay(s, Order{Verb: PlayStatus, Things: things})
	if err != nil {
		return "", err
	}
	var services []batuta.ServiceName
	for _, q := range p.parts {
		services = append(services, q.Service)
	}
	for name := range s.Services {
		if len(things) == 0 || slices.Contains(things, string(name)) {
			services = append(services, name)
		}
	}
	slices.Sort(services)
	var b strings.Builder
	for _, name := range slices.Compact(services) {
		fmt.Fprintln(&b, name)
		s.branches(&b, name, "", deep)
	}
	return b.String(), nil
}

func (s Spec) branches(b *strings.Builder, of batuta.ServiceName, indent string, deep bool) {
	requires := s.Services[of].Requires
	for n, r := range requires {
		branch, further := "|-- ", "|   "
		if n == len(requires)-1 {
			branch, further = "`-- ", "    "
		}
		fmt.Fprintf(b, "%s%s%s\n", indent, branch, r)
		if deep {
			s.branches(b, r, indent+further, deep)
		}
	}
}
