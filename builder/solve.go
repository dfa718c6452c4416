package builder

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/secrets/secretsprovider"
	"golang.org/x/sync/errgroup"
)

// solution is what a daemon is asked to solve. The image comes from build
// or, if that is nil, from the frontend that the options name.
type solution struct {
	options client.SolveOpt
	build   gateway.BuildFunc
}

// prepare reads the recipe against the tree.
func (b *Builder) prepare(ctx context.Context, r Request) (solution, error) {
	if r.Recipe.Static != "" {
		return b.static(ctx, r)
	}
	return b.dockerfile(r)
}

// solve has the daemon build s while p shows how it goes. It stops when the
// build reads an image that it may not.
func (b *Builder) solve(ctx context.Context, r Request, s solution, p *progress) (*client.SolveResponse, error) {
	secrets := maps.Clone(r.Secrets)
	maps.DeleteFunc(secrets, func(id string, _ []byte) bool { return !slices.Contains(r.Recipe.Secrets, id) })
	keys, err := newAgents(r)
	if err != nil {
		return nil, err
	}
	s.options.Session = []session.Attachable{
		credentials{login: r.Login},
		secretsprovider.FromMap(secrets),
		keys,
	}
	caches(r, b.config.Insecure, &s.options)
	permit := &permit{host: r.host(), login: r.Login, insecure: b.config.Insecure}
	for _, reference := range r.reads() {
		if err := permit.read(ctx, reference); err != nil {
			return nil, cmp.Or(permit.refusal(), err)
		}
	}
	s.options.SourcePolicyProvider = permit.policy()
	s.options.Exports = []client.ExportEntry{b.daemon.export(r)}

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var response *client.SolveResponse
	status := make(chan *client.SolveStatus)
	var group errgroup.Group
	group.Go(func() (err error) {
		// Either call closes status.
		if s.build != nil {
			response, err = b.daemon.buildkit().Build(ctx, s.options, "", s.build, status)
		} else {
			response, err = b.daemon.buildkit().Solve(ctx, nil, s.options, status)
		}
		return err
	})
	group.Go(func() error {
		for st := range status {
			p.show(st)
			p.bases.watch(st)
			if permit.watch(ctx, st) != nil {
				stop()
			}
		}
		return nil
	})
	err = group.Wait()
	return response, cmp.Or(permit.refusal(), err)
}
