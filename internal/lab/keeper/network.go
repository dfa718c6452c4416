package keeper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"batuta/internal/lab"
	"batuta/internal/lab/host"
)

const (
	bridge     = "batuta-lab0"
	linkPrefix = "btl-"    // the machine's end of a ship's cable
	nsPrefix   = "batuta-" // a ship's network namespace
)

// passes lets the ships see each other: Docker sets the FORWARD policy to
// DROP, and bridged packets go through it.
var passes = []string{"FORWARD", "-i", bridge, "-o", bridge, "-j", "ACCEPT"}

// addBridge makes the lab's network, with the machine in it.
func addBridge(ctx context.Context) error {
	return inOrder(ctx,
		"ip link add "+bridge+" type bridge",
		"ip addr add "+lab.Machine+"/24 dev "+bridge,
		"ip link set "+bridge+" up",
		"iptables -w -I "+strings.Join(passes, " "))
}

// addCable makes a ship's namespace and joins it to the lab's network. The
// hardware address follows from the address, so that nobody remembers the one
// of an earlier ship.
func addCable(ctx context.Context, ship, address string) error {
	ns, link := nsPrefix+ship, linkPrefix+ship
	hardware := net.HardwareAddr(append([]byte{2, 0}, net.ParseIP(address).To4()...)).String()
	return inOrder(ctx,
		"ip netns add "+ns,
		"ip link add "+link+" type veth peer name eth0 address "+hardware+" netns "+ns,
		"ip link set "+link+" master "+bridge+" up",
		"ip -n "+ns+" addr add "+address+"/24 dev eth0",
		"ip -n "+ns+" link set eth0 up",
		"ip -n "+ns+" link set lo up",
		"ip -n "+ns+" route add default via "+lab.Machine)
}

// removeCable undoes addCable, also where that had failed halfway.
func removeCable(ctx context.Context, ship string) error {
	return errors.Join(inOrder(ctx, "ip link del "+linkPrefix+ship), inOrder(ctx, "ip netns del "+nsPrefix+ship))
}

// removeNetwork removes every cable and the bridge, as far as there are any.
func removeNetwork(ctx context.Context) error {
	links, err := names(ctx, "ip -o -br link show")
	if err != nil {
		return err
	}
	for _, link := range links {
		if link == bridge || strings.HasPrefix(link, linkPrefix) {
			if err := inOrder(ctx, "ip link del "+link); err != nil {
				return err
			}
		}
	}
	namespaces, err := names(ctx, "ip netns list")
	if err != nil {
		return err
	}
	for _, ns := range namespaces {
		if strings.HasPrefix(ns, nsPrefix) {
			if err := inOrder(ctx, "ip netns del "+ns); err != nil {
				return err
			}
		}
	}
	for host.Run(ctx, "iptables", append([]string{"-w", "-C"}, passes...)...) == nil {
		if err := inOrder(ctx, "iptables -w -D "+strings.Join(passes, " ")); err != nil {
			return err
		}
	}
	return nil
}

// names gives the first word of each line that a command prints, without the
// peer that ip shows after @.
func names(ctx context.Context, command string) ([]string, error) {
	words := strings.Fields(command)
	out, err := host.Output(ctx, words[0], words[1:]...)
	if err != nil {
		return nil, err
	}
	var found []string
	for line := range strings.Lines(out) {
		if fields := strings.Fields(line); len(fields) > 0 {
			name, _, _ := strings.Cut(fields[0], "@")
			found = append(found, name)
		}
	}
	return found, nil
}

// inOrder runs commands, none of which has a space within a word, until one
// fails.
func inOrder(ctx context.Context, commands ...string) error {
	for _, command := range commands {
		words := strings.Fields(command)
		if err := host.Run(ctx, words[0], words[1:]...); err != nil {
			return fmt.Errorf("set up the network: %w", err)
		}
	}
	return nil
}
