package builder

import (
	"strings"
	"time"

	"batuta"
)

// Request is one image to be built and where to push it.
//
// One revision gives one digest when it is built twice by a buildkitd, with
// its Time, from the same cache or, with Recipe.NoCache, from none: then also
// by another daemon, server and checkout. (What a command itself makes
// differently each time, no daemon can mend.) A Docker Engine before 23.0
// keeps to that only where its cache has every step.
type Request struct {
	App        batuta.AppName
	Image      batuta.ImageName
	Revision   batuta.Revision
	Time       time.Time                         // of the revision's commit, which the image is dated by; zero is the time of day
	Source     string                            // the directory that holds the revision's tree
	Recipe     Recipe                            //
	Secrets    map[string][]byte                 // values of the recipe's secrets, at most 500 KB each
	SSH        map[string][]byte                 // private keys, as PEM without a passphrase, by the recipe's ids
	Images     map[batuta.ImageName]batuta.Image // the app's other images, which image:NAME in Recipe.Contexts means
	SBOM       string                            // reference of the image that lists what the built one contains; empty for no list
	Repository string                            // registry host[:port]/path

	// Login gives this build's credentials for a registry, in the place of
	// the Config's, to pull base images and to push; nil is the Config's. No
	// other build gets to use them. The images of the registry that is pushed
	// to are for those builds alone whose login may read them; the registry is
	// asked about each that a build names, even if the daemon has it already
	// because another build made or pulled it.
	//
	// A buildkitd from 0.26 on waits for that answer. An older one and a
	// Docker Engine only tell which images they read while they do: the build
	// is stopped then and nothing is pushed, but a command may have begun to
	// run. What cannot be prevented there: that a frontend of the app's
	// choosing hides what it reads, and that a build uses an image that the
	// Engine has under a name without this registry.
	Login func(host string) Login
}

// reference is what the image is pushed as. Registries want a tag; it is
// never read again, as it moves when a revision is built once more.
func (r Request) reference() string { return r.Repository + ":" + string(r.Revision) }

// sharedKey is under which a daemon keeps the files it was sent, so that a
// later build of the same image is sent only what differs.
func (r Request) sharedKey() string { return "batuta:" + string(r.App) + ":" + string(r.Image) }

// host is the registry's part of the repository.
func (r Request) host() string {
	host, _, _ := strings.Cut(r.Repository, "/")
	return host
}

// check refuses what would otherwise fail late or be understood differently.
func (r Request) check() error {
	if err := batuta.CheckRevision(string(r.Revision)); err != nil {
		return err
	}
	if host, path, _ := strings.Cut(r.Repository, "/"); host == "" || path == "" {
		return invalid("", "%q is not a repository with its registry", r.Repository)
	}
	for _, id := range r.Recipe.Secrets {
		if _, ok := r.Secrets[id]; !ok {
			return invalid("add it to the app's secrets on the server, or take it off the recipe", "build secret %q has no value", id)
		}
	}
	for _, id := range r.Recipe.SSH {
		if _, ok := r.SSH[id]; !ok {
			return invalid("add it to the app's secrets on the server, or take it off the recipe", "SSH key %q has no value", id)
		}
	}
	for _, platform := range r.Recipe.Platforms {
		if err := checkPlatform(platform); err != nil {
			return err
		}
	}
	return checkCache(r.Recipe.Cache)
}
