package deployer

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"batuta"
)

// Policy is what server.yml lets an app have on its ships. The zero value
// allows nothing of the host.
type Policy struct {
	// Paths are the host directories that may be mounted, with all that is
	// below them. Links cannot be followed from here: allow no directory in
	// which a container can make a link to where it must not go.
	Paths []string
	// Privileges are what its containers may have beyond what Docker gives to
	// all.
	Privileges []batuta.Privilege
	// Hosts are the addresses that checks may ask from outside without a
	// privilege: those of the environment's ships.
	Hosts []string
}

// Everything is the policy of a person who could as well use docker run.
func Everything() Policy {
	return Policy{Paths: []string{"/"}, Privileges: []batuta.Privilege{batuta.AnyPrivilege}}
}

// Refusal is something that an instance asks for and may not have.
type Refusal struct {
	Service  batuta.ServiceName
	Instance batuta.InstanceName
	Key      string // of the document: cap_add
	Item     string // which of the key's entries; empty if it has none. Of volumes, the target
	Message  string
	Hint     string // what to write in server.yml, or instead
}

// Check gives everything that the instances of an environment ask for and may
// not have, in their order. It looks at them as they will be created, so it
// holds for every format.
func (p Policy) Check(s Scope, instances []Instance) []Refusal {
	k := inspector{policy: p, scope: s, own: map[batuta.InstanceName]bool{}}
	for _, i := range instances {
		k.own[i.Name] = true
	}
	for _, i := range instances {
		k.inspect(i)
	}
	return k.refusals
}

// Allows tells whether a cleaned absolute path may be mounted.
func (p Policy) Allows(source string) bool {
	for _, allowed := range p.Paths {
		allowed = path.Clean(allowed)
		if source == allowed || strings.HasPrefix(source, strings.TrimSuffix(allowed, "/")+"/") {
			return true
		}
	}
	return false
}

// grants tells whether a privilege is granted; those that end with a colon are
// followed by the item.
func (p Policy) grants(privilege batuta.Privilege, item string) bool {
	if !strings.HasSuffix(string(privilege), ":") {
		item = ""
	}
	return slices.ContainsFunc(p.Privileges, func(granted batuta.Privilege) bool {
		return granted == batuta.AnyPrivilege || granted == privilege+batuta.Privilege(item) || item != "" && granted == privilege+"*"
	})
}

type inspector struct {
	policy   Policy
	scope    Scope
	own      map[batuta.InstanceName]bool
	refusals []Refusal
}

// Docker's own capabilities, which every container has.
var commonCapabilities = []string{
	"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
}

// Log drivers that keep what is printed on the ship.
var localLogging = []string{"", "none", "local", "json-file", "journald"}

// labelPrefix begins the labels by which Batuta knows its own containers.
const labelPrefix = "batuta."

func (k *inspector) inspect(i Instance) {
	if i.Privileged {
		k.need(i, batuta.PrivilegedMode, "privileged", "", "a privileged container is root on the ship")
	}
	for _, c := range i.CapAdd {
		if c = capability(c); !slices.Contains(commonCapabilities, c) {
			k.need(i, batuta.CapabilityPrivilege, "cap_add", c, "the capability "+c+" is beyond what containers have")
		}
	}
	if len(i.Devices) > 0 {
		k.need(i, batuta.HostDevices, "devices", "", "devices are the ship's own")
	}
	for _, o := range i.SecurityOpt {
		if o != "no-new-privileges" && o != "no-new-privileges:true" && o != "no-new-privileges=true" {
			k.need(i, batuta.SecurityOptions, "security_opt", o, o+" may take away what shields the ship")
		}
	}
	if len(i.Sysctls) > 0 {
		k.need(i, batuta.KernelParameters, "sysctls", "", "sysctls are parameters of the ship's kernel")
	}
	if !slices.Contains(localLogging, i.LogDriver) {
		k.need(i, batuta.RemoteLogging, "log_driver", "", "the log driver "+i.LogDriver+" speaks to others from the ship's own network")
	}
	for _, l := range slices.Sorted(maps.Keys(i.Labels)) {
		if strings.HasPrefix(l, labelPrefix) {
			k.refuse(i, "labels", l, fmt.Sprintf("the label %s is Batuta's own", l), "labels that begin with "+labelPrefix+" tell whose a container is; choose another name")
		}
	}
	k.connections(i)
	k.volumes(i)
	k.checks(i)
}

// connections looks at what the container is joined with.
func (k *inspector) connections(i Instance) {
	switch peer, shares := netPeer(i.NetworkMode); {
	case i.NetworkMode == hostNet:
		k.need(i, batuta.HostNetwork, "net", "", "net: host is the ship's own network")
	case shares && !k.own[peer]:
		k.need(i, batuta.ForeignContainers, "net", "", fmt.Sprintf("%s is not an instance of this environment", peer))
	case i.NetworkMode != "" && i.NetworkMode != "none" && !shares:
		k.need(i, batuta.NetworkPrivilege, "net", i.NetworkMode, fmt.Sprintf("the network %s is not the environment's own", i.NetworkMode))
	}
	for _, n := range i.Networks {
		k.need(i, batuta.NetworkPrivilege, "networks", n.Network, fmt.Sprintf("the network %s is not the environment's own", n.Network))
	}
	for _, other := range i.VolumesFrom {
		if !k.own[other] {
			k.need(i, batuta.ForeignContainers, "volumes_from", string(other), fmt.Sprintf("%s is not an instance of this environment", other))
		}
	}
	for _, l := range i.Links {
		if !k.own[l.Instance] {
			k.need(i, batuta.ForeignContainers, "links", string(l.Instance), fmt.Sprintf("%s is not an instance of this environment", l.Instance))
		}
	}
}

func (k *inspector) volumes(i Instance) {
	for _, v := range i.Volumes {
		switch {
		case path.IsAbs(v.Source) && !k.policy.Allows(path.Clean(v.Source)):
			k.refuse(i, "volumes", v.Target, fmt.Sprintf("the host's %s may not be mounted", path.Clean(v.Source)), k.policy.allowed())
		case !path.IsAbs(v.Source) && !strings.HasPrefix(v.Source, volumePrefix(k.scope)):
			k.need(i, batuta.VolumePrivilege, "volumes", v.Source, fmt.Sprintf("the volume %s is not the environment's own", v.Source))
		}
	}
}

func (k *inspector) checks(i Instance) {
	for _, c := range slices.Concat(i.Checks, i.Lifecycle.PreStart, i.Lifecycle.PreStop, i.Lifecycle.Stopped) {
		if c.Type == CheckLocal {
			k.need(i, batuta.LocalChecks, "lifecycle", "", "a check of type local runs on the server itself")
		}
		if c.Outside != "" && !slices.Contains(k.policy.Hosts, c.Outside) {
			k.need(i, batuta.OutsideChecks, "lifecycle", "", "a check of "+c.Outside+" is made from the server itself")
		}
	}
}

// need refuses what a privilege would allow.
func (k *inspector) need(i Instance, privilege batuta.Privilege, key, item, why string) {
	if k.policy.grants(privilege, item) {
		return
	}
	name := string(privilege)
	if strings.HasSuffix(name, ":") {
		name += item
	}
	k.refuse(i, key, item, why, fmt.Sprintf("the app needs allow: {privileges: [%q]} in server.yml", name))
}

func (k *inspector) refuse(i Instance, key, item, message, hint string) {
	k.refusals = append(k.refusals, Refusal{Service: i.Service, Instance: i.Name, Key: key, Item: item, Message: message, Hint: hint})
}

// allowed says which paths may be mounted.
func (p Policy) allowed() string {
	if len(p.Paths) == 0 {
		return "server.yml allows this app no host path; a named volume needs no permission"
	}
	return "server.yml allows " + strings.Join(p.Paths, ", ")
}

// capability is Docker's name of one: NET_ADMIN for cap_net_admin.
func capability(s string) string { return strings.TrimPrefix(strings.ToUpper(s), "CAP_") }
