package keeper

import "strings"

// ruleset is the output of iptables-save: tables of chains and rules.
type ruleset []table

type table struct {
	name   string
	chains []chain
	rules  []string // -A CHAIN …
}

type chain struct {
	name   string
	policy string // of a built-in chain; - for others
}

// parseRules reads iptables-save's format: *table, :chain policy [counters],
// rules, COMMIT.
func parseRules(saved string) ruleset {
	var set ruleset
	for line := range strings.Lines(saved) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "*"):
			set = append(set, table{name: line[1:]})
		case len(set) == 0:
		case strings.HasPrefix(line, ":"):
			if fields := strings.Fields(line[1:]); len(fields) > 1 {
				set[len(set)-1].chains = append(set[len(set)-1].chains, chain{name: fields[0], policy: fields[1]})
			}
		case strings.HasPrefix(line, "-A"):
			set[len(set)-1].rules = append(set[len(set)-1].rules, line)
		}
	}
	return set
}

// table gives the table of a name; an empty one if there is none.
func (s ruleset) table(name string) table {
	for _, t := range s {
		if t.name == name {
			return t
		}
	}
	return table{name: name}
}

// policy gives a chain's policy, and whether there is such a chain.
func (t table) policy(name string) (string, bool) {
	for _, c := range t.chains {
		if c.name == name {
			return c.policy, true
		}
	}
	return "", false
}
