package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"batuta/deployer"
)

// sightings are the flags of a status of the document of -f.
type sightings struct {
	order deployer.Order
	hosts bool
}

// sightFlags adds what a status takes with -f.
func sightFlags(cmd *cobra.Command) *sightings {
	s := &sightings{order: deployer.Order{Verb: deployer.PlayStatus}}
	chooseFlags(cmd, &s.order)
	cmd.Flags().BoolVarP(&s.order.Full, "full", "F", false, "with -f: also images, and whether each port is open")
	cmd.Flags().BoolVarP(&s.hosts, "show-hosts", "H", false, "with -f: also the ships' addresses")
	return s
}

// show asks the ships, and prints what they say. What does not run is no error
// of a status.
func (s *sightings) show(ctx context.Context, l *local, f *format, things []string) error {
	spec, err := l.spec(ctx)
	if err != nil {
		return err
	}
	s.order.Things = things
	play, err := deployer.NewPlay(spec, s.order)
	if err != nil {
		return err
	}
	return show(l.p, f, l.fleet.Sights(ctx, play), func(all []deployer.Sight) error { return s.print(l.p, all) })
}

func (s *sightings) print(p *program, all []deployer.Sight) error {
	rows := [][]string{{"  #", "INSTANCE", "SERVICE", "SHIP", "CONTAINER", p.paint(plain, "STATUS"), "ADDRESS"}}
	for n, i := range all {
		ship := string(i.Ship)
		if s.hosts {
			ship += " (" + i.Address + ")"
		}
		rows = append(rows, []string{
			fmt.Sprintf("%3d", n+1), string(i.Instance), string(i.Service), ship, dash(i.ID[:min(len(i.ID), 12)]),
			p.paint(standingColour(i), i.Text(p.now())), strings.Join(i.URLs, " "),
		})
		if s.order.Full {
			rows = append(rows, s.details(i)...)
		}
	}
	return table(p.stdout, rows)
}

// details are the further lines of an instance.
func (s *sightings) details(i deployer.Sight) [][]string {
	image := dash(i.Image)
	if id := strings.TrimPrefix(i.ImageID, "sha256:"); id != "" {
		image += " (" + id[:min(len(id), 7)] + ")"
	}
	out := [][]string{{"", "  image: " + image}}
	for _, d := range i.Ports {
		line := fmt.Sprintf("  port %s: %d/%s", d.Name, d.Container, d.Protocol)
		if d.Host != 0 {
			line += fmt.Sprintf(" on %d", d.Host)
		}
		switch {
		case d.Open == nil:
		case *d.Open:
			line += ": up"
		default:
			line += ": down"
		}
		out = append(out, []string{"", line})
	}
	return out
}

func standingColour(s deployer.Sight) colour {
	switch {
	case s.Standing == deployer.Up && len(s.Differs) == 0 && !s.Orphan:
		return green
	case s.Standing == deployer.Up:
		return yellow
	}
	return red
}
