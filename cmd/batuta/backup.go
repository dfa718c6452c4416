package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"batuta"
	"batuta/internal/archive"
	"batuta/internal/config"
	"batuta/internal/store"
)

// backupCommand copies what a server keeps into one file.
func (p *program) backupCommand() *cobra.Command {
	var file string
	var leave leftOut
	c := &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy what the server keeps into one file, while it runs",
		Long: `Copy what the server of server.yml keeps into one file (tar, zstd): its database,
its keys, the repositories of its Git remote, its images, logs and artifacts.
The server may run meanwhile. The file has checksums of everything and appears
only once it is whole. server.yml and its secrets are not in it; the server's
keys are: keep it as you keep a secret.

It is run on the server's machine, as the server's user.`,
		Args: arguments(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := config.Load(file)
			if err != nil {
				return err
			}
			made, err := p.backUp(c.Context(), cfg.Data, args[0], leave)
			if err != nil {
				return err
			}
			fmt.Fprintln(p.stdout, made)
			if leave.images {
				fmt.Fprintln(p.stderr, "without images: once this is restored, a release can be deployed only where its images still are, or from an outside registry; `batuta run` builds others anew")
			}
			return nil
		},
	}
	c.Flags().StringVar(&file, "config", "server.yml", "the server's configuration")
	c.Flags().BoolVar(&leave.images, "without-images", false, "leave out the embedded registry's images: after a restore, releases of before cannot be pulled from it")
	c.Flags().BoolVar(&leave.logs, "without-logs", false, "leave out the runs' logs, and what tests left")
	return c
}

// leftOut is what a backup does without.
type leftOut struct{ images, logs bool }

// backUp copies the data directory to a file. The database comes first, and of
// everything else what refers before what it refers to: what stands in the
// copy is there, and what came meanwhile does no harm.
func (p *program) backUp(ctx context.Context, data, file string, leave leftOut) (made string, err error) {
	w, err := archive.Create(file, archive.Manifest{Binary: version, Made: p.now().UTC(), Images: !leave.images})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	snapshots := file + ".database"
	if err := errors.Join(sweepSnapshots(snapshots), os.Mkdir(snapshots, 0o700)); err != nil {
		return "", fmt.Errorf("copy database: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(snapshots)) }()
	database := filepath.Join(snapshots, "batuta.db")
	if err := store.Snapshot(ctx, data, database); err != nil {
		return "", err
	}
	if err := w.Add("key", filepath.Join(data, "key")); err != nil {
		return "", err
	}
	if err := addIfThere(w, signingKey, filepath.Join(data, signingKey)); err != nil {
		return "", err
	}
	for _, part := range partsOf(leave) {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		if err := w.AddTree(part.dir, filepath.Join(data, part.dir), part.wanted); err != nil {
			return "", err
		}
	}
	if err := w.Add("batuta.db", database); err != nil { // last: what is restored in part is no server's
		return "", err
	}
	size, err := w.Commit()
	return fmt.Sprintf("%s: %.1f MB", file, float64(size)/1e6), err
}

// sweepSnapshots removes what a backup that was killed has left: nobody else
// writes the archive now. A directory that holds anything else is somebody's.
func sweepSnapshots(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	foreign := slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return !strings.HasPrefix(e.Name(), "batuta.db") })
	if err != nil || foreign {
		return errors.Join(err, &batuta.Error{Kind: batuta.Conflict, Message: dir + " is not of a backup", Hint: "move it away, or write another file"})
	}
	return os.RemoveAll(dir)
}

// addIfThere adds what a server of an older version does not have yet.
func addIfThere(w *archive.Writer, name, file string) error {
	if _, err := os.Lstat(file); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return w.Add(name, file)
}

// part is some of the files in a folder of the data directory.
type part struct {
	dir    string
	wanted func(file string) bool
}

// partsOf is what is copied, in this order.
func partsOf(leave leftOut) []part {
	const images = "docker/registry/v2/"
	history := onlyNew(isHistory)
	all := []part{
		{"git", inRepository("refs")}, // Git packs refs and objects under way, and removes the loose ones afterwards
		{"git", inRepository("packed-refs")},
		{"git", history},
		{"git", history}, // what Git packed anew while it was copied
		{"registry", func(file string) bool { return file == "upload.key" }},
	}
	if !leave.images {
		all = append(all,
			part{"registry", func(file string) bool {
				return strings.HasPrefix(file, images+"repositories/") && !strings.Contains(file, "/_uploads/") && path.Ext(file) != ".tmp"
			}},
			part{"registry", func(file string) bool {
				return strings.HasPrefix(file, images+"blobs/") && path.Ext(file) != ".tmp"
			}})
	}
	if !leave.logs {
		everything := func(string) bool { return true }
		all = append(all, part{"logs", everything}, part{"artifacts", everything})
	}
	return all
}

// inRepository wants what is in APP.git/name, or is that.
func inRepository(name string) func(file string) bool {
	return func(file string) bool {
		_, rest, _ := strings.Cut(file, "/")
		first, _, _ := strings.Cut(rest, "/")
		return first == name && path.Ext(file) != ".lock"
	}
}

// isHistory wants the objects of repositories, and what else is neither a ref
// nor on its way to become something.
func isHistory(file string) bool {
	return !inRepository("refs")(file) && !inRepository("packed-refs")(file) && path.Ext(file) != ".lock" &&
		!strings.Contains(file, "/tmp_") && !strings.Contains(file, "/incoming-")
}

// onlyNew wants each file once.
func onlyNew(wanted func(file string) bool) func(file string) bool {
	seen := map[string]bool{}
	return func(file string) bool {
		if seen[file] || !wanted(file) {
			return false
		}
		seen[file] = true
		return true
	}
}
