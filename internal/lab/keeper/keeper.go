// Package keeper starts, owns and takes down the parts of the test lab. It
// runs as a process of its own, as root, and serves package lab over a unix
// socket; each connection is one user of the lab.
//
// Everything it makes can be told by name: files below lab.StateDir and
// DataDir, processes that have these in their command line or as their root,
// namespaces batuta-*, links btl-* and the bridge. So what a killed keeper
// left is found and cleared by the next one in the same way as this one's own
// (see sweep).
package keeper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"sync"
	"syscall"
	"time"

	"batuta/internal/lab"
)

// DataDir holds what the lab's daemons store: images, containers, caches of
// builds. It goes with the lab.
const DataDir = "/var/lib/batuta-lab"

// linger is how long the lab stays up for its next user: go test may have to
// compile the next package first.
const linger = time.Minute

// keeper holds the parts and counts their users.
type keeper struct {
	listener net.Listener
	bases    *registry
	machine  part[*engine]
	fetching sync.Mutex // held to put images on machine
	buildkit part[string]
	ships    *fleet

	mu       sync.Mutex
	users    int
	linger   time.Duration
	lastGone *time.Timer
}

// Run serves the lab until it has had no user for a minute or ctx ends, and
// then takes it down. If another keeper serves already, it returns nil at
// once; if another one is taking the lab down, it first waits for that.
func Run(ctx context.Context) (err error) {
	lock, err := takeLock(ctx)
	if lock == nil {
		return err
	}
	defer lock.Close()
	if err := sweep(ctx); err != nil {
		return fmt.Errorf("clear what an earlier lab left: %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = errors.Join(err, sweep(ctx))
	}()
	k, err := open(ctx)
	if err != nil {
		return err
	}
	k.serve(ctx)
	return errors.Join(k.leaveMachine(ctx), k.bases.close())
}

// takeLock makes this the only keeper. It gives nil if another one serves.
func takeLock(ctx context.Context) (*os.File, error) {
	f, err := os.OpenFile(lab.Lock, os.O_CREATE|os.O_RDONLY, 0o644)
	if err != nil {
		return nil, err
	}
	var served bool
	err = lab.Eventually(ctx, time.Minute, func() error {
		locked := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if locked == nil {
			return nil
		}
		conn, err := net.Dial("unix", lab.Socket) //nolint:noctx // a local socket answers or refuses at once
		if err != nil {
			return fmt.Errorf("another keeper holds %s, and does not answer: %w", lab.Lock, locked)
		}
		served = true
		return conn.Close()
	})
	if served || err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// open makes what every part needs, and takes connections.
func open(ctx context.Context) (*keeper, error) {
	for _, dir := range []string{lab.StateDir, DataDir} {
		if err := os.MkdirAll(dir, 0o711); err != nil {
			return nil, err
		}
	}
	if err := addBridge(ctx); err != nil {
		return nil, err
	}
	bases, err := openRegistry(ctx)
	if err != nil {
		return nil, err
	}
	if err := logTo(lab.Log); err != nil {
		return nil, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "unix", lab.Socket)
	if err != nil {
		return nil, err
	}
	return &keeper{listener: listener, bases: bases, ships: newFleet(bases.address.Bridge), linger: linger}, handOver(lab.Socket)
}

// logTo sends what this process says to a file: the one who started it does
// not wait for more.
func logTo(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return errors.Join(syscall.Dup3(int(f.Fd()), syscall.Stdout, 0), syscall.Dup3(int(f.Fd()), syscall.Stderr, 0))
}

// serve takes users until the listener is closed, and waits for them to end.
func (k *keeper) serve(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = k.listener.Close() })() // closed already, if users were few
	k.lastGone = time.AfterFunc(k.linger, k.retire)
	var users sync.WaitGroup
	defer users.Wait()
	for {
		conn, err := k.listener.Accept()
		if err != nil {
			return
		}
		k.come()
		users.Go(func() {
			defer k.leave()
			k.attend(ctx, conn)
		})
	}
}

// attend serves one connection until it is closed, by the user or by ctx.
func (k *keeper) attend(ctx context.Context, conn net.Conn) {
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	s := &session{ctx: ctx, keeper: k}
	defer s.end()
	server := rpc.NewServer()
	if err := server.RegisterName("Lab", s); err != nil {
		panic(err) // a method of session has the wrong shape
	}
	server.ServeConn(conn)
}

func (k *keeper) come() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.users++
	k.lastGone.Stop()
}

func (k *keeper) leave() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.users--
	if k.users == 0 {
		k.lastGone.Reset(k.linger)
	}
}

// hurry has the lab go down as soon as its users have left; it gives how many
// there are.
func (k *keeper) hurry() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.users == 1 {
		k.linger = 0
	}
	return k.users
}

// retire stops taking users, if there are none.
func (k *keeper) retire() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.users == 0 {
		_ = k.listener.Close() // nobody is left to tell
	}
}
