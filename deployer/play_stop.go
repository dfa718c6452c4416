package deployer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// stop stops the part. It stays, to be started or cleaned.
func (s *scene) stop(ctx context.Context, p *part) (string, error) {
	return s.down(ctx, p, "stopping…", "stopped", s.fleet.stop)
}

// kill ends it without asking it.
func (s *scene) kill(ctx context.Context, p *part) (string, error) {
	return s.down(ctx, p, "killing…", "killed", s.fleet.kill)
}

func (s *scene) down(ctx context.Context, p *part, doing, done string, do func(context.Context, Container) error) (string, error) {
	_, of, err := s.of(ctx, p)
	if err != nil {
		return "", err
	}
	began, ran := time.Now(), false
	for _, c := range of {
		if !c.alive() {
			continue
		}
		ran = true
		s.say(p, "%s", doing)
		if err := do(ctx, c); err != nil {
			return "", err
		}
	}
	switch {
	case ran:
		return fmt.Sprintf("%s in %s", done, time.Since(began).Round(time.Millisecond)), nil
	case len(of) == 0:
		return "absent", nil
	}
	return "down already", nil
}

// clean removes the part's containers that do not run.
func (s *scene) clean(ctx context.Context, p *part) (string, error) {
	_, of, err := s.of(ctx, p)
	switch {
	case err != nil:
		return "", err
	case len(of) == 0:
		return "absent", nil
	}
	removed := 0
	for _, c := range of {
		if c.alive() {
			continue
		}
		s.say(p, "removing…")
		if err := s.fleet.remove(ctx, c); err != nil {
			return "", err
		}
		removed++
	}
	if removed == 0 {
		return "skipped: it runs", nil
	}
	return "removed", nil
}

// pull brings the newest image to the part's ship.
func (s *scene) pull(ctx context.Context, p *part) (string, error) {
	d, err := s.deck(p)
	if err != nil {
		return "", err
	}
	began := time.Now()
	if err := d.image(ctx, p, true); err != nil {
		return "", err
	}
	return "pulled in " + time.Since(began).Round(time.Millisecond).String(), nil
}

// tidy removes the networks that a clean has left nobody in.
func (s *scene) tidy(ctx context.Context) {
	if s.order.Verb != PlayClean {
		return
	}
	for name, d := range s.ships {
		there := slices.ContainsFunc(s.play.parts, func(p *part) bool { return p.Ship == name })
		if have, err := d.containers(ctx); !there || err != nil || slices.ContainsFunc(have, Container.alive) {
			continue
		}
		err := s.fleet.act(ctx, 0, func(ctx context.Context) error { return d.ship.RemoveNetwork(ctx, s.play.spec.Scope) })
		if err != nil {
			s.errs = append(s.errs, fmt.Errorf("clean %s: %w", name, err))
		}
	}
}

// warn tells of what the play's instances require that is not in it and does
// not run.
func (s *scene) warn(ctx context.Context) {
	if s.order.Verb != PlayStart && s.order.Verb != PlayRestart {
		return
	}
	inPlay := map[string]bool{}
	for _, p := range s.play.parts {
		inPlay[string(p.Name)] = true
	}
	for _, i := range s.play.spec.Instances {
		n := slices.IndexFunc(s.play.parts, func(p *part) bool { return s.play.spec.requires(p.Instance, i) })
		if n < 0 || inPlay[string(i.Name)] {
			continue
		}
		p := s.play.parts[n]
		_, of, err := s.of(ctx, &part{Instance: i})
		if c := aliveOf(of); err == nil && c != nil {
			continue
		}
		text := fmt.Sprintf("%s, which %s requires, does not run on %s", i.Name, p.Service, i.Ship)
		if err != nil {
			text = fmt.Sprintf("whether %s runs, which %s requires, cannot be told: %v", i.Name, p.Service, errors.Unwrap(err))
		}
		s.remark(text)
	}
}
