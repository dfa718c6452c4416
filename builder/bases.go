package builder

import (
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/util/purl"

	"batuta"
)

// bases collects the images that a build's steps are named after. A daemon
// announces a step only if the image depends on it.
type bases map[string]batuta.Digest

// watch reads the names of a report's steps.
func (b bases) watch(s *client.SolveStatus) {
	for _, v := range s.Vertexes {
		if named, ok := readImage(v.Name); ok {
			reference, digest, _ := strings.Cut(named, "@")
			b.add(reference, digest)
		}
	}
}

// add takes an image, with its digest if that is known.
func (b bases) add(reference, digest string) {
	if batuta.CheckDigest(digest) != nil {
		digest = ""
	}
	if digest == "" && !strings.Contains(path.Base(reference), ":") {
		reference += ":latest"
	}
	if b[reference] == "" {
		b[reference] = batuta.Digest(digest)
	}
}

// read takes the images of a provenance, which knows them better than the
// steps' names do: those have no digest for a named context, and one also where
// the Dockerfile gives none. One that the Dockerfile names by tag and digest is
// the one of that digest, whatever the tag comes to mean, and so has no tag.
func (b bases) read(said provenance) {
	moving := bases{}
	for _, text := range said {
		var p predicate
		if json.Unmarshal(text, &p) != nil {
			continue
		}
		for _, d := range p.BuildDefinition.ResolvedDependencies {
			named, _, err := purl.PURLToRef(d.URI)
			if err != nil {
				continue
			}
			reference, _, pinned := strings.Cut(named, "@")
			if !pinned {
				moving.add(reference, "sha256:"+d.Digest["sha256"])
				continue
			}
			delete(b, reference) // the name of the step is no better
			folder, name := path.Split(reference)
			name, _, _ = strings.Cut(name, ":")
			b.add(folder+name, "sha256:"+d.Digest["sha256"])
		}
	}
	for reference, digest := range moving {
		b.add(reference, string(digest))
	}
}

// predicate is what of SLSA's is read here: https://slsa.dev/spec/v1.1/provenance
type predicate struct {
	BuildDefinition struct {
		ResolvedDependencies []struct {
			URI    string            `json:"uri"`
			Digest map[string]string `json:"digest"`
		} `json:"resolvedDependencies"`
	} `json:"buildDefinition"`
}

// list gives them in the order of their references.
func (b bases) list() []Base {
	var list []Base
	for _, reference := range slices.Sorted(maps.Keys(b)) {
		list = append(list, Base{Reference: reference, Digest: b[reference]})
	}
	return list
}

// reads are the beginnings of the titles of steps that read an image.
var reads = [...]string{"FROM ", "resolve image config for ", contextImage}

// readImage gives the image that a step of this name reads.
func readImage(name string) (reference string, ok bool) {
	title := (&step{name: name}).title()
	for _, prefix := range reads {
		if reference, ok := strings.CutPrefix(title, prefix); ok {
			return strings.TrimPrefix(reference, contextImage), true
		}
	}
	return "", false
}
