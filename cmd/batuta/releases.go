package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"batuta"
)

func (p *program) releasesCommand() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:               "releases APP",
		Short:             "List the newest releases of an app",
		Args:              arguments(1, 1),
		ValidArgsFunction: p.completeApp,
	}
	f := formatFlag(cmd.Flags())
	cmd.Flags().IntVarP(&limit, "limit", "n", 20, "how many at most")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := p.connect()
		if err != nil {
			return err
		}
		releases, err := c.Releases(cmd.Context(), batuta.AppName(args[0]), limit)
		if err != nil {
			return err
		}
		return show(p, f, releases, p.printReleases)
	}
	return cmd
}

func (p *program) printReleases(releases []batuta.Release) error {
	if len(releases) == 0 {
		fmt.Fprintln(p.stderr, "no releases yet")
		return nil
	}
	rows := [][]string{{"RELEASE", "REVISION", "IMAGES", "RUN", "CREATED", "MESSAGE"}}
	for _, r := range releases {
		var images []string
		for _, name := range slices.Sorted(maps.Keys(r.Images)) {
			images = append(images, string(name)+"@"+r.Images[name].Digest.Short())
		}
		rows = append(rows, []string{fmt.Sprint(r.Number), r.Revision.Short(), strings.Join(images, " "), fmt.Sprint(r.Run), p.ago(r.Created), r.Message})
	}
	return table(p.stdout, rows)
}
