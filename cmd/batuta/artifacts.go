package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/spf13/cobra"

	"batuta"
	"batuta/internal/api/client"
)

func (p *program) artifactsCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:     "artifacts RUN [TEST] [-o DIR]",
		Short:   "List what the tests of a run left, or bring it here",
		Example: "  batuta artifacts 12\n  batuta artifacts 12 unit -o .",
		Args:    arguments(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := runID(args[0])
			if err != nil {
				return err
			}
			c, err := p.connect()
			if err != nil {
				return err
			}
			if dir != "" {
				return bring(cmd.Context(), c, id, optional(args, 1), dir)
			}
			return p.listArtifacts(cmd.Context(), c, id, optional(args, 1))
		},
	}
	cmd.Flags().StringVarP(&dir, "output", "o", "", "the directory to bring the files to, each below the name of its test")
	return cmd
}

// listArtifacts prints each file as test/path, with its size in bytes.
func (p *program) listArtifacts(ctx context.Context, c *client.Client, id batuta.RunID, test string) error {
	all, err := c.Artifacts(ctx, id)
	if err != nil {
		return err
	}
	for _, a := range all {
		if test == "" || a.Test == test {
			fmt.Fprintf(p.stdout, "%10d  %s\n", a.Size, path.Join(a.Test, a.Path))
		}
	}
	return nil
}

// bring unpacks what tests left into a directory, and nowhere else.
func bring(ctx context.Context, c *client.Client, id batuta.RunID, test, dir string) error {
	bundle, err := c.Bundle(ctx, id, test)
	if err != nil {
		return err
	}
	defer bundle.Close()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for files := tar.NewReader(bundle); ; {
		header, err := files.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return &batuta.Error{Kind: batuta.Unavailable, Message: "the artifacts broke off", Err: err}
		}
		if err := bringOne(root, header.Name, files); err != nil {
			return fmt.Errorf("write %s: %w", header.Name, err)
		}
	}
}

func bringOne(root *os.Root, name string, content io.Reader) error {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	file, err := root.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Close())
}
