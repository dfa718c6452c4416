package batuta

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Privilege is something a container may have of its ship beyond what Docker
// gives to all: host-network, or cap:NET_ADMIN. A server grants them app by
// app.
type Privilege string

// The privileges. Those that end with a colon are followed by what they are
// for: a name, or * for any.
const (
	AnyPrivilege        Privilege = "*"
	PrivilegedMode      Privilege = "privileged"
	HostNetwork         Privilege = "host-network"       // net: host
	HostDevices         Privilege = "devices"            //
	SecurityOptions     Privilege = "security-opt"       // all but no-new-privileges, which takes rights away
	KernelParameters    Privilege = "sysctls"            //
	RemoteLogging       Privilege = "log-driver"         // a log driver that speaks to others, from the ship's own network
	ForeignContainers   Privilege = "foreign-containers" // the network, volumes or names of containers outside the environment
	LocalChecks         Privilege = "local-checks"       // checks that run where Batuta does
	OutsideChecks       Privilege = "outside-checks"     // checks that ask another host from where Batuta runs
	CapabilityPrivilege Privilege = "cap:"               // one that Docker does not give to all
	NetworkPrivilege    Privilege = "network:"           // a network of the ship that is not the environment's own
	VolumePrivilege     Privilege = "volume:"            // a named volume that is not the environment's own
)

var (
	plainPrivileges = []Privilege{
		AnyPrivilege, PrivilegedMode, HostNetwork, HostDevices, SecurityOptions, KernelParameters, RemoteLogging, ForeignContainers, LocalChecks, OutsideChecks,
	}
	namedPrivilege = regexp.MustCompile(`^(cap:([A-Z_]+|\*)|(network|volume):([a-zA-Z0-9][a-zA-Z0-9_.-]*|\*))$`)
)

// CheckPrivilege tells whether s is the name of a privilege.
func CheckPrivilege(s string) error {
	if slices.Contains(plainPrivileges, Privilege(s)) || namedPrivilege.MatchString(s) {
		return nil
	}
	known := make([]string, len(plainPrivileges))
	for i, p := range plainPrivileges {
		known[i] = string(p)
	}
	return &Error{
		Kind: Invalid, Message: fmt.Sprintf("%q is not a privilege", s),
		Hint: "write " + strings.Join(known, ", ") + ", cap:NET_ADMIN, network:NAME or volume:NAME",
	}
}
