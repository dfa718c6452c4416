package main

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"

	"batuta/builder"
	"batuta/pipeline"
)

// openBuilder makes a pool of the builders of server.yml.
func (s *server) openBuilder(_ context.Context, p parts) error {
	configured := s.config.BuiltBy()
	var members []builder.Member
	for _, name := range slices.Sorted(maps.Keys(configured)) {
		b, err := builder.New(builder.Config{
			Endpoint: builderEndpoint(configured[name].Address), Binary: p.binary,
			Insecure: s.config.PlainRegistry(),
		})
		if err != nil {
			return errors.Join(err, builder.NewPool(members...).Close())
		}
		members = append(members, builder.Member{Name: name, Daemon: b, Limit: configured[name].Limit})
	}
	pool := builder.NewPool(members...)
	s.close = append(s.close, pool.Close)
	s.builder = scanned{pool, s.config.SBOM}
	return nil
}

// builderEndpoint is server.yml's word for Docker's own BuildKit, or an address.
func builderEndpoint(name string) string {
	if name == "docker" {
		return ""
	}
	return name
}

// scanned is a builder that has what it builds listed by a scanner.
type scanned struct {
	pipeline.Builder
	scanner string // reference of its image; empty: there is none
}

// Build is the builder's, with the scanner's list.
func (s scanned) Build(ctx context.Context, r builder.Request, log io.Writer) (builder.Result, error) {
	r.SBOM = s.scanner
	return s.Builder.Build(ctx, r, log)
}
