package deployer

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"batuta"
	"batuta/internal/document"
)

// The bounds of what a document may declare.
const (
	maxCount       = 1000
	maxStopTimeout = time.Hour
)

// validator reports what is wrong with a document by itself.
type validator struct {
	*document.Document
	body body
}

func (v validator) run() {
	if v.body.Batuta != "1" {
		v.Problem(document.Path{"batuta"}, fmt.Sprintf("format %q is not known", v.body.Batuta), "begin the document with batuta: 1")
	}
	if d := v.body.Drift; d != "" && d != driftReport && d != driftRepair {
		v.Problem(document.Path{"drift"}, fmt.Sprintf("%q is not what can be done about drift", d), "write report or repair")
	}
	v.ships()
	for _, name := range slices.Sorted(maps.Keys(v.body.Services)) {
		s := v.body.Services[name]
		v.name(servicePath(name), string(name))
		v.image(name, s)
		v.placement(name, s)
		v.traits(servicePath(name), s.traits)
		v.services(servicePath(name, "requires"), s.Requires)
		v.services(servicePath(name, "wants_info"), s.WantsInfo)
		v.update(name, s)
	}
	v.instances()
	if cycle := findCycle(v.body.Services); cycle != nil {
		v.Problem(servicePath(cycle[0], "requires"), "the services require each other: "+strings.Join(names(cycle), " → "), "remove one of these requirements")
	}
}

// services checks a list of names of services.
func (v validator) services(at document.Path, list []batuta.ServiceName) {
	for i, s := range list {
		if _, known := v.body.Services[s]; !known {
			v.Problem(at.At(fmt.Sprint(i)), fmt.Sprintf("no service %q", s), document.Suggest(string(s), words(slices.Collect(maps.Keys(v.body.Services)))))
		}
	}
}

func (v validator) name(path document.Path, name string) {
	if err := batuta.CheckName(name); err != nil {
		v.error(path, err)
	}
}

// error records an error of this package with its hint.
func (v validator) error(path document.Path, err error) {
	message, hint := explain(err)
	v.Problem(path, message, hint)
}

// explain splits an error that invalid or the vocabulary made into what is
// wrong and what to do.
func explain(err error) (message, hint string) {
	if e, ok := errors.AsType[*batuta.Error](err); ok {
		return e.Message, e.Hint
	}
	return err.Error(), ""
}

// imageForm is a reference as people write it: host:port/path:tag@digest, all
// but the path optional.
var imageForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([a-zA-Z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?$`)
})

func (v validator) image(name batuta.ServiceName, s service) {
	v.reference(servicePath(name, "image"), s.Image)
	s.eachHook(name, func(when string, n int, _ batuta.InstanceName, h hook) {
		v.reference(servicePath(name, "hooks", when, fmt.Sprint(n), "image"), h.Image)
		if h.path == nil {
			v.Problem(servicePath(name, "hooks", when, fmt.Sprint(n)), "the hook is empty", "write {run: drush updatedb -y}")
		}
	})
	each := len(s.Instances) > 0
	for i, in := range s.Instances {
		v.reference(servicePath(name, "instances", string(i), "image"), in.Image)
		each = each && in.Image != ""
	}
	switch {
	case s.Image != "" && s.Build != "":
		v.Problem(servicePath(name, "build"), "the service has both image and build", "keep one")
	case s.Image == "" && s.Build == "" && !each:
		v.Problem(servicePath(name), "the service has no image", "write build: with an image of batuta.yml, or image: postgres:17")
	}
}

func (v validator) reference(path document.Path, ref string) {
	if ref != "" && !imageForm().MatchString(ref) {
		v.Problem(path, fmt.Sprintf("%q is not an image reference", ref), "write repository:tag or repository@sha256:…")
	}
}

// parseDigested reads a reference that names a digest; its tag is dropped.
func parseDigested(ref string) (batuta.Image, bool) {
	name, digest, ok := strings.Cut(ref, "@")
	if !ok || batuta.CheckDigest(digest) != nil {
		return batuta.Image{}, false
	}
	if colon := strings.LastIndex(name, ":"); colon > strings.LastIndex(name, "/") {
		name = name[:colon]
	}
	return batuta.Image{Repository: name, Digest: batuta.Digest(digest)}, true
}

func (v validator) placement(name batuta.ServiceName, s service) {
	switch {
	case s.Instances != nil && s.Count != nil:
		v.Problem(servicePath(name, "count"), "the service has both instances and count", "keep one")
	case s.Instances == nil && s.Count == nil:
		v.Problem(servicePath(name), "the service has no instances", "write count: 1, or instances: {"+string(name)+"-1: {ship: …}}")
	case s.Count == nil && s.On != nil:
		v.Problem(servicePath(name, "on"), "on chooses ships for a count, and there is none", "write count: 1, or name a ship for each instance")
	case s.Spread != "" && (s.Count == nil || s.Count.each):
		v.Problem(servicePath(name, "spread"), "spread is for a count, and there is none", "write count: 2, or remove it")
	case s.LostAfter != nil && (s.Count == nil || s.Count.each):
		v.Problem(servicePath(name, "lost_after"), "only counted instances can go to another ship", "write count: 1, or remove it")
	}
	for i, in := range s.Instances {
		if in.Ship == "" {
			v.Problem(servicePath(name, "instances", string(i)), "the instance has no ship", "write {ship: NAME}")
		}
	}
	for i, t := range s.On {
		if !t.written {
			v.Problem(servicePath(name, "on", fmt.Sprint(i)), "the selector is empty", "")
		}
	}
}

// update finds what contradicts itself in how a service is replaced.
func (v validator) update(name batuta.ServiceName, s service) {
	if order := v.body.Update.under(s.Update).Order; order == startFirst && or(s.StopFirst, false) {
		v.Problem(servicePath(name, "stop_first"), "the service stops first, and its update starts first", "keep one")
	}
}

// instances checks the named instances' own traits, and that every instance's
// name is unique in the document.
func (v validator) instances() {
	owner := map[batuta.InstanceName]batuta.ServiceName{}
	for _, name := range slices.Sorted(maps.Keys(v.body.Services)) {
		s := v.body.Services[name]
		n := or(s.Count, count{}).n
		if n > 0 && batuta.CheckName(string(name)) == nil {
			v.name(servicePath(name), string(counted(name, n)))
		}
		for k := range n {
			v.own(owner, counted(name, k+1), name, servicePath(name, "count"))
		}
		for _, i := range slices.Sorted(maps.Keys(s.Instances)) {
			path := servicePath(name, "instances", string(i))
			v.name(path, string(i))
			v.own(owner, i, name, path)
			v.traits(path, s.Instances[i].traits)
		}
		s.eachHook(name, func(when string, n int, i batuta.InstanceName, _ hook) {
			v.own(owner, i, name, servicePath(name, "hooks", when, fmt.Sprint(n)))
		})
	}
}

func (v validator) own(owner map[batuta.InstanceName]batuta.ServiceName, i batuta.InstanceName, s batuta.ServiceName, path document.Path) {
	if first, taken := owner[i]; taken {
		v.Problem(path, fmt.Sprintf("service %q has an instance %q too", first, i), "instance names are unique in a document")
		return
	}
	owner[i] = s
}
