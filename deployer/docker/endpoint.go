package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/client"

	"batuta"
	"batuta/deployer"
)

// origin is where a ship's Engine listens, and the way there.
type origin struct {
	network string  // unix or tcp
	address string  // the socket's path, or host:port; as seen from the end of the tunnel
	host    string  // in the URLs of requests
	tunnel  *tunnel // nil: there is a straight way
	unfit   error   // why there is no way at all; nil: there is
}

const (
	defaultSocket = "/var/run/docker.sock"
	endpointForms = "write unix:///path, tcp://host:port or ssh://user@host"
)

// parseEndpoint reads unix:///path, tcp://host:port and ssh://user@host:port,
// which may have the path of a socket, with what else is said of the way.
func parseEndpoint(s string, r deployer.Reach) (origin, error) {
	u, err := url.Parse(s)
	if err != nil {
		return origin{}, badEndpoint(s)
	}
	at := origin{network: "unix", address: u.Path, host: client.DummyHost}
	switch {
	case u.Scheme == "unix" && u.Host == "" && path.IsAbs(u.Path):
	case u.Scheme == "tcp" && u.Hostname() != "" && u.Port() != "" && strings.Trim(u.Path, "/") == "":
		at.network, at.address, at.host = "tcp", u.Host, u.Host
	case u.Scheme == "ssh" && u.Hostname() != "":
		at.address = cmp.Or(strings.TrimSuffix(u.Path, "/"), defaultSocket)
	default:
		return origin{}, badEndpoint(s)
	}
	if r.TLS != nil && u.Scheme != "tcp" {
		return origin{}, invalidEndpoint(s, "only a tcp endpoint has TLS", "remove tls, or write tcp://host:port")
	}
	login, err := loginOf(u, r.SSH)
	if login != nil {
		at.tunnel = newTunnel(*login)
	}
	return at, err
}

// loginOf is where the way to an endpoint leads through SSH; nil if it does
// not.
func loginOf(u *url.URL, given *deployer.SSH) (*deployer.SSH, error) {
	var login deployer.SSH
	if given != nil {
		login = *given
	}
	switch {
	case u.Scheme == "ssh":
		if login.Host != "" || login.Port != 0 {
			return nil, invalidEndpoint(u.String(), "an ssh endpoint says itself which host and port it is", "remove host and port of ssh")
		}
		login.Host, login.User = u.Hostname(), cmp.Or(u.User.Username(), login.User)
		login.Port, _ = strconv.Atoi(u.Port()) // url.Parse takes digits alone
		if _, secret := u.User.Password(); secret {
			return nil, invalidEndpoint(u.Redacted(), "a ship is not reached with a password", "use a key, or an agent")
		}
	case given == nil:
		return nil, nil //nolint:nilnil // there is no login
	case login.Host == "":
		if login.Host = u.Hostname(); login.Host == "" {
			return nil, invalidEndpoint(u.String(), "ssh does not say where to log in", "write host of ssh, or the endpoint ssh://host")
		}
	}
	return &login, nil
}

func badEndpoint(s string) error {
	return &batuta.Error{
		Kind: batuta.Invalid, Message: fmt.Sprintf("%q is not the endpoint of a Docker Engine", s), Hint: endpointForms,
	}
}

func invalidEndpoint(s, why, hint string) error {
	return &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("endpoint %q: %s", s, why), Hint: hint}
}

// local tells whether the Engine's socket is one of this machine.
func (o origin) local() bool { return o.network == "unix" && o.tunnel == nil }

// straight notices within half a minute that the other side has gone.
var straight = net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3}

// dial connects to the Engine.
func (o origin) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if o.unfit != nil {
		return nil, barredBy(o.unfit)
	}
	if o.tunnel != nil {
		conn, err := o.tunnel.dial(ctx, o.network, o.address)
		return conn, barredBy(err)
	}
	conn, err := (&net.Dialer{KeepAliveConfig: straight}).DialContext(ctx, o.network, o.address)
	if errors.Is(err, fs.ErrPermission) {
		return nil, &barred{notPermitted(o.address)}
	}
	return conn, err
}

func notPermitted(socket string) *batuta.Error {
	return &batuta.Error{
		Kind: batuta.Denied, Message: fmt.Sprintf("the socket %s may not be used", socket),
		Hint: "add the user to the group that owns it: usermod -aG docker USER, then log in again",
	}
}

// transport keeps as many connections as a deployment uses at once. The
// environment's HTTP proxies are for other things than ships.
func (o origin) transport(t *deployer.TLS) (*http.Transport, error) {
	secure, err := tlsConfig(t, o.host)
	return &http.Transport{
		TLSClientConfig: secure, MaxIdleConns: idleConns, MaxIdleConnsPerHost: idleConns, IdleConnTimeout: 30 * time.Second,
	}, err
}

const idleConns = 32

// close lets go of the way.
func (o origin) close() {
	if o.tunnel != nil {
		o.tunnel.close()
	}
}

// barred is why no connection could be made. The Docker client replaces some
// errors by others according to what they say: this one says nothing, and
// keeps the cause to itself until the client is done with it.
type barred struct{ cause *batuta.Error }

func (b *barred) Error() string { return "the way to the Engine is barred" }

// barredBy makes a cause of the vocabulary one that the Docker client leaves
// alone.
func barredBy(err error) error {
	if cause, ok := errors.AsType[*batuta.Error](err); ok {
		return &barred{cause}
	}
	return err
}
