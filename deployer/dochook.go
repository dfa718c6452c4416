package deployer

import (
	"fmt"
	"slices"
	"time"

	"batuta"
	"batuta/internal/document"
)

// hooks are commands around the deployment of a service.
type hooks struct {
	Before    []hook `yaml:"before"`
	After     []hook `yaml:"after"`
	OnFailure []hook `yaml:"on_failure"`
}

// hook is one of them: a command line, or {run, timeout, image}.
type hook struct {
	Run     command        `yaml:"run"`
	Timeout *time.Duration `yaml:"timeout"`
	Image   string         `yaml:"image"` // empty: the service's
	path    document.Path
}

const maxHookTimeout = 24 * time.Hour

func (h *hook) UnmarshalDocument(n document.Node) error {
	h.path = n.Path()
	if _, ok := n.Scalar(); ok {
		return n.Decode(&h.Run)
	}
	type plain hook
	if err := n.Decode((*plain)(h)); err != nil {
		return err
	}
	switch {
	case len(h.Run) == 0:
		return invalid("the hook runs nothing", "write run: with a command, as in run: drush updatedb -y")
	case h.Timeout != nil && (*h.Timeout <= 0 || *h.Timeout > maxHookTimeout):
		return invalid("timeout must be above 0 and at most "+maxHookTimeout.String(), "")
	}
	return nil
}

// eachHook gives every hook with its moment and its instance's name.
func (s service) eachHook(name batuta.ServiceName, visit func(when string, n int, instance batuta.InstanceName, h hook)) {
	for _, w := range []struct {
		when, word string
		hooks      []hook
	}{{hookBefore, "before", s.Hooks.Before}, {hookAfter, "after", s.Hooks.After}, {hookOnFailure, "failure", s.Hooks.OnFailure}} {
		for n, h := range w.hooks {
			visit(w.when, n, batuta.InstanceName(fmt.Sprintf("%s-%s-%d", name, w.word, n+1)), h)
		}
	}
}

// hooks makes the hooks of a service concrete, after its first instance.
func (r *resolver) hooks(name batuta.ServiceName, s service, first Instance) Hooks {
	out := map[string][]Hook{}
	s.eachHook(name, func(when string, n int, instance batuta.InstanceName, h hook) {
		i := first
		i.Name, i.Called, i.Hostname = instance, "", ""
		i.Command, i.Restart, i.StopFirst = slices.Clone(h.Run), "no", false
		i.Ports, i.Checks, i.Lifecycle, i.Aliases, i.AnonymousVolumes = nil, nil, Lifecycle{}, nil, nil
		i.Healthcheck = &Healthcheck{Test: []string{"NONE"}}
		if h.Image != "" {
			i.Image, i.Reference = r.reference(servicePath(name, "hooks", when, fmt.Sprint(n), "image"), h.Image)
		}
		i.seal(r.in.Key)
		out[when] = append(out[when], Hook{Instance: i, Timeout: or(h.Timeout, defaultHookTimeout)})
	})
	return Hooks{Before: out[hookBefore], After: out[hookAfter], OnFailure: out[hookOnFailure]}
}
