package pipeline

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"batuta"
	"batuta/internal/document"
)

// WantsImage tells whether an image that was pushed to some registry starts a
// run, and if not, why. The reference has its registry and its tag.
func (t Triggers) WantsImage(reference string) (bool, string) {
	name, _, _ := strings.Cut(reference, "@")
	hit := len(t.Registry) > 0 && strings.HasPrefix(t.Registry[0], "!")
	for _, pattern := range t.Registry {
		positive, out := strings.CutPrefix(pattern, "!")
		if fitsImage(positive, name) {
			hit = !out
		}
	}
	if !hit {
		return false, name + " not in on.registry"
	}
	return true, ""
}

// fitsImage tells whether a pattern fits an image's name. One without a tag
// fits every tag.
func fitsImage(pattern, name string) bool {
	repository, tag := cutTag(pattern)
	itsRepository, itsTag := cutTag(name)
	fits, _ := doublestar.Match(repository, itsRepository)
	if tag == "" || !fits {
		return fits
	}
	fits, _ = doublestar.Match(tag, itsTag)
	return fits
}

// cutTag parts a name from its tag, which may be missing.
func cutTag(name string) (repository, tag string) {
	repository = repositoryOf(name)
	return repository, strings.TrimPrefix(name[len(repository):], ":")
}

// spelledOut is the pattern of an image with its registry, as Docker reads short
// names: node is docker.io/library/node, acme/web is docker.io/acme/web.
func spelledOut(pattern string) string {
	host, rest, deep := strings.Cut(pattern, "/")
	switch {
	case !deep:
		return "docker.io/library/" + pattern
	case host == "index.docker.io" || host == "docker.io":
		if !strings.Contains(rest, "/") && !strings.HasPrefix(rest, "*") {
			rest = "library/" + rest
		}
		return "docker.io/" + rest
	case strings.ContainsAny(host, ".:*{[?") || host == "localhost":
		return pattern
	}
	return "docker.io/" + pattern
}

// readImagePatterns spells the patterns of on.registry out and checks them.
func readImagePatterns(doc *document.Document, at document.Path, patterns []string) []string {
	var all []string
	for i, written := range patterns {
		pattern, out := strings.CutPrefix(written, "!")
		_, tag := cutTag(pattern)
		switch {
		case strings.Contains(pattern, "://"):
			doc.Problem(at.At(fmt.Sprint(i)), fmt.Sprintf("%q is a URL", written), "write the image without its scheme: ghcr.io/acme/portal")
		case strings.Contains(pattern, "@"):
			doc.Problem(at.At(fmt.Sprint(i)), fmt.Sprintf("%q has a digest, which nothing can be pushed to", written), "write a repository, and a tag if need be: docker.io/library/node:22*")
		case strings.ContainsAny(written, " \t"):
			doc.Problem(at.At(fmt.Sprint(i)), fmt.Sprintf("%q fits no image", written), "write "+strings.ReplaceAll(written, " ", ""))
		case pattern == "" || path.Clean(pattern) != pattern || strings.HasSuffix(pattern, ":") || !doublestar.ValidatePattern(repositoryOf(pattern)) || !doublestar.ValidatePattern(tag):
			doc.Problem(at.At(fmt.Sprint(i)), fmt.Sprintf("%q is not a pattern of images", written), "write docker.io/library/node, ghcr.io/acme/portal:v*, !ghcr.io/acme/portal:*-rc*")
		}
		pattern = spelledOut(pattern)
		if out {
			pattern = "!" + pattern
		}
		all = append(all, pattern)
	}
	return all
}

// unwantedImage says why an image that was pushed to some registry starts no run
// of an app; empty if it does. What the server pushes itself starts none of any
// app, so that no release follows from itself.
func (p *Pipeline) unwantedImage(ctx context.Context, app batuta.AppName, reference string) (string, error) {
	for _, a := range p.Apps {
		if a.Images != "" && strings.HasPrefix(repositoryOf(reference), spelledOut(a.Images)+"/") {
			return "a push by Batuta itself", nil
		}
	}
	agendas, err := p.Store.Agendas(ctx)
	if err != nil {
		return "", err
	}
	agenda, known := agendas[app]
	if !known {
		return "no run has read on.registry yet", nil
	}
	_, why := agenda.On.WantsImage(reference)
	return why, nil
}
