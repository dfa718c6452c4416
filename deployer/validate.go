package deployer

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
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
	for name, s := range v.body.Ships {
		path := document.Path{"ships", string(name)}
		v.name(path, string(name))
		if s.Endpoint == "" {
			v.Problem(path, "the ship has no endpoint", "write endpoint: unix:///var/run/docker.sock, or tcp://host:2376")
		}
	}
	services := slices.Collect(maps.Keys(v.body.Services))
	for _, name := range slices.Sorted(maps.Keys(v.body.Services)) {
		s := v.body.Services[name]
		v.name(servicePath(name), string(name))
		v.image(name, s)
		v.placement(name, s)
		v.life(name, s)
		v.settings(servicePath(name), s.Ports, s.Env, s.Volumes, s.Lifecycle)
		for i, r := range s.Requires {
			if !slices.Contains(services, r) {
				v.Problem(servicePath(name, "requires", fmt.Sprint(i)), fmt.Sprintf("no service %q", r), document.Suggest(string(r), words(services)))
			}
		}
	}
	v.instances()
	if cycle := findCycle(v.body.Services); cycle != nil {
		v.Problem(servicePath(cycle[0], "requires"), "the services require each other: "+strings.Join(names(cycle), " → "), "remove one of these requirements")
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
var imageForm = regexp.MustCompile(`^([a-zA-Z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?$`)

func (v validator) image(name batuta.ServiceName, s service) {
	v.reference(servicePath(name, "image"), s.Image)
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
	if ref != "" && !imageForm.MatchString(ref) {
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
	case s.Count != nil && (*s.Count < 0 || *s.Count > maxCount):
		v.Problem(servicePath(name, "count"), fmt.Sprintf("count %d is out of bounds", *s.Count), fmt.Sprintf("0 to %d", maxCount))
	case s.Count == nil && s.On != nil:
		v.Problem(servicePath(name, "on"), "on chooses ships for a count, and there is none", "write count: 1, or name a ship for each instance")
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

var restartForm = regexp.MustCompile(`^(no|always|unless-stopped|on-failure(:[1-9][0-9]{0,3})?)$`)

func (v validator) life(name batuta.ServiceName, s service) {
	if s.Restart != "" && !restartForm.MatchString(s.Restart) {
		v.Problem(servicePath(name, "restart"), fmt.Sprintf("%q is not a restart policy", s.Restart), "write no, always, unless-stopped, on-failure or on-failure:3")
	}
	if s.StopTimeout != nil && *s.StopTimeout > maxStopTimeout {
		v.Problem(servicePath(name, "stop_timeout"), fmt.Sprintf("%s is too long", *s.StopTimeout), fmt.Sprintf("at most %s", maxStopTimeout))
	}
}

var portNameForm = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// settings checks what services and instances have in common.
func (v validator) settings(at document.Path, ports map[string]port, env map[string]text, volumes map[string]volume, life lifecycle) {
	for name, p := range ports {
		if p.path == nil || !portNameForm.MatchString(name) {
			v.Problem(at.At("ports", name), "want a port's name and number", "write http: 8080")
		}
	}
	for name := range env {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			v.Problem(at.At("env", name), fmt.Sprintf("%q is not a variable's name", name), "")
		}
	}
	for source, vol := range volumes {
		if vol.path == nil {
			v.Problem(at.At("volumes", source), "the volume has no target", "write /host/path: /container/path")
		}
		if err := checkSource(source); err != nil {
			v.error(at.At("volumes", source), err)
		}
	}
	for i, c := range life.Running {
		if c.path == nil {
			v.Problem(at.At("lifecycle", "running", fmt.Sprint(i)), "the check is empty", "write {type: http, port: http, path: /up}")
		}
	}
}

// instances checks the named instances' own settings, and that every
// instance's name is unique in the document.
func (v validator) instances() {
	owner := map[batuta.InstanceName]batuta.ServiceName{}
	for _, name := range slices.Sorted(maps.Keys(v.body.Services)) {
		s := v.body.Services[name]
		count := min(or(s.Count, 0), maxCount)
		if count > 0 && batuta.CheckName(string(name)) == nil {
			v.name(servicePath(name), string(counted(name, count)))
		}
		for n := range count {
			v.own(owner, counted(name, n+1), name, servicePath(name, "count"))
		}
		for _, i := range slices.Sorted(maps.Keys(s.Instances)) {
			path := servicePath(name, "instances", string(i))
			v.name(path, string(i))
			v.own(owner, i, name, path)
			in := s.Instances[i]
			v.settings(path, in.Ports, in.Env, in.Volumes, in.Lifecycle)
		}
	}
}

func (v validator) own(owner map[batuta.InstanceName]batuta.ServiceName, i batuta.InstanceName, s batuta.ServiceName, path document.Path) {
	if first, taken := owner[i]; taken {
		v.Problem(path, fmt.Sprintf("service %q has an instance %q too", first, i), "instance names are unique in a document")
		return
	}
	owner[i] = s
}
