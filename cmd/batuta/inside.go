package main

import (
	"log/slog"

	"github.com/spf13/cobra"

	"batuta/deployer/docker"
	"batuta/internal/proxy"
)

// filesCommand is what a static image runs.
func (p *program) filesCommand() *cobra.Command {
	var root, listen string
	var check bool
	c := &cobra.Command{
		Use: "files", Hidden: true, Short: "Serve a directory; static images run it", Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			if check {
				return proxy.CheckLinks(root)
			}
			return proxy.ServeFiles(c.Context(), root, listen, slog.New(slog.NewTextHandler(p.stderr, nil)))
		},
	}
	c.Flags().StringVar(&root, "root", "/srv", "the directory")
	c.Flags().StringVar(&listen, "listen", ":8080", "the address")
	c.Flags().BoolVar(&check, "check", false, "do not serve: want every link of the pages to lead somewhere")
	return c
}

// probeCommand is what a probe container runs on a ship.
func (p *program) probeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "probe", Hidden: true, Short: "Make checks in a ship's network; probe containers run it", Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			return docker.ServeProbes(c.Context(), p.stdin, p.stdout)
		},
	}
}
