package docker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"batuta"
)

// helper is what the far machine is told to run where its sshd forwards no
// sockets: the Docker command line's own helper, once it is sure that this
// will do. The codes tell why it will not.
const helper = `s=%s
[ -S "$s" ] || exit 65
[ -w "$s" ] || exit 66
command -v docker >/dev/null || exit 67
echo ` + helperReady + `
exec docker --host "unix://$s" system dial-stdio`

const (
	helperReady = "batuta: connected"
	maxGreeting = 8 << 10 // what a login may print before
)

// errFull is a link on which no further program can be run: sshd allows ten,
// unless its MaxSessions says otherwise.
var errFull = errors.New("there are too many programs on this connection")

// help connects to a socket of the far machine by means of a program there.
func (l *link) help(ctx context.Context, socket string) (net.Conn, error) {
	session, err := l.session(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := l.runHelper(ctx, session, socket)
	if err != nil {
		l.helpers.Add(-1)
		_ = session.Close() // the cause is more telling
	}
	return conn, err
}

// session is one in which a program runs on the far machine. It counts among
// the helpers until it is closed.
func (l *link) session(ctx context.Context) (*ssh.Session, error) {
	made, failed := make(chan *ssh.Session), make(chan error, 1)
	l.helpers.Add(1)
	l.begin(func() {
		session, err := l.client.NewSession()
		if err != nil {
			failed <- l.refusal(err)
			return
		}
		select {
		case made <- session:
		case <-ctx.Done():
			l.helpers.Add(-1)
			_ = session.Close() // nobody wants it any more
		}
	})
	select {
	case session := <-made:
		return session, nil
	case err := <-failed:
		return nil, err
	case <-l.over:
		return nil, errLost()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// refusal is why no session could be had: sshd does not tell that there are
// too many.
func (l *link) refusal(err error) error {
	others := l.helpers.Add(-1) > 0
	if _, refused := errors.AsType[*ssh.OpenChannelError](err); refused && others {
		err = errFull
	}
	return noHelper(err)
}

func errLost() error {
	return &batuta.Error{Kind: batuta.Unavailable, Message: "the connection was lost"}
}

const forwardHint = "set AllowStreamLocalForwarding yes (and no DisableForwarding) in its sshd_config"

func (l *link) runHelper(ctx context.Context, session *ssh.Session, socket string) (net.Conn, error) {
	in, err := session.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := session.StdoutPipe()
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = session.Close() })
	defer stop()
	if err := session.Start("sh -c " + quote(fmt.Sprintf(helper, quote(socket)))); err != nil {
		return nil, err
	}
	from := bufio.NewReader(out)
	err = awaitHelper(from)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, io.EOF):
		return nil, helperFault(session.Wait(), socket)
	case err != nil:
		return nil, noHelper(err)
	}
	return l.channel(&command{session: session, Reader: from, WriteCloser: in, ended: func() { l.helpers.Add(-1) }})
}

func noHelper(err error) error {
	return &batuta.Error{Kind: batuta.Unavailable, Message: "run a program there", Err: err, Hint: forwardHint}
}

// awaitHelper reads up to the helper's word.
func awaitHelper(from *bufio.Reader) error {
	for read := 0; read < maxGreeting; {
		line, err := from.ReadString('\n')
		if err != nil {
			return err
		}
		if strings.TrimSpace(line) == helperReady {
			return nil
		}
		read += len(line)
	}
	return errors.New("it prints other things")
}

func helperFault(err error, socket string) error {
	ended, _ := errors.AsType[*ssh.ExitError](err)
	if ended == nil {
		return noHelper(err)
	}
	switch ended.ExitStatus() {
	case 65:
		return &batuta.Error{
			Kind: batuta.Unavailable, Message: fmt.Sprintf("there is no socket %s", socket),
			Hint: "start Docker there, or write the path of its socket behind the host: ssh://host/path",
		}
	case 66:
		return notPermitted(socket)
	case 67:
		return &batuta.Error{
			Kind: batuta.Unavailable, Message: fmt.Sprintf("nothing answers at the socket %s, or sshd does not forward to it", socket),
			Hint: "see that Docker runs there; " + forwardHint + ", or install Docker's command line",
		}
	}
	return noHelper(err)
}

// quote makes s one word for the shell at the other end.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// command is a connection made of a program's streams.
type command struct {
	session *ssh.Session
	io.Reader
	io.WriteCloser
	ended func()
	once  sync.Once
}

var _ net.Conn = (*command)(nil)

// Close ends the program.
func (c *command) Close() error {
	c.once.Do(c.ended)
	_ = c.WriteCloser.Close() // the session ends it anyway
	if err := c.session.Close(); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// LocalAddr is unknown.
func (c *command) LocalAddr() net.Addr { return &net.UnixAddr{} }

// RemoteAddr is unknown.
func (c *command) RemoteAddr() net.Addr { return &net.UnixAddr{} }

// SetDeadline is not supported, as by SSH's own channels.
func (c *command) SetDeadline(time.Time) error { return errors.ErrUnsupported }

// SetReadDeadline is not supported.
func (c *command) SetReadDeadline(time.Time) error { return errors.ErrUnsupported }

// SetWriteDeadline is not supported.
func (c *command) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }
