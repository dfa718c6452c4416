package deployer

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"batuta"
	"batuta/internal/document"
)

// builtMark begins the reference of an image that a build makes, where nobody
// asks which one that is.
const builtMark = "build: "

const (
	defaultStopTimeout = 10 * time.Second
	defaultRestart     = "unless-stopped"
)

// instances resolves the instances of a service, in the order of their names.
func (r *resolver) instances(name batuta.ServiceName, s service) []Instance {
	var out []Instance
	for _, p := range r.places[name] {
		out = append(out, r.instance(name, s, p))
	}
	if len(out) == 0 { // what is wrong with it is told all the same
		some := r.instance(name, s, placed{name: counted(name, 1)})
		r.hooks(name, s, some)
		r.strays = append(r.strays, some)
	}
	return out
}

// treatment is what concerns a service's instances together.
func (r *resolver) treatment(name batuta.ServiceName, s service, instances []Instance) Service {
	out := Service{
		Requires: slices.Compact(slices.Sorted(slices.Values(s.Requires))),
		Omit:     s.Omit, Counted: s.Count != nil && !s.Count.each,
		Update: r.body.Update.under(s.Update).resolve(),
	}
	if out.Counted {
		out.LostAfter = or(s.LostAfter, r.body.LostAfter)
	}
	if len(instances) > 0 {
		out.Hooks = r.hooks(name, s, instances[0])
	}
	return out
}

// instance resolves one instance: the service's traits under its own.
func (r *resolver) instance(name batuta.ServiceName, s service, p placed) Instance {
	t := s.under(p.own.traits)
	order := r.body.Update.under(s.Update).Order
	i := Instance{
		Name: p.name, Service: name, Ship: p.ship,
		Command:     plain(t.Command),
		Ports:       r.ports(t.Ports),
		Volumes:     r.volumes(t.Volumes),
		Restart:     cmp.Or(t.Restart, defaultRestart),
		StopTimeout: or(t.StopTimeout, defaultStopTimeout),
		StopFirst:   or(t.StopFirst, order == stopFirst),
		Settings:    r.settings(name, p.name, t),
	}
	i.Image, i.Reference = r.image(name, s, p)
	i.Env, i.secrets = r.env(r.informed(s, t.Env))
	at := servicePath(name)
	var values []string
	i.Secrets, values = r.secretFiles(at, t.Secrets)
	i.secrets = append(i.secrets, values...)
	i.Checks = r.checks(t.Lifecycle.Running, i.Ports)
	i.Lifecycle = Lifecycle{
		PreStart: r.checks(t.Lifecycle.PreStart, i.Ports), PreStop: r.checks(t.Lifecycle.PreStop, i.Ports), Stopped: r.checks(t.Lifecycle.Stopped, i.Ports),
	}
	i.seal(r.in.Key)
	return i
}

// settings makes concrete what goes to Docker as it is.
func (r *resolver) settings(name batuta.ServiceName, i batuta.InstanceName, t traits) Settings {
	out := Settings{
		Entrypoint: plain(t.Entrypoint), Hostname: t.Hostname, User: t.User, Workdir: t.Workdir, StopSignal: t.StopSignal, Platform: t.Platform,
		Labels: texts(t.Labels), NetworkMode: t.Net, Aliases: sorted(t.Aliases), Networks: t.Networks.resolve(),
		ExtraHosts: r.extraHosts(t.ExtraHosts), DNS: plain(t.DNS),
		Privileged: or(t.Privileged, false), CapAdd: capabilities(t.CapAdd), CapDrop: capabilities(t.CapDrop), SecurityOpt: plain(t.SecurityOpt),
		LogDriver: t.LogDriver, LogOptions: texts(t.LogOptions), Devices: plain(t.Devices), Tmpfs: filled(t.Tmpfs),
		ReadOnly: or(t.ReadOnly, false), Init: or(t.Init, false), ShmSize: int64(t.ShmSize), Sysctls: texts(t.Sysctls),
		Healthcheck: t.Healthcheck.resolve(), AnonymousVolumes: sorted(t.AnonymousVolumes),
	}
	for _, u := range slices.Sorted(maps.Keys(t.Ulimits)) {
		out.Ulimits = append(out.Ulimits, Ulimit{Name: u, Soft: t.Ulimits[u].soft, Hard: t.Ulimits[u].hard})
	}
	for _, other := range slices.Sorted(maps.Keys(t.Links)) {
		out.Links = append(out.Links, Link{Instance: batuta.InstanceName(other), Alias: t.Links[other].value})
	}
	for _, other := range t.VolumesFrom {
		out.VolumesFrom = append(out.VolumesFrom, batuta.InstanceName(other))
	}
	var err error
	if out.Limits, err = t.Limits.resolve(); err != nil {
		r.error(r.pathOf(name, i, "limits"), err)
	}
	return out
}

func (r *resolver) checks(checks []check, ports []Port) []Check {
	var out []Check
	for _, c := range checks {
		check, err := c.resolve(ports)
		if err != nil {
			r.error(c.path, err)
		}
		out = append(out, check)
	}
	return out
}

// image is what an instance runs. Without a pin it is the reference as
// written, if that is wanted.
func (r *resolver) image(name batuta.ServiceName, s service, p placed) (batuta.Image, string) {
	switch {
	case p.own.Image != "":
		return r.reference(servicePath(name, "instances", string(p.name), "image"), p.own.Image)
	case s.Image != "":
		return r.reference(servicePath(name, "image"), s.Image)
	}
	image, ok := r.in.Images[s.Build]
	switch {
	case ok || s.Build == "":
	case r.in.Unpinned:
		return image, builtMark + string(s.Build)
	default:
		r.problem(unknownBuild(name, s.Build, slices.Collect(maps.Keys(r.in.Images))))
	}
	return image, ""
}

// reference is what a reference means.
func (r *resolver) reference(path document.Path, ref string) (batuta.Image, string) {
	if image, digested := parseDigested(ref); digested {
		return image, ""
	}
	image, pinned := r.in.Pins[ref]
	switch {
	case pinned || !imageForm().MatchString(ref):
		return image, ""
	case r.in.Unpinned:
		return batuta.Image{}, ref
	}
	r.problem(path, fmt.Sprintf("the digest of %q is not known", ref), "check that the registry has it, or write repository@sha256:…")
	return batuta.Image{}, ""
}

// capabilities are sorted, in Docker's own words.
func capabilities(in []string) []string {
	var out []string
	for _, c := range in {
		out = append(out, capability(c))
	}
	return sorted(out)
}

// texts are the values of a mapping, without their places; nil if it is empty.
func texts(in map[string]text) map[string]string {
	out := map[string]string{}
	for name, t := range in {
		out[name] = t.value
	}
	return filled(out)
}

// plain is nil for a list without entries.
func plain[L ~[]string](in L) []string {
	if len(in) == 0 {
		return nil
	}
	return slices.Clone(in)
}

// filled is nil for a map without entries.
func filled[M ~map[string]string](in M) map[string]string {
	if len(in) == 0 {
		return nil
	}
	return in
}
