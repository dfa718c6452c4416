package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"batuta/deployer"
)

// maxBody is how much of a page a check's expression is matched against.
const maxBody = 1 << 20

// dialer connects from where a check is made.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// attempt makes one attempt at a tcp or http check of what listens at host.
// The error is why it did not pass, for a person.
func attempt(ctx context.Context, dial dialer, host string, c deployer.Check) error {
	if c.Type == deployer.CheckHTTP {
		return get(ctx, dial, host, c)
	}
	conn, err := dial(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(c.Port)))
	if err != nil {
		return reason(err)
	}
	return conn.Close()
}

// get passes if the page is answered with the status that is wanted, and
// matches.
func get(ctx context.Context, dial dialer, host string, c deployer.Check) error {
	match, err := regexp.Compile(c.Match)
	if err != nil {
		return err
	}
	req, err := request(ctx, host, c)
	if err != nil {
		return err
	}
	resp, err := (&visitor{check: c, home: req.URL.Host, dial: dial}).client(ctx).Do(req)
	if err != nil {
		return reason(err)
	}
	defer resp.Body.Close()
	if !c.Passes(resp.StatusCode) {
		return errors.New(resp.Status)
	}
	if c.Match == "" {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return reason(err)
	}
	if !match.Match(body) {
		return fmt.Errorf("%s, but the page does not match %s", resp.Status, c.Match)
	}
	return nil
}

// request is what a check asks. The check's own Host counts more than one
// among its headers.
func request(ctx context.Context, host string, c deployer.Check) (*http.Request, error) {
	page := cmp.Or(c.Scheme, "http") + "://" + net.JoinHostPort(host, strconv.Itoa(c.Port)) + "/" + strings.TrimPrefix(c.Path, "/")
	req, err := http.NewRequestWithContext(ctx, cmp.Or(strings.ToUpper(c.Method), http.MethodGet), page, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "batuta-check")
	for key, value := range c.Headers {
		req.Header.Set(key, value)
	}
	req.Host = cmp.Or(c.Host, req.Header.Get("Host"), req.Host)
	return req, nil
}

// reason leaves out of an error what the check itself says.
func reason(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("no answer in time")
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok && !errors.Is(err, errElsewhere) {
		return errno
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}
