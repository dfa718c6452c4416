package deployer

import (
	"fmt"
	"maps"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"batuta/internal/document"
)

// What the Engine, or the kernel below it, takes on every ship. A document that
// says something else would be refused when its container is made or started:
// after the images have been pulled, and others have been replaced.
var (
	knownCapabilities = strings.Fields(`ALL AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE DAC_READ_SEARCH
		FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW
		PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE
		SYS_TIME SYS_TTY_CONFIG WAKE_ALARM`)
	signals = strings.Fields(`ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP TSTP TTIN
		TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ`)
	ulimitNames = strings.Fields(`core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack`)
	fileOptions = map[string][]string{
		"json-file": {"compress", "env", "env-regex", "labels", "labels-regex", "max-file", "max-size", "tag"},
		"local":     {"compress", "max-file", "max-size"},
	}
	mountFlags = strings.Fields(`async atime bind defaults dev diratime dirsync exec mand noatime nodev nodiratime noexec nomand norelatime nostrictatime
		nosuid private rbind relatime remount ro rprivate rshared rslave runbindable rw shared slave strictatime suid sync unbindable`)

	realtimeForm = regexp.MustCompile(`^RT(MIN(\+([0-9]|1[0-5]))?|MAX(-([0-9]|1[0-4]))?)$`)
	userForm     = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.@-]*\$?(:[A-Za-z0-9_][A-Za-z0-9_.@-]*\$?)?$`)
	sysctlForm   = regexp.MustCompile(`^(net\.[\w./-]+|fs\.mqueue\.\w+|kernel\.(domainname|msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced))$`)
	mountOption  = regexp.MustCompile(`^(size=[0-9]+[kmgKMG%]?|mode=[0-7]{1,5}|uid=[0-9]+|gid=[0-9]+|nr_inodes=[0-9]+[kmgKMG]?|nr_blocks=[0-9]+[kmgKMG]?|mpol=.+)$`)
	securityForm = regexp.MustCompile(`^(no-new-privileges([:=](true|false))?|label[:=].+|apparmor[:=].+|seccomp[:=](unconfined|builtin|[ \t\n]*\{(?s:.*))|writable-cgroups[:=](true|false))$`)
)

// The kernel's own bounds.
const (
	longestHost = 64      // sethostname(2)
	mostFiles   = 1 << 30 // of fs.nr_open
)

// engine checks what the Engine would refuse.
func (v validator) engine(at document.Path, t traits) {
	v.words(at.At("cap_add"), t.CapAdd, capability, knownCapabilities, "a capability")
	v.words(at.At("cap_drop"), t.CapDrop, capability, knownCapabilities, "a capability")
	v.signal(at.At("stop_signal"), t.StopSignal)
	if len(t.Hostname) > longestHost {
		v.Problem(at.At("hostname"), fmt.Sprintf("a host name of %d characters", len(t.Hostname)), fmt.Sprintf("at most %d", longestHost))
	}
	if t.User != "" && !userForm.MatchString(t.User) {
		v.Problem(at.At("user"), fmt.Sprintf("%q is not a user", t.User), `write a name or a number, and a group if need be: www-data, "1000:1000"`)
	}
	for i, address := range t.DNS {
		if _, err := netip.ParseAddr(address); err != nil {
			v.Problem(at.At("dns", fmt.Sprint(i)), fmt.Sprintf("%q is not an address", address), "write an IP address")
		}
	}
	for i, option := range t.SecurityOpt {
		if !securityForm.MatchString(option) {
			v.Problem(at.At("security_opt", fmt.Sprint(i)), fmt.Sprintf("%q is not a security option", option), "write no-new-privileges, label=…, apparmor=PROFILE, or seccomp=unconfined or its JSON")
		}
	}
	for key, c := range map[string]command{"command": t.Command, "entrypoint": t.Entrypoint} {
		if len(c) > 0 && c[0] == "" {
			v.Problem(at.At(key), "its first word is empty", "leave it out for the image's own")
		}
	}
	for i, name := range t.Aliases {
		if !hostNameForm.MatchString(name) {
			v.Problem(at.At("aliases", fmt.Sprint(i)), fmt.Sprintf("%q is not a host name", name), "")
		}
	}
	for name, alias := range t.Links {
		if alias.value != "" && !hostNameForm.MatchString(alias.value) {
			v.Problem(at.At("links", name), fmt.Sprintf("%q is not a host name", alias.value), "")
		}
	}
	v.kernel(at, t)
	v.logging(at, t)
	v.mounts(at, t)
}

// words checks each of a list against those that there are.
func (v validator) words(at document.Path, list []string, form func(string) string, known []string, what string) {
	for i, word := range list {
		if !slices.Contains(known, form(word)) {
			hint := ""
			if s := document.Suggest(form(word), known); strings.HasPrefix(s, "did") {
				hint = s
			}
			v.Problem(at.At(fmt.Sprint(i)), fmt.Sprintf("there is no %s %q", strings.TrimPrefix(what, "a "), word), hint)
		}
	}
}

func (v validator) signal(at document.Path, name string) {
	bare := strings.TrimPrefix(name, "SIG")
	n, err := strconv.Atoi(bare)
	if name == "" || err == nil && n >= 1 && n <= 64 || slices.Contains(signals, bare) || realtimeForm.MatchString(bare) {
		return
	}
	v.Problem(at, fmt.Sprintf("%q is not a signal", name), "write SIGTERM, SIGINT, SIGRTMIN+3 or a number from 1 to 64")
}

// kernel checks ulimits and sysctls.
func (v validator) kernel(at document.Path, t traits) {
	for name, u := range t.Ulimits {
		path := at.At("ulimits", name)
		switch {
		case !slices.Contains(ulimitNames, name):
			v.Problem(path, fmt.Sprintf("there is no ulimit %q", name), document.Suggest(name, ulimitNames))
		case u.soft < -1 || u.hard < -1:
			v.Problem(path, "a ulimit is negative", "write -1 for no bound")
		case u.soft == -1 && u.hard != -1:
			v.Problem(path, fmt.Sprintf("soft -1, which is no bound, is above hard %d", u.hard), "")
		case name == "nofile" && (u.hard == -1 || u.hard > mostFiles):
			v.Problem(path, "the kernel bounds the number of open files", "write a number: 1048576")
		}
	}
	for name := range t.Sysctls {
		switch {
		case !sysctlForm.MatchString(name):
			v.Problem(at.At("sysctls", name), fmt.Sprintf("%s is not a container's own", name), "those are net.…, fs.mqueue.… and kernel.msg…, kernel.shm…, kernel.sem; set others on the ship")
		case t.Net == hostNet && strings.HasPrefix(name, "net."):
			v.Problem(at.At("sysctls", name), fmt.Sprintf("with net: host, %s is the ship's", name), "set it on the ship")
		}
	}
}

// logging checks the options of the drivers that write files.
func (v validator) logging(at document.Path, t traits) {
	known := fileOptions[t.LogDriver]
	for name, option := range t.LogOptions {
		value, path := option.value, at.At("log_opt", name)
		_, isSize := parseSize(value)
		n, err := strconv.Atoi(value)
		switch {
		case known == nil:
		case !slices.Contains(known, name):
			v.Problem(path, fmt.Sprintf("log_driver %s has no option %q", t.LogDriver, name), document.Suggest(name, known))
		case name == "max-size" && !isSize && value != "-1":
			v.Problem(path, fmt.Sprintf("%q is not a size", value), "write 10m")
		case name == "max-file" && (err != nil || n < 1):
			v.Problem(path, fmt.Sprintf("%q is not a number of files", value), "write 1 or more")
		}
	}
	if _, given := t.LogOptions["gelf-address"]; t.LogDriver == "gelf" && !given {
		v.Problem(at.At("log_driver"), "gelf has no address", "write log_opt: {gelf-address: udp://…}")
	}
}

// mounts checks that each directory of the container is mounted once.
func (v validator) mounts(at document.Path, t traits) {
	from := map[string]string{}
	mount := func(target, what string, place document.Path) {
		if first, twice := from[target]; twice && (what != "volumes" || first != "volumes") { // two volumes are told of where they are resolved
			v.Problem(place, fmt.Sprintf("%s stands under %s already", target, first), "keep one")
		}
		from[target] = what
	}
	for _, source := range slices.Sorted(maps.Keys(t.Volumes)) {
		target, place := t.Volumes[source].target, at.At("volumes", source)
		if strings.Contains(source, ":") || strings.Contains(target, ":") {
			v.Problem(place, "Docker takes no colon in a path that is mounted", "call the directory something else")
		}
		mount(target, "volumes", place)
	}
	for _, p := range slices.Sorted(maps.Keys(t.Tmpfs)) {
		mount(path.Clean(p), "tmpfs", at.At("tmpfs"))
		for option := range strings.SplitSeq(t.Tmpfs[p], ",") {
			if option != "" && !slices.Contains(mountFlags, option) && !mountOption.MatchString(option) {
				v.Problem(at.At("tmpfs", p), fmt.Sprintf("%q is not an option of a tmpfs", option), "write size=64m, mode=1777, noexec")
			}
		}
	}
	for i, p := range t.AnonymousVolumes {
		place := at.At("container_volumes", fmt.Sprint(i))
		if !path.IsAbs(p) || path.Clean(p) == "/" {
			v.Problem(place, fmt.Sprintf("%q is not a path in the container", p), "write an absolute path")
			continue
		}
		mount(path.Clean(p), "container_volumes", place)
	}
}
