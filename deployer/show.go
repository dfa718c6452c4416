package deployer

import (
	"fmt"
	"slices"
	"strings"

	"batuta"
)

// String is the plan for a person: per service what changes, why and how, in
// the order in which it happens; then what is unavailable meanwhile, and what
// does not answer.
func (p Plan) String() string {
	var b strings.Builder
	for _, c := range p.Commits {
		fmt.Fprintf(&b, "commit %s by %s: %s\n", c.Revision.Short(), c.Author, batuta.Headline(c.Message))
	}
	kept, away, changes := p.sorted()
	for len(changes) > 0 {
		n := slices.IndexFunc(changes, func(c Change) bool { return c.Service != changes[0].Service || c.Wave != changes[0].Wave })
		if n < 0 {
			n = len(changes)
		}
		p.showService(&b, changes[:n])
		changes = changes[n:]
	}
	if len(p.Interrupted) > 0 {
		fmt.Fprintf(&b, "hooks that were interrupted run again, unless they ended well: %d\n", len(p.Interrupted))
	}
	switch {
	case len(away) > 0:
		fmt.Fprintf(&b, "unavailable while it is replaced, %s: %s\n", p.pace(), strings.Join(away, ", "))
	case !p.Empty() && p.blocked() == "":
		b.WriteString("nothing is unavailable meanwhile\n")
	}
	p.showRest(&b, kept)
	return b.String()
}

// sorted parts the changes into the instances that stay, those that are away
// while they are replaced, and all that happens.
func (p Plan) sorted() (kept, away []string, changes []Change) {
	for _, c := range p.Changes {
		if c.Action == Keep {
			kept = append(kept, string(c.Instance))
			continue
		}
		changes = append(changes, c)
		if c.StopFirst != "" {
			away = append(away, string(c.Instance))
		}
	}
	return kept, away, changes
}

// pace tells how many of what stops first are away at once.
func (p Plan) pace() string {
	for _, c := range p.Changes {
		if u := p.Services[c.Service].Update; c.StopFirst != "" && (u.AtOnce != Amount{}) && (u.AtOnce != Amount{N: 1}) {
			return "a batch at a time"
		}
	}
	return "one after the other"
}

// showRest tells what does not change, what is not known and what is in the
// way.
func (p Plan) showRest(b *strings.Builder, kept []string) {
	switch {
	case p.Empty() && len(kept) > 0:
		fmt.Fprintf(b, "nothing to do: %s as declared\n", runs(kept))
	case len(kept) > 0:
		fmt.Fprintf(b, "%s as declared: %s\n", runs(kept), strings.Join(kept, ", "))
	case len(p.Changes) == 0 && len(p.Unreachable) == 0:
		b.WriteString("nothing to do: nothing is declared, nothing runs\n")
	}
	for _, u := range p.Unreachable {
		if len(u.Needed) == 0 {
			fmt.Fprintf(b, "ship %s does not answer, what runs there is left as it is: %s\n", u.Ship, u.Why)
		}
	}
	if why := p.blocked(); why != "" {
		b.WriteString("cannot be applied: " + why + "\n")
	}
}

func runs(instances []string) string {
	if len(instances) == 1 {
		return "1 instance runs"
	}
	return fmt.Sprintf("%d instances run", len(instances))
}

// showService tells what happens to one service. What all its changes have in
// common is said once.
func (p Plan) showService(b *strings.Builder, changes []Change) {
	common := changes[0].Reasons
	for _, c := range changes {
		if !slices.Equal(c.Reasons, common) {
			common = nil
		}
	}
	service := p.Services[changes[0].Service]
	if changes[0].Action == Stop {
		service = Service{}
	}
	fmt.Fprintf(b, "%s: %s", changes[0].Service, tally(changes))
	if len(common) > 0 {
		b.WriteString(": " + strings.Join(common, "; "))
	}
	b.WriteString("\n")
	showHooks(b, hookBefore, service.Hooks.Before)
	if policy := service.Update.String(); policy != "" {
		b.WriteString("  " + policy + "\n")
	}
	for _, c := range changes {
		if len(common) > 0 {
			c.Reasons = nil
		}
		b.WriteString("  " + c.String() + "\n")
	}
	showHooks(b, hookAfter, service.Hooks.After)
	showHooks(b, hookOnFailure, service.Hooks.OnFailure)
}

func showHooks(b *strings.Builder, moment string, hooks []Hook) {
	for _, h := range hooks {
		fmt.Fprintf(b, "  hook %s, once, on %s: %s\n", moment, h.Instance.Ship, commandText(h.Instance.Command))
	}
}

// tally counts the actions: replace 2, start 1.
func tally(changes []Change) string {
	count := map[Action]int{}
	for _, c := range changes {
		count[c.Action]++
	}
	var out []string
	for _, a := range []Action{Start, Replace, Restart, Stop} {
		if count[a] > 0 {
			out = append(out, fmt.Sprintf("%s %d", a, count[a]))
		}
	}
	return strings.Join(out, ", ")
}

// String is the policy for a person; empty if it says nothing.
func (u Update) String() string {
	var out []string
	say := func(is bool, format string, args ...any) {
		if is {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	say(u.Canary != Amount{}, "a canary of %s first, watched for %s", u.Canary, max(u.Watch, canaryWatch))
	say(u.AtOnce != Amount{}, "%s at once", u.AtOnce)
	say(u.Wait > 0, "%s between batches", u.Wait)
	say(u.Watch > 0, "watched for %s before it counts as live", u.Watch)
	say(u.Tolerate != Amount{}, "%s may fail", u.Tolerate)
	say(u.Pause, "a failure is left as it is")
	return strings.Join(out, "; ")
}

// String is one line: web-1 on node1: replace: image 3f2a… → 9b1c….
func (c Change) String() string {
	act := string(c.Action)
	if c.StopFirst != "" {
		act = fmt.Sprintf("stop, then start (%s)", c.StopFirst)
	}
	line := fmt.Sprintf("%s on %s: %s", c.Instance, c.Ship, act)
	if len(c.Reasons) > 0 {
		line += ": " + strings.Join(c.Reasons, "; ")
	}
	return line
}
