package main

import (
	"context"
	"debug/elf"
	"fmt"
	"log/slog"
	"net"
	"os"

	"github.com/spf13/cobra"

	"batuta"
	"batuta/internal/config"
)

// serveCommand runs the server until it is told to stop.
func (p *program) serveCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Run the server that server.yml describes: webhooks, the Git remote, the registry,
the API and the dashboard on one port, and the runs behind them.

On SIGTERM or Ctrl-C builds stop, to be resumed when the server is started
again, and deployments in progress are finished.`,
		Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := config.Load(file)
			if err != nil {
				return err
			}
			binary, err := staticSelf()
			if err != nil {
				return err
			}
			log := slog.New(slog.NewTextHandler(c.ErrOrStderr(), nil))
			return serve(c.Context(), cfg, parts{log: log, binary: binary})
		},
	}
	c.Flags().StringVar(&file, "config", "server.yml", "the server's configuration")
	return c
}

// serve runs a server until ctx ends.
func serve(ctx context.Context, cfg *config.Config, p parts) (err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return &batuta.Error{Kind: batuta.Unavailable, Message: "listen on " + cfg.Listen, Hint: "is another server running?", Err: err}
	}
	s, err := newServer(ctx, cfg, p)
	if err != nil {
		_ = listener.Close()
		return err
	}
	p.log.Info("serving", "url", cfg.URL, "data", cfg.Data, "version", version, "apps", len(cfg.Apps), "ships", len(cfg.Ships))
	err = s.Run(ctx, listener)
	p.log.Info("stopped")
	if closed := s.Close(); err == nil {
		err = closed
	}
	return err
}

// staticSelf is the path of this program, which must be statically linked:
// ships run it on an empty file system.
func staticSelf() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	f, err := elf.Open(path)
	if err != nil {
		return "", fmt.Errorf("read this program: %w", err)
	}
	defer f.Close()
	for _, part := range f.Progs {
		if part.Type == elf.PT_INTERP {
			return "", &batuta.Error{Kind: batuta.Invalid, Message: path + " is not statically linked, so ships could not run it", Hint: "build it with `make build` (CGO_ENABLED=0)"}
		}
	}
	return path, nil
}
