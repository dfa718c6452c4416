package deployer

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"batuta"
	"batuta/internal/document"
)

var notWord = regexp.MustCompile(`[^\pL\pN_]`)

// variableName is a name as part of a variable's: WEB_1 for web-1.
func variableName[T ~string](name T) string {
	return strings.ToUpper(notWord.ReplaceAllString(string(name), "_"))
}

// informed adds to a service's own variables those by which it finds the
// services that it requires or wants to know of, from whichever ship, as
// MaestroNG names them. Its own win.
func (r *resolver) informed(s service, env map[string]text) map[string]text {
	out, by := map[string]text{}, map[string]batuta.ServiceName{}
	for _, other := range slices.Concat(s.Requires, s.WantsInfo) {
		info := r.info(other)
		for _, variable := range slices.Sorted(maps.Keys(info)) {
			value := info[variable]
			if before, there := out[variable]; there && before.value != value.value {
				r.warn(servicePath(other), fmt.Sprintf("%s tells of %s, and hides what tells of %s", variable, other, by[variable]), "give one of their services or instances another name")
			}
			out[variable], by[variable] = value, other
		}
	}
	maps.Copy(out, env)
	return out
}

// info are the variables that tell where a service is: SVC_INSTANCES,
// SVC_INSTANCE_HOST, SVC_INSTANCE_NAME_PORT and …_INTERNAL_PORT. One without a
// fixed host port cannot be found from another ship, and gives none.
func (r *resolver) info(name batuta.ServiceName) map[string]text {
	if known, done := r.infos[name]; done {
		return known
	}
	out := map[string]text{}
	set := func(value string, parts ...string) {
		variable := strings.Join(parts, "_")
		if before, there := out[variable]; there && before.value != value {
			r.warn(servicePath(name), fmt.Sprintf("two instances are told of by the same variable %s: only one of them can be found", variable), "give one of them another name")
		}
		out[variable] = text{value: value, path: document.Path{}}
	}
	s := r.body.Services[name]
	service := variableName(name)
	var instances []string
	for _, p := range r.places[name] {
		instance := variableName(p.name)
		instances = append(instances, string(p.name))
		set(r.ships[p.ship].Address, service, instance, "HOST")
		for port, at := range over(s.Ports, p.own.Ports) {
			if at.host != 0 {
				set(strconv.Itoa(at.host), service, instance, variableName(port), "PORT")
				set(strconv.Itoa(at.container), service, instance, variableName(port), "INTERNAL_PORT")
			}
		}
	}
	set(strings.Join(slices.Sorted(slices.Values(instances)), ","), service, "INSTANCES")
	if len(out) <= 1+len(instances) {
		out = nil // no port is fixed
	}
	r.infos[name] = out
	return out
}
