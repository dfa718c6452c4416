package builder

import (
	"cmp"
	"path"
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
	localContext    = "context"
	localDockerfile = "dockerfile"
)

// argSyntax is the build argument that replaces a Dockerfile's syntax line.
const argSyntax = "BUILDKIT_SYNTAX"

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
	frontend, attrs := frontend(r.Recipe, text)
	return solution{options: client.SolveOpt{
		Frontend:      frontend,
		FrontendAttrs: attrs,
		LocalMounts:   map[string]fsutil.FS{localContext: context, localDockerfile: beside},
		SharedKey:     r.sharedKey(),
	}}, nil
}

// dockerfile is the path of the Dockerfile in the tree.
func (r Recipe) dockerfile() string {
	return path.Clean(cmp.Or(r.Dockerfile, path.Join(r.Context, "Dockerfile")))
}

// frontend says who reads the Dockerfile, with which attributes.
func frontend(r Recipe, text []byte) (name string, attrs map[string]string) {
	attrs = map[string]string{attrFilename: path.Base(r.dockerfile())}
	if r.Target != "" {
		attrs[attrTarget] = r.Target
	}
	for k, v := range r.Args {
		attrs[attrArg+k] = v
	}
	if command := r.Args[argSyntax]; command != "" {
		attrs[attrCommandline] = command
		attrs[attrSource], _, _ = strings.Cut(command, " ")
		return "gateway.v0", attrs
	}
	if ref, _, _, ok := parser.DetectSyntax(text); ok && official(ref) {
		attrs[attrCommandline] = ref
	}
	return "dockerfile.v0", attrs
}

// official tells whether an image is a release of the frontend that daemons
// have built in.
func official(ref string) bool {
	ref = strings.TrimPrefix(ref, "docker.io/")
	ref, _, _ = strings.Cut(ref, "@")
	ref, _, _ = strings.Cut(ref, ":")
	return ref == "docker/dockerfile"
}
