package builder

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/client"

	"batuta"
)

// attrContext begins the attribute of a named context; localNamed that of the
// directory it stands for.
const (
	attrContext = "context:"
	localNamed  = "context-"
)

// addContexts gives a solve the recipe's named contexts.
func (b *Builder) addContexts(r Request, o *client.SolveOpt) error {
	for _, name := range slices.Sorted(maps.Keys(r.Recipe.Contexts)) {
		value := r.Recipe.Contexts[name]
		own, isOwn := strings.CutPrefix(value, contextOwn)
		switch {
		case isOwn:
			image, built := r.Images[batuta.ImageName(own)]
			if !built {
				return invalid("build it before, or name another", "context %q: this app has no image %q", name, own)
			}
			o.FrontendAttrs[attrContext+name] = contextImage + image.String()
		case strings.HasPrefix(value, contextImage):
			o.FrontendAttrs[attrContext+name] = value
		default:
			files, err := b.directory(r, "contexts."+name, value)
			if err != nil {
				return err
			}
			local := localNamed + name
			o.FrontendAttrs[attrContext+name] = "local:" + local
			o.LocalMounts[local] = files
		}
	}
	return nil
}

// reads are the references that the recipe itself names. Those of other
// registries are none of the permit's business.
func (r Request) reads() []string {
	references := slices.Clone(r.Recipe.Cache.From)
	for _, value := range r.Recipe.Contexts {
		if reference, ok := strings.CutPrefix(value, contextImage); ok {
			references = append(references, reference)
		}
	}
	slices.Sort(references)
	return references
}

// cacheTag is the tag under which an image's cache lies in its repository.
const cacheTag = "cache"

// cacheReference is where the image's own cache is kept.
func (r Request) cacheReference() string { return r.Repository + ":" + cacheTag }

// names are what the image is pushed as: also as its own cache, if that is
// within it.
func (r Request) names() []string {
	if r.Recipe.Cache.To == CacheInline {
		return []string{r.reference(), r.cacheReference()}
	}
	return []string{r.reference()}
}

// caches gives a solve the caches of the recipe. One that is not there is
// passed over by the daemon.
func caches(r Request, insecure bool, o *client.SolveOpt) {
	entry := func(reference string, more map[string]string) client.CacheOptionsEntry {
		attrs := map[string]string{"ref": reference}
		if insecure && strings.HasPrefix(reference, r.host()+"/") {
			attrs["registry.insecure"] = "true"
		}
		maps.Copy(attrs, more)
		return client.CacheOptionsEntry{Type: "registry", Attrs: attrs}
	}
	for _, reference := range r.Recipe.Cache.From {
		o.CacheImports = append(o.CacheImports, entry(reference, nil))
	}
	switch r.Recipe.Cache.To {
	case CacheInline:
		o.CacheImports = append(o.CacheImports, entry(r.cacheReference(), nil))
		o.CacheExports = []client.CacheOptionsEntry{{Type: "inline", Attrs: map[string]string{}}}
	case CacheMax:
		o.CacheImports = append(o.CacheImports, entry(r.cacheReference(), nil))
		o.CacheExports = []client.CacheOptionsEntry{entry(r.cacheReference(), map[string]string{
			"mode": "max", "oci-mediatypes": "true", "image-manifest": "true",
		})}
	}
}

// checkPlatform refuses what is no platform.
func checkPlatform(s string) error {
	parts := strings.Split(s, "/")
	if len(parts) < 2 || len(parts) > 3 || slices.Contains(parts, "") {
		return invalid("write linux/amd64, linux/arm64 or linux/arm/v7", "%q is no platform", s)
	}
	return nil
}

// checkCache refuses what is no mode of a cache.
func checkCache(c Cache) error {
	if !slices.Contains([]string{"", CacheNone, CacheInline, CacheMax}, c.To) {
		return invalid("write inline, max or none", "%q is no way to keep a cache", c.To)
	}
	return nil
}

// epoch is the commit's time as SOURCE_DATE_EPOCH has it; empty if it is not
// known. https://reproducible-builds.org/specs/source-date-epoch/
func (r Request) epoch() string {
	if r.Time.IsZero() {
		return ""
	}
	return fmt.Sprint(r.Time.Unix())
}
