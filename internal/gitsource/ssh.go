package gitsource

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"batuta"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"golang.org/x/crypto/ssh"
)

var (
	errRefused     = errors.New("the server did not take the key")
	errUnknownHost = errors.New("unknown host key")
)

// sshSession is a conversation with git-upload-pack on another machine. go-git
// has one of its own, but no way to give up while it connects.
type sshSession struct {
	client     *ssh.Client
	stop       func() bool // stop listening to the context
	in         io.WriteCloser
	out        io.Reader
	complaints *bytes.Buffer
	ended      chan struct{} // once the command has ended
}

// dialSSH connects and starts git-upload-pack. Everything ends with ctx.
func dialSSH(ctx context.Context, at *transport.Endpoint, c Credentials) (*sshSession, error) {
	address := net.JoinHostPort(at.Host, strconv.Itoa(cmp.Or(at.Port, gitssh.DefaultPort)))
	config, verified, err := clientConfig(at, address, c)
	if err != nil {
		return nil, err
	}
	const patience = 30 * time.Second // to connect and authenticate
	conn, err := (&net.Dialer{Timeout: patience}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	giveUp := func(err error) (*sshSession, error) {
		stop()
		return nil, errors.Join(err, conn.Close())
	}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return giveUp(err)
	}
	link, channels, requests, err := ssh.NewClientConn(conn, address, config)
	if _, broken := errors.AsType[net.Error](err); err != nil && *verified && !broken {
		return giveUp(fmt.Errorf("%w: %w", errRefused, err))
	} else if err != nil {
		return giveUp(err)
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return giveUp(err)
	}
	s, err := start(ssh.NewClient(link, channels, requests), at.Path)
	if err != nil {
		return giveUp(err)
	}
	s.stop = stop
	return s, nil
}

// clientConfig holds the key and the known hosts; verified is set once the
// server has shown a known host key.
func clientConfig(at *transport.Endpoint, address string, c Credentials) (config *ssh.ClientConfig, verified *bool, err error) {
	invalid := func(message, hint string) error {
		return &batuta.Error{Kind: batuta.Invalid, Message: message, Hint: hint}
	}
	signer, err := ssh.ParsePrivateKey([]byte(c.SSHKey))
	if missing := (*ssh.PassphraseMissingError)(nil); errors.As(err, &missing) {
		return nil, nil, invalid("the SSH key has a passphrase", "make one without for Batuta: ssh-keygen -t ed25519 -N ''")
	} else if err != nil {
		return nil, nil, invalid("there is no SSH key, or it cannot be read", "give the app a private key in server.yml: ssh-keygen -t ed25519 -N ''")
	}
	if strings.TrimSpace(c.KnownHosts) == "" {
		return nil, nil, invalid("no known hosts to tell the server by", "give the app the lines that `ssh-keyscan "+at.Host+"` prints, in server.yml")
	}
	known, algorithms, err := readKnownHosts(c.KnownHosts, address)
	if err != nil {
		return nil, nil, invalid("the known hosts cannot be read", "they must be lines as ssh-keyscan prints them")
	}
	verified = new(bool)
	return &ssh.ClientConfig{
		User:              cmp.Or(at.User, c.User, "git"),
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyAlgorithms: algorithms,
		HostKeyCallback: func(host string, addr net.Addr, key ssh.PublicKey) error {
			if err := known(host, addr, key); err != nil {
				return fmt.Errorf("%w: %w", errUnknownHost, err)
			}
			*verified = true
			return nil
		},
	}, verified, nil
}

// readKnownHosts reads known_hosts lines; the reader only takes a file.
func readKnownHosts(lines, address string) (_ ssh.HostKeyCallback, algorithms []string, err error) {
	f, err := os.CreateTemp("", "known-hosts-*")
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.WriteString(lines)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, nil, err
	}
	known, err := gitssh.NewKnownHostsDb(f.Name())
	if err != nil {
		return nil, nil, err
	}
	return known.HostKeyCallback(), known.HostKeyAlgorithms(address), nil
}

// start runs git-upload-pack at the other end.
func start(client *ssh.Client, path string) (*sshSession, error) {
	command, err := client.NewSession()
	if err != nil {
		return nil, err
	}
	s := &sshSession{client: client, complaints: &bytes.Buffer{}, ended: make(chan struct{})}
	command.Stderr = &limitedWriter{to: s.complaints, left: 2048}
	if s.in, err = command.StdinPipe(); err != nil {
		return nil, err
	}
	if s.out, err = command.StdoutPipe(); err != nil {
		return nil, err
	}
	if err := command.Start(transport.UploadPackServiceName + " " + quote(path)); err != nil {
		return nil, err
	}
	go func() {
		defer close(s.ended)
		command.Wait() //nolint:errcheck // what it wrote tells more than how it ended
	}()
	return s, nil
}

// quote makes s one word for the shell at the other end.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// AdvertisedReferencesContext reads what the server has.
func (s *sshSession) AdvertisedReferencesContext(context.Context) (*packp.AdvRefs, error) {
	has := packp.NewAdvRefs()
	err := has.Decode(s.out)
	switch {
	case errors.Is(err, packp.ErrEmptyInput): // it ended at once, and told stderr why
		<-s.ended
		return nil, fmt.Errorf("%w: %s", transport.ErrRepositoryNotFound, bytes.TrimSpace(s.complaints.Bytes()))
	case errors.Is(err, packp.ErrEmptyAdvRefs), err == nil && has.IsEmpty():
		return nil, transport.ErrEmptyRemoteRepository
	case err != nil:
		return nil, err
	}
	transport.FilterUnsupportedCapabilities(has.Capabilities)
	return has, nil
}

// UploadPack asks for a pack, as go-git's own session does.
func (s *sshSession) UploadPack(_ context.Context, req *packp.UploadPackRequest) (*packp.UploadPackResponse, error) {
	if err := req.UploadRequest.Encode(s.in); err != nil {
		return nil, err
	}
	if err := req.UploadHaves.Encode(s.in, false); err != nil {
		return nil, err
	}
	if err := pktline.NewEncoder(s.in).EncodeString("done\n"); err != nil {
		return nil, err
	}
	answer := packp.NewUploadPackResponse(req)
	if err := answer.Decode(io.NopCloser(s.out)); err != nil {
		return nil, err
	}
	return answer, nil
}

// Close hangs up, and waits for what was started here.
func (s *sshSession) Close() error {
	s.stop()
	err := s.client.Close()
	<-s.ended
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// limitedWriter drops what is too much.
type limitedWriter struct {
	to   io.Writer
	left int
}

// Write takes all, and keeps what fits.
func (l *limitedWriter) Write(p []byte) (int, error) {
	kept := p[:min(len(p), l.left)]
	l.left -= len(kept)
	if _, err := l.to.Write(kept); err != nil {
		return 0, err
	}
	return len(p), nil
}
