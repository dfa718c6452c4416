package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"batuta/internal/archive"
	"batuta/internal/config"
	"batuta/internal/store"
)

// restoreCommand puts a backup into an empty data directory.
func (p *program) restoreCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup into the empty data directory of a server that does not run",
		Long: `Put what batuta backup made into the data directory that server.yml names, which
must be empty. All checksums are compared before anything is written. Then start
the server: it takes up every run where the backup found it. A restore that was
interrupted is done again: no server starts on what it left.`,
		Args: arguments(1, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, err := config.Load(file)
			if err != nil {
				return err
			}
			m, err := putBack(args[0], cfg.Data)
			if err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "%s: %d files, as of %s\n", cfg.Data, len(m.Files), m.Made.Format(time.RFC3339))
			if !m.Images {
				fmt.Fprintln(p.stderr, "the backup has no images: a release can be deployed only where its images still are, or from an outside registry")
			}
			return nil
		},
	}
	c.Flags().StringVar(&file, "config", "server.yml", "the server's configuration")
	return c
}

// putBack restores a backup into the directory, all of it or nothing.
func putBack(file, data string) (m archive.Manifest, err error) {
	release, err := store.Hold(data)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, release()) }()
	if err := isEmpty(data); err != nil {
		return m, err
	}
	if m, err = archive.Verify(file); err != nil {
		return m, err
	}
	if err = unpack(file, data); err != nil {
		err = errors.Join(err, empty(data))
	}
	return m, err
}
