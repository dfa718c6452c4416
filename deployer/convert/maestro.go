package convert

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/maestro"
)

// Maestro converts a MaestroNG file. Env is what {{ env.X }} sees in it. What
// is wrong with it is batuta.Problems; its warnings become notes.
func Maestro(path string, data []byte, env map[string]string) (Result, error) {
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return Result{}, err
	}
	doc, err := maestro.Read(path, data, maestro.Options{Env: env, Dir: dir})
	if err != nil {
		return Result{}, err
	}
	spec, err := doc.Resolve(deployer.Input{Scope: doc.Scope(), OwnShips: true, Unpinned: true, Allow: deployer.Policy{Paths: []string{"/"}}})
	if err != nil {
		return Result{}, err
	}
	m := conductor{doc: doc, spec: spec, address: map[batuta.ShipName]string{}}
	for _, w := range doc.Warnings() {
		m.list = append(m.list, w.String())
	}
	out := file{Batuta: 1, Name: doc.Name(), Ships: map[string]ship{}, Services: map[string]service{}}
	for _, s := range doc.Ships() {
		m.address[s.Name] = s.Address
		out.Ships[string(s.Name)] = shipOf(s)
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Services)) {
		if m.empty(name) {
			m.say("services."+string(name), "has no instances, and is not carried over")
			continue
		}
		out.Services[string(name)] = m.service(name, spec.Services[name])
	}
	m.beside()
	text, err := out.write()
	m.refused(path, out, text)
	return Result{Document: text, Notes: m.list}, err
}

// conductor converts what a MaestroNG file resolves to.
type conductor struct {
	notes
	doc     *maestro.Document
	spec    deployer.Spec
	address map[batuta.ShipName]string
	hosts   bool // an http check had its ship as Host
}

func shipOf(s deployer.DocumentShip) ship {
	out := ship{Endpoint: s.Endpoint, Address: s.Address}
	if t := s.Reach.TLS; t != nil {
		out.TLS = present(map[string]any{"ca": t.CA, "cert": t.Cert, "key": t.Key, "server_name": t.ServerName, "insecure": t.Insecure})
	}
	if h := s.Reach.SSH; h != nil {
		out.SSH = present(map[string]any{"host": h.Host, "port": h.Port, "user": h.User, "key": h.Key, "known_hosts": h.KnownHosts})
	}
	if s.Reach.Timeout > 0 {
		out.Timeout = s.Reach.Timeout.String()
	}
	return out
}

// present leaves out what is empty.
func present(m map[string]any) map[string]any {
	maps.DeleteFunc(m, func(_ string, v any) bool { return v == "" || v == 0 || v == false || v == 0.0 || v == int64(0) })
	return m
}

// service converts a service and its instances; what all instances have alike
// becomes the service's.
func (m *conductor) service(name batuta.ServiceName, s deployer.Service) service {
	var own []service
	var names []string
	for _, i := range m.spec.Instances {
		if i.Service == name {
			own, names = append(own, m.instance(i)), append(names, string(i.Name))
		}
	}
	out := common(own)
	out.Instances = map[string]service{}
	for n := range own {
		out.Instances[names[n]] = own[n]
	}
	out.Requires, out.Omit = words(slices.DeleteFunc(slices.Clone(s.Requires), m.empty)), s.Omit
	for _, i := range m.spec.Instances {
		if i.Service == name {
			out.WantsInfo = m.wanted(i, out.Requires)
			break
		}
	}
	return out
}

func words[T ~string](in []T) []string {
	var out []string
	for _, w := range in {
		out = append(out, string(w))
	}
	return out
}

// count is how many instances a service has.
func (m *conductor) count(name batuta.ServiceName) int {
	n := 0
	for _, i := range m.spec.Instances {
		if i.Service == name {
			n++
		}
	}
	return n
}

func (m *conductor) empty(name batuta.ServiceName) bool { return m.count(name) == 0 }

// links are the variables that tell of a service's instances.
func (m *conductor) links(of batuta.ServiceName, internal bool) map[string]string {
	var peers []maestro.Peer
	for _, i := range m.spec.Instances {
		if i.Service != of {
			continue
		}
		p := maestro.Peer{Instance: string(i.Name), Host: m.address[i.Ship]}
		for _, port := range i.Ports {
			p.Ports = append(p.Ports, maestro.PeerPort{Name: port.Name, External: hostPort(port), Internal: strconv.Itoa(port.Container)})
		}
		peers = append(peers, p)
	}
	return maestro.LinkVariables(string(of), peers, internal)
}

func hostPort(p deployer.Port) string {
	if p.HostEnd > 0 {
		return fmt.Sprintf("%d-%d", p.Host, p.HostEnd)
	}
	return strconv.Itoa(p.Host)
}

// wanted are the services whose variables the instance gets beside those that
// it requires.
func (m *conductor) wanted(i deployer.Instance, required []string) []string {
	has := map[string]string{}
	for _, v := range i.Env {
		has[v.Name] = v.Value
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(m.spec.Services)) {
		vars := m.links(name, false)
		if name == i.Service && m.count(name) < 2 || len(vars) == 0 || m.empty(name) || slices.Contains(required, string(name)) {
			continue
		}
		all := true
		for k, v := range vars {
			all = all && has[k] == v
		}
		if all {
			out = append(out, string(name))
		}
	}
	return out
}

// injected are the variables that MaestroNG adds by itself, beside links.
var injected = []string{"MAESTRO_ENVIRONMENT_NAME", "SERVICE_NAME", "CONTAINER_NAME", "CONTAINER_HOST_ADDRESS", "DOCKER_IMAGE", "DOCKER_TAG"}

func (m *conductor) instance(i deployer.Instance) service {
	place := "services." + string(i.Service) + ".instances." + string(i.Name)
	out := service{
		Ship: string(i.Ship), Image: i.Reference, Command: i.Command, Entrypoint: i.Entrypoint, Restart: i.Restart, User: i.User,
		Workdir: i.Workdir, Labels: i.Labels, Net: i.NetworkMode, DNS: i.DNS, Privileged: i.Privileged, CapAdd: i.CapAdd, CapDrop: i.CapDrop,
		SecurityOpt: i.SecurityOpt, LogDriver: i.LogDriver, LogOptions: i.LogOptions, ContainerVolumes: i.AnonymousVolumes,
		VolumesFrom: words(i.VolumesFrom), Env: m.variables(i),
	}
	if i.Reference == "" {
		out.Image = i.Image.String()
	}
	if i.StopTimeout != 10*time.Second {
		out.StopTimeout = m.bounded(place+".stop_timeout", i.StopTimeout)
	}
	out.Limits = present(map[string]any{
		"cpu_shares": i.Limits.CPUShares, "memory": sizeOrNone(i.Limits.Memory), "swap": sizeOrNone(i.Limits.Swap),
	})
	for _, u := range i.Ulimits {
		put(&out.Ulimits, u.Name, any(map[string]int64{"soft": u.Soft, "hard": u.Hard}))
	}
	for _, h := range i.ExtraHosts {
		name, address, _ := strings.Cut(h, ":")
		put(&out.ExtraHosts, name, any(address))
	}
	for _, l := range i.Links {
		put(&out.Links, string(l.Instance), l.Alias)
	}
	m.ports(place, &out, i.Ports)
	m.volumes(place, &out, i.Volumes)
	m.lifecycle(place, &out, i)
	return out
}

func sizeOrNone(n int64) string {
	if n == 0 {
		return ""
	}
	return bytesText(n)
}

// put adds to a map that may not be there yet.
func put[V any](m *map[string]V, key string, value V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[key] = value
}

// variables are what the file itself sets.
func (m *conductor) variables(i deployer.Instance) map[string]*string {
	added := map[string]string{
		"MAESTRO_ENVIRONMENT_NAME": m.doc.Name(), "SERVICE_NAME": string(i.Service), "CONTAINER_NAME": string(i.Name),
		"CONTAINER_HOST_ADDRESS": m.address[i.Ship], "DOCKER_IMAGE": i.Reference, "DOCKER_TAG": maestro.ImageTag(i.Reference),
	}
	for name := range m.spec.Services {
		maps.Copy(added, m.links(name, name == i.Service))
	}
	out := map[string]*string{}
	for _, v := range i.Env {
		switch given, known := added[v.Name]; {
		case known && given == v.Value:
		case v.Unset:
			out[v.Name] = nil
		default:
			out[v.Name] = new(quiet(v.Value))
		}
	}
	return out
}

func (m *conductor) ports(place string, out *service, ports []deployer.Port) {
	for _, p := range ports {
		container, host := strconv.Itoa(p.Container), strconv.Itoa(p.Host)
		if p.Protocol == "udp" {
			container, host = container+"/udp", host+"/udp"
		}
		switch {
		case p.HostEnd > 0:
			m.say(place+".ports."+p.Name, "Docker was to pick one of the host's ports %d-%d; now it picks any free one", p.Host, p.HostEnd)
			put(&out.Ports, p.Name, any(container))
		case p.Address != "" && p.Address != "0.0.0.0":
			put(&out.Ports, p.Name, any(map[string]string{"exposed": container, "external": host, "address": p.Address}))
		default:
			put(&out.Ports, p.Name, any(container+":"+host))
		}
	}
}

func (m *conductor) volumes(place string, out *service, volumes []deployer.Volume) {
	for _, v := range volumes {
		value := any(v.Target)
		if v.ReadOnly {
			value = map[string]string{"target": v.Target, "mode": "ro"}
		}
		if first, twice := out.Volumes[v.Source]; twice {
			m.say(place+".volumes", "%s is mounted at %s, too; a document mounts it once, here as %v", v.Source, v.Target, first)
			continue
		}
		put(&out.Volumes, v.Source, value)
		if v.Options != "" {
			m.say(place+".volumes", "the mode %s of %s is not carried over", v.Options, v.Source)
		}
		if !strings.HasPrefix(v.Source, "/") {
			m.say(place+".volumes", "the volume %s becomes the environment's own, APP_ENVIRONMENT_%s, and begins empty: copy the data", v.Source, v.Source)
		}
	}
}

// beside says what the file has beside ships and services.
func (m *conductor) beside() {
	m.say("env", "%s are no longer set by themselves; write those that your images use", strings.Join(injected, ", "))
	if m.hosts {
		m.say("lifecycle", "the Host that http checks send was the ship's address and port, and is the container's now; write host: where the application minds")
	}
	if len(m.doc.Registries()) > 0 {
		m.say("registries", "is not carried over: logins are the server's, or those of docker login")
	}
	if len(m.doc.Audit()) > 0 {
		m.say("audit", "is not carried over: a server keeps an audit trail, and notifies")
	}
}
