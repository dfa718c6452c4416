package docker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// namespace is a container's network namespace.
type namespace struct{ *os.File }

// enter opens the namespace of a container that is a process of this machine:
// the process that has the container's pid also has the container's files, in
// whose paths is its id of 256 bits. All is read through one handle on the
// process, so that a pid that is used again is not mistaken for it.
func enter(t target) (namespace, error) {
	process, err := os.Open(fmt.Sprintf("/proc/%d", t.pid))
	if err != nil {
		return namespace{}, err
	}
	defer process.Close()
	if err := ownsFiles(process, t.id); err != nil {
		return namespace{}, err
	}
	f, err := openAt(process, "ns/net")
	return namespace{f}, err
}

// ownsFiles tells whether the process has the files mounted that Docker gives
// to the container.
func ownsFiles(process *os.File, id string) error {
	mounts, err := openAt(process, "mountinfo")
	if err != nil {
		return err
	}
	defer mounts.Close()
	lines := bufio.NewScanner(mounts)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "/"+id+"/") {
			return nil
		}
	}
	return errors.Join(errElsewhere, lines.Err())
}

func openAt(dir *os.File, name string) (*os.File, error) {
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: dir.Name() + "/" + name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// dial connects from within the namespace. The address must be a number: names
// would be looked up outside.
func (n namespace) dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err = n.join(); err != nil {
			err = errors.Join(errElsewhere, err)
			return
		}
		conn, err = new(net.Dialer).DialContext(ctx, network, address)
	}()
	<-done
	return conn, err
}

// join brings the thread into the namespace. An attempt that is given up may
// close the namespace at any moment: then nothing is joined, and never what
// has got the descriptor's number since.
func (n namespace) join() error {
	held, err := n.SyscallConn()
	if err != nil {
		return err
	}
	var joined error
	if err := held.Control(func(fd uintptr) { joined = unix.Setns(int(fd), unix.CLONE_NEWNET) }); err != nil {
		return err
	}
	return joined
}
