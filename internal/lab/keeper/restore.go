package keeper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"batuta/internal/lab"
	"batuta/internal/lab/host"
)

// A Docker Engine leaves its socket behind when it is killed, and its rules
// and bridges in the machine's network always. The lab notes how the network
// was before it starts one, in files, so that a later keeper can restore it
// too.
const (
	noteDir    = lab.StateDir + "/network-before"
	forwarding = "/proc/sys/net/ipv4/ip_forward"
)

// dockerBridge is what an Engine calls its bridges.
var dockerBridge = regexp.MustCompile(`^(docker0|docker_gwbridge|br-[0-9a-f]{12})$`)

// noteMachine notes how the network is, unless an Engine that has died since
// was started after it was noted.
func noteMachine(ctx context.Context) error {
	if _, err := os.Stat(noteDir); err == nil {
		return nil
	}
	if err := os.MkdirAll(noteDir, 0o700); err != nil {
		return err
	}
	forward, err := os.ReadFile(forwarding)
	if err != nil {
		return err
	}
	links, err := names(ctx, "ip -o -br link show")
	if err != nil {
		return err
	}
	notes := map[string]string{"ip_forward": string(forward), "links": strings.Join(links, "\n")}
	for _, tables := range []string{"iptables", "ip6tables"} {
		if notes[tables], err = host.Output(ctx, tables+"-save"); err != nil {
			return err
		}
	}
	for file, text := range notes {
		if err := os.WriteFile(filepath.Join(noteDir, file), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// restoreMachine takes away what came since noteMachine, if that was called.
func restoreMachine(ctx context.Context) error {
	before, err := os.ReadFile(filepath.Join(noteDir, "links"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(
		removeBridges(ctx, strings.Fields(string(before))),
		restoreForwarding(),
		restoreRules(ctx, "iptables"),
		restoreRules(ctx, "ip6tables"),
		ignoreMissing(os.Remove(machineSocket)),
		os.RemoveAll(noteDir),
	)
}

// removeBridges removes an Engine's bridges, except those that were there
// before.
func removeBridges(ctx context.Context, before []string) error {
	links, err := names(ctx, "ip -o -br link show")
	for _, link := range links {
		if dockerBridge.MatchString(link) && !slices.Contains(before, link) {
			err = errors.Join(err, inOrder(ctx, "ip link del "+link))
		}
	}
	return err
}

func restoreForwarding() error {
	before, err := os.ReadFile(filepath.Join(noteDir, "ip_forward"))
	if err != nil {
		return err
	}
	return os.WriteFile(forwarding, before, 0o600)
}

// restoreRules removes the rules and chains that were added to a packet
// filter, and resets its policies.
func restoreRules(ctx context.Context, tables string) error {
	before, err := os.ReadFile(filepath.Join(noteDir, tables))
	if err != nil {
		return err
	}
	now, err := host.Output(ctx, tables+"-save")
	if err != nil {
		return err
	}
	undo := undoRules(string(before), now)
	cmd := exec.CommandContext(ctx, tables+"-restore", "--noflush", "--wait")
	cmd.Stdin = strings.NewReader(undo)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s\n%s", cmd, err, out, undo)
	}
	return nil
}

// undoRules makes the input for iptables-restore that leads from one output of
// iptables-save back to an earlier one, as far as rules were added, chains
// were added, and policies of built-in chains were changed.
func undoRules(before, now string) string {
	was := parseRules(before)
	var undo strings.Builder
	for _, table := range parseRules(now) {
		old := was.table(table.name)
		fmt.Fprintf(&undo, "*%s\n", table.name)
		for _, rule := range table.rules {
			if !slices.Contains(old.rules, rule) {
				undo.WriteString(strings.Replace(rule, "-A", "-D", 1) + "\n")
			}
		}
		for _, chain := range table.chains {
			switch policy, known := old.policy(chain.name); {
			case chain.policy == "-" && !known:
				fmt.Fprintf(&undo, "-X %s\n", chain.name)
			case chain.policy != "-" && !known:
				fmt.Fprintf(&undo, "-P %s ACCEPT\n", chain.name) // the table had not been used
			case policy != chain.policy:
				fmt.Fprintf(&undo, "-P %s %s\n", chain.name, policy)
			}
		}
		undo.WriteString("COMMIT\n")
	}
	return undo.String()
}

func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
