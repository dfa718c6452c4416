package convert

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// nameAll finds a name for each service, no two alike.
func (c *composer) nameAll() {
	c.names = map[string]string{}
	taken := map[string]bool{}
	all := slices.Sorted(maps.Keys(c.project.Services))
	changed := func(name string) bool { return plainName(name) != name }
	for _, name := range slices.Concat(slices.DeleteFunc(slices.Clone(all), changed), slices.DeleteFunc(all, func(name string) bool { return !changed(name) })) {
		plain := plainName(name)
		for n := 2; taken[plain] || plain == ""; n++ {
			plain = strings.TrimPrefix(fmt.Sprintf("%s-%d", plainName(name), n), "-")
		}
		taken[plain], c.names[name] = true, plain
		if plain != name {
			c.say("services."+name, "is called %s here, and others find it by that name", plain)
		}
	}
}

// first is the first instance of a service.
func (c *composer) first(service string) string { return c.names[service] + "-1" }

// linkAll converts what services say of each other: another name for one of
// them, and its volumes.
func (c *composer) linkAll(services map[string]service) {
	for _, name := range slices.Sorted(maps.Keys(c.project.Services)) {
		s, place := c.project.Services[name], "services."+name
		for n, link := range s.Links {
			to, alias, named := strings.Cut(link, ":")
			if named && alias != to && alias != c.names[to] {
				target := services[c.names[to]]
				target.Aliases = slices.Compact(slices.Sorted(slices.Values(append(target.Aliases, alias))))
				services[c.names[to]] = target
				c.say(fmt.Sprintf("%s.links.%d", place, n), "%s is called %s by all services now, not by this one alone", to, alias)
			}
		}
		out := services[c.names[name]]
		for n, from := range s.VolumesFrom {
			c.volumesFrom(fmt.Sprintf("%s.volumes_from.%d", place, n), &out, from)
		}
		services[c.names[name]] = out
	}
}

func (c *composer) volumesFrom(at string, out *service, from string) {
	from, mode, _ := strings.Cut(strings.TrimPrefix(from, types.ServicePrefix), ":")
	if _, known := c.names[from]; !known {
		c.say(at, "the volumes of a container that is none of these services are not carried over")
		return
	}
	out.VolumesFrom = append(out.VolumesFrom, c.first(from))
	c.say(at, "became volumes_from: [%s]; both have to stand on one ship", c.first(from))
	if mode == "ro" {
		c.say(at, "that the volumes are read-only is not carried over")
	}
}

// memoryOptions are the mount options of a directory in memory.
func memoryOptions(t *types.ServiceVolumeTmpfs) string {
	var options []string
	if t != nil && t.Size > 0 {
		options = append(options, "size="+bytesText(int64(t.Size)))
	}
	if t != nil && t.Mode > 0 {
		options = append(options, fmt.Sprintf("mode=%04o", t.Mode))
	}
	return strings.Join(options, ",")
}
