package docker

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"

	"batuta/deployer"
)

// maxRedirects is how far a check goes, as Python's requests.
const maxRedirects = 30

// visitor asks for a check's page, and for those that it is sent on to. What
// the container calls itself by the check's Host is asked of the container
// itself, wherever that name leads.
type visitor struct {
	check deployer.Check
	home  string // the container's own host and port
	dial  dialer
}

// client keeps no connection. It connects for as long as ctx lasts: the
// transport's own would let a connection be made after nobody wants it.
func (v *visitor) client(ctx context.Context) *http.Client {
	transport := func(name string) *http.Transport {
		return &http.Transport{
			DialContext: func(_ context.Context, network, address string) (net.Conn, error) {
				return v.connect(ctx, network, address)
			},
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{ServerName: name, InsecureSkipVerify: v.check.Insecure}, //nolint:gosec // if the check says so
		}
	}
	return &http.Client{Transport: ways{home: v.home, own: transport(hostOnly(v.check.Host)), others: transport("")}, CheckRedirect: v.redirected}
}

// connect looks names up here, as a container's network has no resolver for
// who enters it from outside.
func (v *visitor) connect(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil || net.ParseIP(host) != nil {
		return v.dial(ctx, network, address)
	}
	found, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return nil, err
	}
	return v.dial(ctx, network, net.JoinHostPort(found[0], port))
}

// redirected goes on if the check follows. The container's own name leads back
// to it, with all that the check asks with.
func (v *visitor) redirected(req *http.Request, via []*http.Request) error {
	switch {
	case !v.check.Follow:
		return http.ErrUseLastResponse
	case len(via) > maxRedirects:
		return fmt.Errorf("it was sent on %d times", maxRedirects)
	}
	if req.URL.Host == v.check.Host || req.URL.Host == v.home {
		req.URL.Host, req.Host = v.home, cmp.Or(v.check.Host, req.Host)
		for key, value := range v.check.Headers {
			req.Header.Set(key, value)
		}
	}
	return nil
}

// ways has the container prove by TLS that it is the check's host, and others
// that they are who they are called.
type ways struct {
	home        string
	own, others http.RoundTripper
}

// RoundTrip asks the container, or another.
func (w ways) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host == w.home {
		return w.own.RoundTrip(req)
	}
	return w.others.RoundTrip(req)
}

// hostOnly is a host without its port.
func hostOnly(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}
