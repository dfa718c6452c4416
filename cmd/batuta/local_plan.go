package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"batuta"
	"batuta/deployer"
)

// plan compares what the document declares, with these images for what it
// builds, with what runs.
func (l *local) plan(ctx context.Context, images map[string]string) (deployer.Plan, error) {
	in, err := l.input()
	if err != nil {
		return deployer.Plan{}, err
	}
	for name, reference := range images {
		image, err := l.pinner([]string{reference}).Pin(ctx, reference)
		if err != nil {
			return deployer.Plan{}, fmt.Errorf("--image %s: %w", name, err)
		}
		in.Images[batuta.ImageName(name)] = image
	}
	draft := in
	draft.Unpinned = true
	if _, err := l.doc.Resolve(draft); err != nil {
		return deployer.Plan{}, err // all that is wrong, before any registry is asked
	}
	references := l.doc.References()
	pinner := l.pinner(references)
	for _, reference := range references {
		image, err := pinner.Pin(ctx, reference)
		if err != nil {
			return deployer.Plan{}, err
		}
		in.Pins[reference] = image
	}
	have := l.fleet.Observe(ctx, l.scope)
	in.Current = have.Containers
	want, err := l.resolved(in)
	if err != nil {
		return deployer.Plan{}, err
	}
	return l.fleet.Compare(ctx, want, have), nil
}

// deploy shows the plan, asks, and applies it.
func (l *local) deploy(ctx context.Context, images map[string]string, yes bool) error {
	plan, err := l.plan(ctx, images)
	if err != nil {
		return err
	}
	fmt.Fprint(l.p.stdout, plan)
	if plan.Empty() {
		return nil
	}
	if !yes {
		if err := l.p.approve(ctx, "Go ahead?"); err != nil {
			return err
		}
	}
	outcome, err := l.fleet.Apply(ctx, plan, func(e deployer.Event) { fmt.Fprintln(l.p.stdout, e) })
	if err != nil {
		return fmt.Errorf("deploy %s: %w (%s)", l.scope.Environment, err, outcome.Status)
	}
	fmt.Fprintln(l.p.stdout, l.p.paint(green, fmt.Sprintf("%s is %s", l.scope.Environment, outcome.Status)))
	return nil
}

// imageFlag adds --image to a command.
func imageFlag(cmd *cobra.Command) *map[string]string {
	images := map[string]string{}
	cmd.Flags().StringToStringVar(&images, "image", nil, "with -f: what build: NAME is, as NAME=REPOSITORY@DIGEST")
	return &images
}
