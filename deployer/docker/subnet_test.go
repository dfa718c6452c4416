package docker

import (
	"net/netip"
	"testing"
)

func TestCarve(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		pool  string
		taken []string
		want  string // empty: nothing is free
	}{
		"all is free":                  {"172.18.0.0/16", nil, "172.18.0.0/24"},
		"what others have is left out": {"172.18.0.0/16", []string{"172.18.0.0/24", "10.0.0.0/8", "172.18.1.128/25", "fd00::/64"}, "172.18.2.0/24"},
		"a gap is filled":              {"192.168.16.0/20", []string{"192.168.16.0/24", "192.168.18.0/24"}, "192.168.17.0/24"},
		"full":                         {"192.168.16.0/23", []string{"192.168.16.0/24", "192.168.17.0/24"}, ""},
		"held by something larger":     {"192.168.16.0/20", []string{"192.168.0.0/16"}, ""},
		"of the same size":             {"10.1.2.0/24", nil, "10.1.2.0/24"},
		"smaller":                      {"10.1.2.64/26", nil, "10.1.2.64/26"},
		"smaller, and taken":           {"10.1.2.64/26", []string{"10.1.2.64/26"}, ""},
		"at the end of all addresses":  {"255.255.255.0/24", []string{"255.255.255.0/24"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var taken []netip.Prefix
			for _, s := range test.taken {
				taken = append(taken, netip.MustParsePrefix(s))
			}
			got, ok := carve(netip.MustParsePrefix(test.pool), taken)
			if ok != (test.want != "") || ok && got.String() != test.want {
				t.Errorf("got %s, %t; want %q", got, ok, test.want)
			}
		})
	}
}
