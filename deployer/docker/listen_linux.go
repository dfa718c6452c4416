package docker

import (
	"context"
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"

	"batuta/deployer"
)

// listeningBeside tells on which ports processes listen in the network of the
// process that answers at a socket of this machine, which may not be the
// network of this process. It cannot if that process is of another machine, or
// of a namespace that is not seen from here.
func listeningBeside(ctx context.Context, socket string) ([]deployer.Port, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return nil, err
	}
	var peer *unix.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) { peer, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil || failed != nil {
		return nil, errors.Join(err, failed)
	}
	if peer.Pid == 0 {
		return nil, errElsewhere
	}
	return listening(fmt.Sprintf("/proc/%d/net", peer.Pid))
}
