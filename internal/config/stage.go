package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"batuta"
	"batuta/internal/document"
)

// stages finds fault with the rules of an app's promotions.
func (k check) stages(at document.Path, a App) {
	known, people := slices.Sorted(maps.Keys(a.Environments)), slices.Sorted(maps.Keys(k.c.People))
	for _, env := range slices.Sorted(maps.Keys(a.Promote)) {
		here, rules := at.At("promote", string(env)), a.Promote[env]
		k.try(here, batuta.CheckLabel(string(env)))
		if a.Environments != nil && !slices.Contains(known, env) {
			k.d.Problem(here, fmt.Sprintf("no environment %q", env), document.Suggest(string(env), words(known)))
		}
		rules.Faults(func(err error, keys ...string) { k.try(here.At(keys...), err) })
		for i, name := range rules.Approvers {
			if !slices.Contains(people, name) {
				k.d.Problem(here.At("approvers", strconv.Itoa(i)), fmt.Sprintf("no person %q", name), document.Suggest(name, people))
			}
		}
	}
}
