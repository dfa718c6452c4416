package main

import (
	"cmp"
	"context"
	"io"
	"path"

	"batuta"
	"batuta/builder"
	"batuta/deployer"
	"batuta/deployer/docker"
	"batuta/internal/config"
	"batuta/internal/gitsource"
	"batuta/internal/registry"
	"batuta/pipeline"
)

// apps is what the pipeline knows of each app of server.yml.
func (s *server) apps() map[batuta.AppName]pipeline.App {
	all := map[batuta.AppName]pipeline.App{}
	for name, a := range s.config.Apps {
		app := pipeline.App{
			Name: name, Repository: s.repository(name, a), Images: s.images(name), Registry: s.config.Registry.Address, Login: s.buildLogin(name),
			Grants: map[batuta.EnvironmentName]pipeline.Grant{}, Secrets: map[string]string{}, Keep: s.config.Keep.Releases, Poll: a.Poll,
			Includes: a.Includes, Bases: a.Bases, Listeners: s.config.Listeners(name), Floors: a.Promote,
		}
		if a.Keep != nil {
			app.Keep = a.Keep.Releases
		}
		for id, value := range a.Secrets {
			app.Secrets[id] = value.Reveal()
		}
		for env := range a.Environments {
			app.Grants[env] = s.grant(name, env)
		}
		if a.Environments == nil {
			everything := s.grant(name, "")
			app.Default = &everything
		}
		all[name] = app
	}
	return all
}

// grant is the ships and host paths that an environment may use.
func (s *server) grant(app batuta.AppName, env batuta.EnvironmentName) pipeline.Grant {
	names, _ := s.config.Granted(app, env)
	g := pipeline.Grant{Allow: deployer.Policy{Paths: s.config.Apps[app].Allow.Paths, Privileges: s.config.Apps[app].Allow.Privileges}}
	for _, name := range names {
		ship := s.config.Ships[name]
		g.Ships = append(g.Ships, deployer.ShipInfo{Name: name, Address: ship.Address, Labels: ship.Labels})
	}
	return g
}

// repository is where an app's code is: the embedded remote, or a forge.
func (s *server) repository(name batuta.AppName, a config.App) gitsource.Repository {
	c := a.Credentials
	return gitsource.Repository{
		URL: cmp.Or(a.Repository, s.remote.Path(name)),
		Credentials: gitsource.Credentials{
			Token: c.Token.Reveal(), User: c.User, Password: c.Password.Reveal(),
			SSHKey: c.SSHKey.Reveal(), KnownHosts: c.KnownHosts.Reveal(),
		},
	}
}

// images is where an app's images go.
func (s *server) images(name batuta.AppName) string {
	if o := s.config.Registry.Outside; o != nil {
		return path.Join(o.Address, o.Prefix, string(name))
	}
	return path.Join(s.config.Registry.Address, string(name))
}

// fetcher brings sources.
func (s *server) fetcher() *gitsource.Fetcher {
	return &gitsource.Fetcher{MaxBytes: int64(s.config.Source.MaxSize)}
}

// buildLogin gives an app's builds the credentials for a registry.
func (s *server) buildLogin(app batuta.AppName) func(host string) builder.Login {
	token := s.robots.build(app)
	return func(host string) builder.Login {
		user, password, ok := s.login(host, token)
		if !ok {
			return builder.Login{}
		}
		return builder.Login{User: user, Password: password}
	}
}

// pinner asks registries what a tag means to an app, with the credentials of
// its builds.
type pinner struct{ *server }

// Pin gives the digest of a reference.
func (p pinner) Pin(ctx context.Context, app batuta.AppName, reference string) (batuta.Image, error) {
	return registry.Pinner{p.imageRegistry(p.robots.build(app))}.Pin(ctx, reference)
}

// imageRegistry is that of the apps' images: the embedded one to one of the
// server's own parts, or the one outside.
func (s *server) imageRegistry(robot string) registry.Remote {
	if o := s.config.Registry.Outside; o != nil {
		return registry.Remote{Address: o.Address, User: o.User, Password: o.Password.Reveal(), Insecure: o.Insecure}
	}
	return registry.Remote{Address: s.config.Registry.Address, User: robotName, Password: robot, Insecure: s.config.PlainRegistry(), Inside: s.registry.Inside()}
}

// runtimeImage is Batuta's own image, for the ships that need it.
type runtimeImage struct{ binary string }

var _ docker.Runtime = runtimeImage{}

// Name is a tag made of the image's content.
func (r runtimeImage) Name(context.Context) (string, error) {
	id, err := builder.RuntimeTarball(r.binary, "", io.Discard)
	if err != nil {
		return "", err
	}
	return "batuta/runtime:" + batuta.Digest(id).Short(), nil
}

// Save writes the image under its name.
func (r runtimeImage) Save(ctx context.Context, w io.Writer) error {
	name, err := r.Name(ctx)
	if err != nil {
		return err
	}
	_, err = builder.RuntimeTarball(r.binary, name, w)
	return err
}
