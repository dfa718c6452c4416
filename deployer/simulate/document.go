package simulate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"batuta"
	"batuta/deployer"
)

// own is the scope that the scenario deploys to; everything else on the ships
// is foreign.
func own() deployer.Scope { return deployer.Scope{App: "portal", Environment: "qa"} }

// document is the release as a person would write it.
func (r Release) document() string {
	var b strings.Builder
	b.WriteString("batuta: 1\nservices:\n")
	if len(r.Services) == 0 {
		return "batuta: 1\nservices: {}\n"
	}
	for _, s := range r.Services {
		s.write(&b)
	}
	return b.String()
}

func (s Service) write(b *strings.Builder) {
	line := func(is bool, format string, args ...any) {
		if is {
			fmt.Fprintf(b, "    "+format+"\n", args...)
		}
	}
	fmt.Fprintf(b, "  %s:\n", s.Name)
	line(true, "image: registry.test/%s@%s", s.Name, s.image().Digest)
	line(len(s.Places) == 0, "count: %d", s.Count)
	line(len(s.Places) == 0 && s.Zone != "", "on: {zone: %s}", s.Zone)
	line(len(s.Places) > 0, "instances: {%s}", s.places())
	line(len(s.Requires) > 0, "requires: [%s]", strings.Join(words(s.Requires), ", "))
	line(true, "env: {VERSION: %q}", fmt.Sprint(s.Version))
	line(s.Published && s.Host == 0, "ports: {http: 8080}")
	line(s.Published && s.Host != 0, `ports: {http: "8080:%d"}`, s.Host)
	line(s.Checked, "lifecycle: {running: [{type: tcp, port: 8080, max_wait: 20s}]}")
	line(s.StopFirst, "stop_first: true")
	line(true, "stop_timeout: %ds", s.Patience)
}

// policies is how the services are updated.
func (r Release) policies(want deployer.Spec) map[batuta.ServiceName]deployer.Service {
	out := map[batuta.ServiceName]deployer.Service{}
	for _, s := range r.Services {
		n := slices.IndexFunc(want.Instances, func(i deployer.Instance) bool { return i.Service == s.Name })
		out[s.Name] = deployer.Service{Requires: s.Requires, Counted: len(s.Places) == 0, Update: s.Update, Hooks: s.hooks(want.Instances[n])}
	}
	return out
}

// hooks gives the service's hooks as they run: in what its first instance is
// made of.
func (s Service) hooks(first deployer.Instance) (out deployer.Hooks) {
	for _, h := range s.Hooks {
		i := first
		i.Name, i.Command = "", []string{"hook", map[bool]string{true: "fails", false: "succeeds"}[h.Fails]}
		hook := deployer.Hook{Instance: i, Timeout: time.Minute}
		switch h.Moment {
		case "before":
			out.Before = append(out.Before, hook)
		case "after":
			out.After = append(out.After, hook)
		default:
			out.OnFailure = append(out.OnFailure, hook)
		}
	}
	return out
}

// image is what the service runs. It changes with every second version; the
// others change only the environment.
func (s Service) image() batuta.Image {
	digest := fmt.Sprintf("sha256:%064x", s.Version/2+1)
	return batuta.Image{Repository: "registry.test/" + string(s.Name), Digest: batuta.Digest(digest)}
}

func (s Service) places() string {
	out := make([]string, len(s.Places))
	for i, p := range s.Places {
		out[i] = fmt.Sprintf("%s: {ship: %s}", p.Instance, p.Ship)
	}
	return strings.Join(out, ", ")
}

func words[T ~string](names []T) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = string(n)
	}
	return out
}
