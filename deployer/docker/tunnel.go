package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"batuta"
	"batuta/deployer"
)

// tunnel is the way to a ship through SSH. All connections to the ship's
// Engine are channels of one SSH connection, which is made when it is first
// needed and again after it was lost. The Docker command line, which has
// nothing but ssh itself, logs in anew for each connection: with 25 calls at a
// time that is 25 processes on both sides, and more than the logins under way
// that sshd allows by default (10). Channels cost one round trip.
type tunnel struct {
	to     deployer.SSH
	logins flights[*link]

	mu     sync.Mutex
	links  [maxLinks]*link // the first is all there is, unless it gets full
	closed bool
}

// maxLinks bounds the SSH connections where each takes ten of ours at most.
const maxLinks = 10

func newTunnel(to deployer.SSH) *tunnel { return &tunnel{to: to} }

// dial connects to a socket or port as the far machine sees it. A link that
// was lost without notice is made again; one that is full is left aside.
func (t *tunnel) dial(ctx context.Context, network, address string) (net.Conn, error) {
	for n := 0; ; {
		l, known, err := t.link(ctx, n)
		if err != nil {
			return nil, err
		}
		conn, err := l.open(ctx, network, address)
		switch {
		case errors.Is(err, errFull) && n < maxLinks-1:
			n++
		case err == nil, !known || !l.lost():
			return conn, err
		}
	}
}

// link gives the n-th live connection, or logs in. Known tells that it was
// there before, and may have been lost meanwhile.
func (t *tunnel) link(ctx context.Context, n int) (_ *link, known bool, err error) {
	t.mu.Lock()
	live, closed := t.links[n], t.closed
	t.mu.Unlock()
	switch {
	case closed:
		return nil, false, errLetGo()
	case live != nil && !live.lost():
		return live, true, nil
	}
	l, err := t.logins.do(ctx, strconv.Itoa(n), func(ctx context.Context) (*link, error) { return t.login(ctx, n) })
	return l, false, err
}

func errLetGo() error {
	return &batuta.Error{Kind: batuta.Unavailable, Message: "the ship was let go of"}
}

// loginTimeout is how long it may take to connect and to be let in.
const loginTimeout = 20 * time.Second

func (t *tunnel) login(ctx context.Context, n int) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	client, err := login(ctx, t.to)
	if err != nil {
		return nil, err
	}
	l := newLink(client)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		l.close()
		return nil, errLetGo()
	}
	t.links[n] = l
	return l, nil
}

// close ends the connections and waits until nothing of them is left here.
func (t *tunnel) close() {
	t.mu.Lock()
	t.closed = true
	links := t.links
	t.mu.Unlock()
	for _, l := range links {
		if l != nil {
			l.close()
		}
	}
}

// link is one SSH connection.
type link struct {
	client *ssh.Client
	over   chan struct{} // closed when it was lost
	doubt  chan struct{} // somebody waited in vain
	work   sync.WaitGroup

	helpers atomic.Int32 // programs that run on the far machine

	mu     sync.Mutex
	closed bool // no more work begins
}

func newLink(client *ssh.Client) *link {
	l := &link{client: client, over: make(chan struct{}), doubt: make(chan struct{}, 1)}
	l.begin(func() {
		defer close(l.over)
		_ = client.Wait() // it always ends with an error
	})
	l.begin(l.keep)
	return l
}

func (l *link) lost() bool {
	select {
	case <-l.over:
		return true
	default:
		return false
	}
}

// begin has something done that ends with the link, and tells whether it does.
func (l *link) begin(work func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.work.Go(work)
	}
	return !l.closed
}

func (l *link) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	_ = l.client.Close() // it may be lost already
	l.work.Wait()
}

const (
	keepAlive  = 15 * time.Second // between two questions whether the other side is there
	aliveAfter = 5 * time.Second  // how long it may take to say so
)

// keep closes a connection whose other side does not answer any more.
func (l *link) keep() {
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	for {
		select {
		case <-l.over:
			return
		case <-tick.C:
		case <-l.doubt:
		}
		if !l.answers() {
			_ = l.client.Close() // what waits for it learns so
		}
	}
}

func (l *link) answers() bool {
	answered := make(chan error, 1)
	l.begin(func() {
		_, _, err := l.client.SendRequest("keepalive@openssh.com", true, nil)
		answered <- err
	})
	select {
	case err := <-answered:
		return err == nil
	case <-time.After(aliveAfter):
	case <-l.over:
	}
	return false
}

// open connects to a socket or port of the far machine.
func (l *link) open(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := l.client.DialContext(ctx, network, address)
	refusal, refused := errors.AsType[*ssh.OpenChannelError](err)
	switch {
	case err == nil:
		return l.channel(conn)
	case refused && network == "unix":
		return l.help(ctx, address) // sshd does not tell why: the socket may be missing
	case refused:
		return nil, portFault(address, refusal)
	case errors.Is(err, context.DeadlineExceeded):
		select {
		case l.doubt <- struct{}{}:
		default:
		}
	}
	return nil, err
}

func portFault(address string, refusal *ssh.OpenChannelError) error {
	if refusal.Reason == ssh.Prohibited {
		return &batuta.Error{
			Kind: batuta.Denied, Message: "sshd does not forward to " + address,
			Hint: "set AllowTcpForwarding yes in its sshd_config", Err: refusal,
		}
	}
	return &batuta.Error{Kind: batuta.Unavailable, Message: fmt.Sprintf("connect to %s from there", address), Err: errors.New(refusal.Message)}
}

// channel is a connection through a link. Its reads end when it is closed, not
// when the other side has agreed to that.
type channel struct {
	net.Conn
	in *io.PipeReader
}

func (l *link) channel(conn net.Conn) (net.Conn, error) {
	in, out := io.Pipe()
	if !l.begin(func() {
		_, err := io.Copy(out, conn)
		out.CloseWithError(err)
	}) {
		return nil, errors.Join(errLetGo(), conn.Close())
	}
	return &channel{conn, in}, nil
}

// Read gives what came in.
func (c *channel) Read(p []byte) (int, error) { return c.in.Read(p) }

// Close ends the connection on both sides.
func (c *channel) Close() error {
	return errors.Join(c.in.Close(), c.Conn.Close())
}
