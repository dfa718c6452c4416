package lab

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
)

// line passes on connections to a unix socket, until it is cut.
type line struct {
	listener net.Listener
	to       string
	passing  sync.WaitGroup

	mu    sync.Mutex
	open  map[net.Conn]bool
	isCut bool
}

// newLine passes on what comes to the socket at, to the one at to.
func newLine(ctx context.Context, at, to string) (*line, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "unix", at)
	if err != nil {
		return nil, err
	}
	l := &line{listener: listener, to: to, open: map[net.Conn]bool{}}
	l.passing.Go(l.accept)
	return l, os.Chmod(at, 0o600)
}

// accept ends when the line is closed.
func (l *line) accept() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.passing.Go(func() { l.pass(near) })
	}
}

// pass copies both ways until one end is gone.
func (l *line) pass(near net.Conn) {
	defer near.Close()
	far, err := new(net.Dialer).DialContext(context.Background(), "unix", l.to)
	if err != nil {
		return // as who calls finds out
	}
	defer far.Close()
	if !l.keep(near, far) {
		return
	}
	defer l.forget(near, far)
	var back sync.WaitGroup
	back.Go(func() {
		defer near.Close()
		_, _ = io.Copy(near, far)
	})
	_, _ = io.Copy(far, near)
	_ = far.Close()
	back.Wait()
}

// keep remembers connections that cut is to break; none come to be while the
// line is cut.
func (l *line) keep(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isCut {
		return false
	}
	for _, conn := range conns {
		l.open[conn] = true
	}
	return true
}

func (l *line) forget(conns ...net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range conns {
		delete(l.open, conn)
	}
}

func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isCut = true
	for conn := range l.open {
		_ = conn.Close()
	}
}

func (l *line) heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isCut = false
}

func (l *line) close() {
	_ = l.listener.Close()
	l.cut()
	l.passing.Wait()
}
