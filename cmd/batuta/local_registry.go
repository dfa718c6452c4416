package main

import (
	"slices"

	"github.com/distribution/reference"

	"batuta/deployer"
	"batuta/deployer/maestro"
	"batuta/internal/registry"
)

// registries are those that a MaestroNG document has a login, or a retry, for.
func (l *local) registries() []maestro.Registry {
	if d, ok := l.doc.(*maestro.Document); ok {
		return d.Registries()
	}
	return nil
}

// source is how a MaestroNG document says its images are had.
func (l *local) source(reference string) deployer.Source {
	all := l.registries()
	n := slices.IndexFunc(all, func(r maestro.Registry) bool { return r.Serves(reference) })
	if n < 0 {
		return deployer.Source{}
	}
	r := all[n]
	return deployer.Source{Login: r.Login, Attempts: r.Attempts, Again: func(err error) bool { return answered(err, r.When) }}
}

// pinner asks registries with the document's logins, and where it has none,
// with those that docker login has left.
func (l *local) pinner(references []string) registry.Pinner {
	var out registry.Pinner
	for _, ref := range references {
		at := registry.Remote{Address: registryHost(ref), Own: true}
		if slices.ContainsFunc(out, func(r registry.Remote) bool { return r.Address == at.Address }) {
			continue
		}
		if login := l.source(ref).Login; login != nil {
			at.User, at.Password = login.User, login.Password
		}
		at.Insecure = slices.ContainsFunc(l.registries(), func(r maestro.Registry) bool { return r.Insecure && r.Host == at.Address })
		out = append(out, at)
	}
	return out
}

// login is what a ship pulls with from a registry, by what the document says of
// the images that it has from there.
func (l *local) login(host string) (user, password string, ok bool) {
	for _, ref := range l.doc.References() {
		if login := l.source(ref).Login; login != nil && registryHost(ref) == host {
			return login.User, login.Password, true
		}
	}
	if login := l.source(host + "/").Login; login != nil {
		return login.User, login.Password, true
	}
	return "", "", false
}

// registryHost is where an image comes from: docker.io if its name does not
// say.
func registryHost(image string) string {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return "" // which is no registry
	}
	return reference.Domain(named)
}
