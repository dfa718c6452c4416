package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"batuta"
	"batuta/internal/archive"
	"batuta/internal/config"
	"batuta/internal/store"
)

// lockName is what a server that has stopped leaves in a directory otherwise
// empty.
const lockName = "batuta.lock"

// restoreCommand puts a backup into an empty data directory.
func (p *program) restoreCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup into the empty data directory of a server that does not run",
		Long: `Put what batuta backup made into the data directory that server.yml names, which
must be empty. All checksums are compared before anything is written. Then start
the server: it takes up every run where the backup found it.`,
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
	if err = archive.Extract(file, data); err == nil {
		err = openRefs(data)
	}
	if err != nil {
		err = errors.Join(err, empty(data))
	}
	return m, err
}

// isEmpty wants nothing in a data directory.
func isEmpty(data string) error {
	there, err := contents(data)
	if err != nil || len(there) == 0 {
		return err
	}
	return &batuta.Error{Kind: batuta.Conflict, Message: fmt.Sprintf("the data directory %s is not empty: it has %s", data, there[0]), Hint: "move away what is there, or let `data` in server.yml name another directory"}
}

// contents is what is in a data directory, but for its lock and what a file
// system has at its top.
func contents(data string) ([]string, error) {
	entries, err := os.ReadDir(data)
	if err != nil {
		return nil, fmt.Errorf("look into the data directory: %w", err)
	}
	var names []string
	for _, e := range entries {
		if !slices.Contains([]string{lockName, "lost+found"}, e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// empty takes back what was restored in part.
func empty(data string) error {
	names, err := contents(data)
	for _, name := range names {
		err = errors.Join(err, os.RemoveAll(filepath.Join(data, name)))
	}
	return err
}

// openRefs gives each repository its folder of refs, without which it is none
// to Git, though all refs may be packed.
func openRefs(data string) error {
	repositories, err := filepath.Glob(filepath.Join(data, "git", "*.git"))
	for _, repository := range repositories {
		err = errors.Join(err, os.MkdirAll(filepath.Join(repository, "refs", "heads"), 0o700), os.MkdirAll(filepath.Join(repository, "objects"), 0o700))
	}
	return err
}
