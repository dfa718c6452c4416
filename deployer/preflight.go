package deployer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"batuta"
)

// applicable tells why the plan cannot be begun at all, by itself.
func (r *rollout) applicable(ctx context.Context) error {
	if err := r.plan.obstacle(); err != nil {
		if r.fleet.returned(ctx, r.plan) {
			return &batuta.Error{Kind: batuta.Conflict, Message: "a ship that did not answer when the plan was made is back", Hint: "plan again"}
		}
		return cmp.Or(ended(ctx), err)
	}
	if r.plan.want.Scope != r.plan.Scope {
		return &batuta.Error{Kind: batuta.Internal, Message: "a plan that was read from JSON cannot be applied"}
	}
	return nil
}

// preflight makes sure that the plan still fits what runs, and that its ships
// can carry what it brings. Both are found out at once; a plan with nothing to
// do asks no ship what it is.
func (r *rollout) preflight(ctx context.Context) error {
	var unfit []problem
	var asked sync.WaitGroup
	asked.Go(func() { unfit = r.unfit(ctx) })
	have := r.fleet.observe(ctx, r.plan.Scope, r.fleet.answered(r.plan), r.fleet.patience)
	now := r.fleet.Compare(ctx, r.plan.want, have)
	asked.Wait()
	if err := ended(ctx); err != nil {
		return err
	}
	if err := refusal(now, unfit); err != nil {
		return err
	}
	now.Unreachable = append(now.Unreachable, r.plan.Unreachable...)
	if now.Hash() != r.plan.Hash() {
		return &batuta.Error{Kind: batuta.Conflict, Message: "what runs is no longer what the plan was made for", Hint: "plan again"}
	}
	return nil
}

// problem is why a ship cannot carry what the plan brings to it.
type problem struct {
	kind batuta.Kind
	text string
}

// refusal is everything that keeps the plan from being applied, at once.
func refusal(now Plan, unfit []problem) error {
	err := now.obstacle()
	if len(unfit) == 0 {
		return err
	}
	var texts []string
	kind := unfit[0].kind
	if err != nil {
		texts, kind = append(texts, err.Error()), kindOf(err)
	}
	for _, p := range unfit {
		if !slices.Contains(texts, p.text) {
			texts = append(texts, p.text)
		}
	}
	return &batuta.Error{Kind: kind, Message: strings.Join(texts, "; "), Hint: "nothing was touched; mend this and deploy again"}
}

// unfit asks every ship to which the plan brings something what it is and has
// left, and lists what is wrong, in the order of ships.
func (r *rollout) unfit(ctx context.Context) []problem {
	ships := r.plan.shipsOf(func(c Change) bool { return c.want != nil && c.Action != Keep })
	found := make([]*problem, len(ships))
	var all sync.WaitGroup
	for n, name := range ships {
		all.Go(func() {
			facts, err := ask(ctx, r.fleet, name, r.fleet.options.Act, func(ctx context.Context, s Ship) (Facts, error) { return s.Facts(ctx) })
			switch {
			case errors.Is(err, errors.ErrUnsupported):
			case err != nil:
				found[n] = &problem{kindOf(err), fmt.Sprintf("ship %s does not say what it is: %v", name, err)}
			default:
				found[n] = r.fleet.judge(name, facts)
			}
		})
	}
	all.Wait()
	var out []problem
	for _, p := range found {
		if p != nil {
			out = append(out, *p)
		}
	}
	return out
}

// The oldest Docker Engine API that is spoken: that of Docker 20.10.
const (
	oldestAPI = 41
	apiPrefix = "1."
)

// judge tells what keeps a ship from carrying anything more.
func (f *Fleet) judge(name batuta.ShipName, facts Facts) *problem {
	if minor, err := strconv.Atoi(strings.TrimPrefix(facts.API, apiPrefix)); err == nil && strings.HasPrefix(facts.API, apiPrefix) && minor < oldestAPI {
		return &problem{batuta.Conflict, fmt.Sprintf("ship %s speaks API %s, and at least %s%d is needed (Docker 20.10)", name, facts.API, apiPrefix, oldestAPI)}
	}
	if floor := f.options.MinDisk; facts.DiskFree > 0 && facts.DiskFree < floor {
		return &problem{batuta.Unavailable, fmt.Sprintf("ship %s has %d MiB of disk left, and at least %d MiB are needed", name, facts.DiskFree>>20, floor>>20)}
	}
	return nil
}

// shipsOf are the ships of the changes that are meant, sorted: where they
// happen, and where what they take away is.
func (p Plan) shipsOf(meant func(Change) bool) []batuta.ShipName {
	seen := map[batuta.ShipName]bool{}
	var out []batuta.ShipName
	add := func(name batuta.ShipName) {
		if !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	}
	for _, c := range p.Changes {
		if !meant(c) {
			continue
		}
		add(c.Ship)
		for _, k := range c.old {
			add(k.Ship)
		}
	}
	slices.Sort(out)
	return out
}
