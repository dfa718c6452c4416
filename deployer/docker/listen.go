package docker

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"batuta/deployer"
)

// The states of sockets in the kernel's tables, see proc_pid_net(5).
const (
	tcpListens = "0A"
	udpBound   = "07"
)

// listening reads the tables of one network namespace: where its processes
// listen for TCP connections, and where they take UDP packets of anybody. Many
// UDP sockets that are not bound for long are the ends of questions, and so
// only ports below those are told that Linux gives out by itself.
func listening(dir string) ([]deployer.Port, error) {
	var out []deployer.Port
	for table, state := range map[string]string{"tcp": tcpListens, "tcp6": tcpListens, "udp": udpBound, "udp6": udpBound} {
		f, err := os.Open(filepath.Join(dir, table))
		if errors.Is(err, fs.ErrNotExist) {
			continue // no IPv6
		}
		if err != nil {
			return nil, err
		}
		ports, err := readSockets(f, strings.TrimSuffix(table, "6"), state)
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
		out = append(out, ports...)
	}
	slices.SortFunc(out, func(a, b deployer.Port) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(out), nil
}

// firstEphemeral is the first port that Linux gives to who does not say which.
const firstEphemeral = 32768

// readSockets reads a table whose lines after the first begin with
// "0: 0100007F:1F90 00000000:0000 0A": a number, the own address, the other's,
// and the state.
func readSockets(table io.Reader, protocol, state string) ([]deployer.Port, error) {
	var out []deployer.Port
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || fields[3] != state {
			continue
		}
		at, err := socketAddress(fields[1])
		if err != nil {
			return nil, err
		}
		if protocol == "udp" && at.Port() >= firstEphemeral {
			continue
		}
		p := deployer.Port{Host: int(at.Port()), Protocol: protocol}
		if !at.Addr().IsUnspecified() {
			p.Address = at.Addr().Unmap().String()
		}
		out = append(out, p)
	}
	return out, lines.Err()
}

// socketAddress reads 0100007F:1F90, which is 127.0.0.1:8080 where numbers begin
// with their lowest byte: the address is in words of 32 bits of this machine.
func socketAddress(text string) (netip.AddrPort, error) {
	address, port, _ := strings.Cut(text, ":")
	bytes, err := hex.DecodeString(address)
	number, bad := strconv.ParseUint(port, 16, 16)
	if err != nil || bad != nil || len(bytes)%4 != 0 {
		return netip.AddrPort{}, fmt.Errorf("%q is no address of a socket", text)
	}
	for n := 0; n+4 <= len(bytes); n += 4 {
		binary.NativeEndian.PutUint32(bytes[n:], binary.BigEndian.Uint32(bytes[n:]))
	}
	at, ok := netip.AddrFromSlice(bytes)
	if !ok {
		return netip.AddrPort{}, fmt.Errorf("%q is no address of a socket", text)
	}
	return netip.AddrPortFrom(at, uint16(number)), nil
}
