// Package client asks a Batuta server over its HTTP interface, for the
// command. Its errors have the kinds that they had on the server; a server
// that does not answer is batuta.Unavailable.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"batuta"
	"batuta/internal/api"
	"batuta/pipeline"
)

// headerWait is how long the server may think. Plans ask all ships.
const headerWait = 2 * time.Minute

// Client asks one server as one person.
type Client struct {
	base  string
	token string
	http  *http.Client
}

// New makes a client of the server at address, an http or https URL.
func New(address, token string) (*Client, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("%q is not a server's URL", address), Hint: "write https://host or http://host:port"}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = headerWait
	return &Client{strings.TrimSuffix(address, "/") + api.Prefix, token, &http.Client{Transport: transport}}, nil
}

// Version is which server it is, and who it takes the caller for.
func (c *Client) Version(ctx context.Context) (api.Version, error) {
	return get[api.Version](ctx, c, "/version", nil)
}

// Apps lists the apps that the caller may see.
func (c *Client) Apps(ctx context.Context) ([]api.App, error) {
	return get[[]api.App](ctx, c, "/apps", nil)
}

// Status is what every environment of an app, or of all if app is empty, is
// meant to run and what it runs.
func (c *Client) Status(ctx context.Context, app batuta.AppName) ([]pipeline.EnvironmentStatus, error) {
	return get[[]pipeline.EnvironmentStatus](ctx, c, "/status", query{"app": string(app)})
}

// Runs lists the newest runs of an app (empty: of all), in a status (empty:
// any), without their steps.
func (c *Client) Runs(ctx context.Context, app batuta.AppName, status batuta.RunStatus, limit int) ([]batuta.Run, error) {
	return get[[]batuta.Run](ctx, c, "/runs", query{"app": string(app), "status": string(status), "limit": number(limit)})
}

// Run is one run with its steps.
func (c *Client) Run(ctx context.Context, id batuta.RunID) (batuta.Run, error) {
	return get[batuta.Run](ctx, c, runPath(id, ""), nil)
}

// Start builds and deploys a ref by hand; empty: the default branch. It goes
// to env; empty: to the first environment.
func (c *Client) Start(ctx context.Context, app batuta.AppName, ref string, env batuta.EnvironmentName) (batuta.Run, error) {
	return post[batuta.Run](ctx, c, "/apps/"+url.PathEscape(string(app))+"/runs", api.Start{Ref: ref, Environment: env})
}

// Cancel stops a run, or keeps it from starting.
func (c *Client) Cancel(ctx context.Context, id batuta.RunID) (batuta.Run, error) {
	return post[batuta.Run](ctx, c, runPath(id, "/cancel"), nil)
}

// Approve says yes to the plan of a run that waits for it.
func (c *Client) Approve(ctx context.Context, id batuta.RunID) (batuta.Run, error) {
	return post[batuta.Run](ctx, c, runPath(id, "/approve"), nil)
}

// Rerun does again what an ended run was about, from a step; empty: all.
func (c *Client) Rerun(ctx context.Context, id batuta.RunID, from string) (batuta.Run, error) {
	return post[batuta.Run](ctx, c, runPath(id, "/rerun?from="+url.QueryEscape(from)), nil)
}

// Releases lists the newest releases of an app.
func (c *Client) Releases(ctx context.Context, app batuta.AppName, limit int) ([]batuta.Release, error) {
	return get[[]batuta.Release](ctx, c, "/apps/"+url.PathEscape(string(app))+"/releases", query{"limit": number(limit)})
}

// Deployments lists what was deployed to an environment, newest first.
func (c *Client) Deployments(ctx context.Context, app batuta.AppName, env batuta.EnvironmentName, limit int) ([]batuta.Deployment, error) {
	return get[[]batuta.Deployment](ctx, c, "/apps/"+url.PathEscape(string(app))+"/deployments", query{"environment": string(env), "limit": number(limit)})
}

// Plan is what an order would change.
func (c *Client) Plan(ctx context.Context, app batuta.AppName, env batuta.EnvironmentName, o api.Order) (pipeline.Proposal, error) {
	return post[pipeline.Proposal](ctx, c, environmentPath(app, env)+"/plan", o)
}

// Deploy queues the run that carries out an order. It is a Conflict if the
// plan is no longer the one approved.
func (c *Client) Deploy(ctx context.Context, app batuta.AppName, env batuta.EnvironmentName, o api.Order) (batuta.Run, error) {
	return post[batuta.Run](ctx, c, environmentPath(app, env)+"/deployments", o)
}

// Deliveries lists what the forges delivered to an app, newest first, without
// the payloads.
func (c *Client) Deliveries(ctx context.Context, app batuta.AppName, limit int) ([]batuta.Delivery, error) {
	return get[[]batuta.Delivery](ctx, c, "/apps/"+url.PathEscape(string(app))+"/deliveries", query{"limit": number(limit)})
}

// Delivery is one delivery with its payload.
func (c *Client) Delivery(ctx context.Context, app batuta.AppName, id batuta.DeliveryID) (batuta.Delivery, error) {
	return get[batuta.Delivery](ctx, c, deliveryPath(app, id), nil)
}

// Redeliver starts a run of what a delivery said, once more.
func (c *Client) Redeliver(ctx context.Context, app batuta.AppName, id batuta.DeliveryID) (batuta.Run, error) {
	return post[batuta.Run](ctx, c, deliveryPath(app, id)+"/redeliver", nil)
}

// Why is where what runs in an environment comes from.
func (c *Client) Why(ctx context.Context, app batuta.AppName, env batuta.EnvironmentName) (pipeline.Why, error) {
	return get[pipeline.Why](ctx, c, environmentPath(app, env)+"/why", nil)
}

// Bases is what the images of an app's newest release are built from; empty:
// those of all apps that may be seen.
func (c *Client) Bases(ctx context.Context, app batuta.AppName) ([]pipeline.Foundation, error) {
	return get[[]pipeline.Foundation](ctx, c, "/bases", query{"app": string(app)})
}

// Provenance is how an image of an app came about, with what its builder
// attests.
func (c *Client) Provenance(ctx context.Context, app batuta.AppName, digest batuta.Digest) (pipeline.Build, error) {
	return get[pipeline.Build](ctx, c, "/apps/"+url.PathEscape(string(app))+"/images/"+url.PathEscape(string(digest))+"/provenance", nil)
}

// Audit lists who did what to an app, or to everything, newest first.
func (c *Client) Audit(ctx context.Context, app batuta.AppName, limit int) ([]batuta.Entry, error) {
	return get[[]batuta.Entry](ctx, c, "/audit", query{"app": string(app), "limit": number(limit)})
}

func runPath(id batuta.RunID, rest string) string {
	return fmt.Sprintf("/runs/%d%s", id, rest)
}

func deliveryPath(app batuta.AppName, id batuta.DeliveryID) string {
	return fmt.Sprintf("/apps/%s/deliveries/%d", url.PathEscape(string(app)), id)
}

func environmentPath(app batuta.AppName, env batuta.EnvironmentName) string {
	return "/apps/" + url.PathEscape(string(app)) + "/environments/" + url.PathEscape(string(env))
}

// query is the parameters of a request; empty ones are not sent.
type query map[string]string

func (q query) String() string {
	values := url.Values{}
	for key, value := range q {
		if value != "" {
			values.Set(key, value)
		}
	}
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}

// number is a parameter that is left out if it is zero.
func number[N ~int | ~int64](n N) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(int64(n), 10)
}

func get[T any](ctx context.Context, c *Client, path string, q query) (T, error) {
	return ask[T](ctx, c, http.MethodGet, path+q.String(), nil)
}

func post[T any](ctx context.Context, c *Client, path string, body any) (T, error) {
	return ask[T](ctx, c, http.MethodPost, path, body)
}

// ask sends one request and reads the answer into a T.
func ask[T any](ctx context.Context, c *Client, method, path string, body any) (T, error) {
	var answer T
	r, err := c.send(ctx, method, path, body)
	if err != nil {
		return answer, err
	}
	defer r.Body.Close()
	if err := json.NewDecoder(r.Body).Decode(&answer); err != nil {
		return answer, c.unreachable(ctx, fmt.Errorf("read the answer: %w", err))
	}
	return answer, nil
}

// send gives the answer of a request that succeeded, its body to be closed.
func (c *Client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var text bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&text).Encode(body); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, &text)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	r, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if r.StatusCode >= 300 {
		defer r.Body.Close()
		return nil, api.ReadFailure(r)
	}
	return r, nil
}

// unreachable tells why there was no answer, without the token or the path.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		err = e.Err
	}
	return &batuta.Error{Kind: batuta.Unavailable, Message: "ask " + strings.TrimSuffix(c.base, api.Prefix), Hint: "is the server running, and is this its address?", Err: err}
}
