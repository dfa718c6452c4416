package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"batuta"
	"batuta/internal/document"
)

// Builder is one of several that images are made by.
type Builder struct {
	Address string `yaml:"address"` // as Config.Builder
	Limit   int    `yaml:"limit"`   // builds at once, at least 1; 0: the builder's own default
}

// dockerBuilder is this machine's Docker, as a builder's address.
const dockerBuilder = "docker"

// BuiltBy gives the builders by name, of which there is at least one: a single
// one goes by its address.
func (c *Config) BuiltBy() map[string]Builder {
	if len(c.Builders) > 0 {
		return c.Builders
	}
	return map[string]Builder{c.Builder: {Address: c.Builder}}
}

func (k check) builders() {
	one, several := document.Path{"builder"}, document.Path{"builders"}
	switch {
	case k.d.Has(several) && k.d.Has(one):
		k.d.Problem(one, "builders is there, too", "write one of the two")
	case k.d.Has(several) && len(k.c.Builders) == 0:
		k.d.Problem(several, "there is none", "name one: builders: {one: {address: docker}}; or leave the key out")
	}
	if k.c.Builder != "" {
		k.builder(one, k.c.Builder)
	}
	if strings.ContainsAny(k.c.SBOM, " \t\n") {
		k.d.Problem(document.Path{"sbom"}, fmt.Sprintf("%q is not an image", k.c.SBOM), "write its reference, as in docker.io/docker/buildkit-syft-scanner:1")
	}
	places := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(k.c.Builders)) {
		b, at := k.c.Builders[name], several.At(name)
		k.try(at, batuta.CheckName(name))
		k.builder(at.At("address"), b.Address)
		if other, twice := places[b.Address]; twice && b.Address != "" {
			k.d.Problem(at.At("address"), fmt.Sprintf("%s is the builder %s already", b.Address, other), "give each builder once, with the limit of both")
		}
		places[b.Address] = name
		if k.d.Has(at.At("limit")) {
			k.atLeast(at.At("limit"), b.Limit, 1)
		}
	}
}

func (k check) builder(at document.Path, address string) {
	switch address {
	case dockerBuilder:
	case "":
		k.d.Problem(at, "missing", "write docker, unix:///run/buildkit/buildkitd.sock or tcp://host:1234")
	default:
		k.endpoint(at, address, "unix", "tcp", "docker+unix", "docker+tcp")
	}
}
