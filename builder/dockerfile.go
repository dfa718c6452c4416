package builder

import (
	"cmp"
	"path"
	"regexp"
	"strings"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/tonistiigi/fsutil"
)

// The attributes and the names of local directories that the Dockerfile
// frontend knows: https://github.com/moby/buildkit/blob/master/frontend/dockerui/config.go
const (
	attrFilename    = "filename"
	attrTarget      = "target"
	attrArg         = "build-arg:"
	attrCommandline = "cmdline" // its presence tells the frontend that the syntax line has been dealt with
	attrSource      = "source"
	attrPlatform    = "platform"
	attrNoCache     = "no-cache"
	attrSBOM        = "attest:sbom"
	localContext    = "context"
	localDockerfile = "dockerfile"
)

// Build arguments with a meaning of their own: what replaces a Dockerfile's
// syntax line, and the time of the commit in seconds since 1970.
const (
	argSyntax = "BUILDKIT_SYNTAX"
	argEpoch  = "SOURCE_DATE_EPOCH"
)

// dockerfile is the solution of a recipe that has one. The frontend reads it
// and .dockerignore through the session, and asks only for the files it needs.
func (b *Builder) dockerfile(r Request) (solution, error) {
	name := r.Recipe.dockerfile()
	text, err := file(r.Source, name)
	if err != nil {
		return solution{}, err
	}
	context, err := b.directory(r, "context", cmp.Or(r.Recipe.Context, "."))
	if err != nil {
		return solution{}, err
	}
	beside, err := b.directory(r, "dockerfile", path.Dir(name))
	if err != nil {
		return solution{}, err
	}
	frontend, attrs := frontend(r, text)
	s := solution{options: client.SolveOpt{
		Frontend:      frontend,
		FrontendAttrs: attrs,
		LocalMounts:   map[string]fsutil.FS{localContext: context, localDockerfile: beside},
		SharedKey:     r.sharedKey(),
	}}
	return s, b.addContexts(r, &s.options)
}

// dockerfile is the path of the Dockerfile in the tree.
func (r Recipe) dockerfile() string {
	return path.Clean(cmp.Or(r.Dockerfile, path.Join(r.Context, "Dockerfile")))
}

// frontend says who reads the Dockerfile, with which attributes.
func frontend(r Request, text []byte) (name string, attrs map[string]string) {
	attrs = attributes(r, text)
	if command := r.Recipe.Args[argSyntax]; command != "" {
		attrs[attrCommandline] = command
		attrs[attrSource], _, _ = strings.Cut(command, " ")
		return "gateway.v0", attrs
	}
	if ref, _, _, ok := parser.DetectSyntax(text); ok && official(ref) {
		attrs[attrCommandline] = ref
	}
	return "dockerfile.v0", attrs
}

// attributes are what the recipe says, in a frontend's words.
func attributes(r Request, text []byte) map[string]string {
	attrs := map[string]string{attrFilename: path.Base(r.Recipe.dockerfile())}
	if r.Recipe.Target != "" {
		attrs[attrTarget] = r.Recipe.Target
	}
	if len(r.Recipe.Platforms) > 0 {
		attrs[attrPlatform] = strings.Join(r.Recipe.Platforms, ",")
	}
	if r.Recipe.NoCache {
		attrs[attrNoCache] = "" // of all stages
	}
	if r.SBOM != "" {
		attrs[attrSBOM] = "generator=" + r.SBOM
	}
	if epoch := r.epoch(); epoch != "" && asksEpoch.Match(text) {
		attrs[attrArg+argEpoch] = epoch
	}
	for k, v := range r.Recipe.Args {
		attrs[attrArg+k] = v
	}
	return attrs
}

// asksEpoch finds a Dockerfile that uses the commit's time. Any other is not
// given it: the frontend dates what WORKDIR makes by it, so that each commit
// would run anew what follows.
var asksEpoch = regexp.MustCompile(`(?im)^\s*ARG\s(?:.*\s)?SOURCE_DATE_EPOCH\b`)

// official tells whether an image is a release of the frontend that daemons
// have built in.
func official(ref string) bool {
	ref = strings.TrimPrefix(ref, "docker.io/")
	ref, _, _ = strings.Cut(ref, "@")
	ref, _, _ = strings.Cut(ref, ":")
	return ref == "docker/dockerfile"
}
