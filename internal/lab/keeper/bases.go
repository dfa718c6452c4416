package keeper

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	_ "embed" // the set-up scripts
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"batuta/internal/lab"
	"batuta/internal/lab/host"
)

// recipe says how a base image is made.
type recipe struct {
	reference string   // on Docker Hub, below library/
	variant   string   // mmdebstrap's: essential has no apt; empty for busybox alone
	packages  []string // beside those of the variant
	setup     string   // a shell script that gets the tree's directory as $1 when all is installed
	entry     []string // the entrypoint
	command   []string
	signal    string // asks it to stop, if not SIGTERM
}

// What official images have and Debian's packages do not.
var (
	//go:embed setup/php.sh
	setupPHP string
	//go:embed setup/mariadb.sh
	setupMariaDB string
)

// recipes has every base image. A recipe that is changed is made anew.
var recipes = map[lab.Base]recipe{
	lab.Busybox: {reference: "busybox:latest", command: []string{"/bin/sh"}},
	lab.Debian:  {reference: "debian:bookworm-slim", variant: "minbase", command: []string{"bash"}},
	lab.Node:    {reference: "node:20-slim", variant: "essential", packages: []string{"nodejs", "ca-certificates"}, command: []string{"node"}},
	lab.Python: {reference: "python:3.11-slim", variant: "essential", command: []string{"python3"},
		packages: []string{"python3", "python3-venv", "python3-flask", "gunicorn", "ca-certificates"}},
	lab.Ruby: {reference: "ruby:3.1-slim", variant: "essential", command: []string{"irb"},
		packages: []string{"ruby", "ruby-sinatra", "puma", "bundler", "ca-certificates"}},
	lab.PHP: {reference: "php:8.2-apache", variant: "essential", setup: setupPHP, command: []string{"apache2-foreground"}, signal: "SIGWINCH",
		packages: []string{"php-cli", "php-mysql", "php-gd", "php-xml", "php-mbstring", "apache2", "libapache2-mod-php"}},
	lab.MariaDB: {reference: "mariadb:10.11", variant: "essential", setup: setupMariaDB, entry: []string{"docker-entrypoint.sh"}, command: []string{"mariadbd", "--no-defaults", "--user=mysql"},
		packages: []string{"mariadb-server-core", "mariadb-client-core"}},
}

// suite is the Debian release that the base images are made of.
const suite = "bookworm"

// hashLabel is where an image says what recipe it was made by.
const hashLabel = "batuta.lab.recipe"

// make makes the image and puts it into the registry, unless it is there.
func (r recipe) make(ctx context.Context, registry string) error {
	hash := fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "1 %s %+v", suite, r)))
	target, err := name.ParseReference(registry+"/library/"+r.reference, name.Insecure)
	if err != nil {
		return err
	}
	if made, err := remote.Image(target, remote.WithContext(ctx)); err == nil {
		if config, err := made.ConfigFile(); err == nil && config.Config.Labels[hashLabel] == hash {
			return nil
		}
	}
	dir, err := os.MkdirTemp(DataDir, "base-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tree := filepath.Join(dir, "tree.tar")
	if err := r.plant(ctx, tree); err != nil {
		return err
	}
	image, err := r.image(tree, hash)
	if err != nil {
		return err
	}
	return remote.Write(target, image, remote.WithContext(ctx))
}

// image makes an image of one layer.
func (r recipe) image(tree, hash string) (v1.Image, error) {
	layer, err := tarball.LayerFromFile(tree, tarball.WithCompressionLevel(gzip.BestSpeed))
	if err != nil {
		return nil, err
	}
	base, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		Architecture: runtime.GOARCH, OS: "linux",
		Config: v1.Config{
			Entrypoint: r.entry, Cmd: r.command, StopSignal: r.signal,
			Env:    []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
			Labels: map[string]string{hashLabel: hash},
		},
	})
	if err != nil {
		return nil, err
	}
	return mutate.AppendLayers(base, layer)
}

// plant writes the image's files to a tar archive.
func (r recipe) plant(ctx context.Context, tree string) error {
	if r.variant == "" {
		return plantBusybox(ctx, tree)
	}
	args := []string{"--quiet", "--variant=" + r.variant}
	if len(r.packages) > 0 {
		args = append(args, "--include="+strings.Join(r.packages, ","))
	}
	for _, unread := range []string{"doc", "man", "locale", "info"} {
		args = append(args, "--dpkgopt=path-exclude=/usr/share/"+unread+"/*")
	}
	if r.setup != "" {
		args = append(args, "--customize-hook="+r.setup)
	}
	return host.Run(ctx, "mmdebstrap", append(args, suite, tree)...)
}
