package maestro

import (
	"encoding/base64"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"batuta/deployer"
	"batuta/internal/document"
)

// The states of an instance that have checks.
const (
	preStart = "pre-start"
	running  = "running"
	preStop  = "pre-stop"
	stopped  = "stopped"
)

var states = []string{preStart, running, preStop, stopped}

// What a check has if the document does not say otherwise.
const (
	attempts       = 180 // a second apart
	httpWait       = 300 * time.Second
	tcpTimeout     = time.Second
	httpTimeout    = 30 * time.Second // MaestroNG has none
	commandTimeout = time.Hour        // MaestroNG has none
	checkInterval  = time.Second
)

// check is one entry of a state's checks: all that does not depend on a ship.
type check struct {
	at      *value
	port    *port  // of tcp, and of http if it names one; nil: Port is of the ship
	host    string // of http: where to ask instead of the instance
	defined deployer.Check
}

// lifecycle reads the service's checks, then the instance's own. Each instance
// has a list of its own.
func (r *reader) lifecycle(i *instance, service, own *value) map[string][]check {
	out := map[string][]check{}
	for _, from := range []*value{service, own} {
		r.each(from, func(state string, key, list *value) {
			if !slices.Contains(states, state) {
				r.warn(key, fmt.Sprintf("MaestroNG knows no state %q, and never runs its checks", state), document.Suggest(state, states))
			}
			for _, v := range r.list(list) {
				if c, ok := r.check(i, state, v); ok {
					out[state] = append(out[state], c)
				}
			}
		})
	}
	return out
}

var checkKeys = map[string][]string{
	"tcp":   {"type", "port", "max_wait"},
	"http":  {"type", "port", "host", "path", "scheme", "method", "match_regex", "max_wait", "requests_options"},
	"exec":  {"type", "command", "cmd", "attempts", "envfrom"},
	"rexec": {"type", "command", "cmd", "attempts"},
	"sleep": {"type", "wait"},
}

func (r *reader) check(i *instance, state string, v *value) (check, bool) {
	if v.kind != dict {
		r.problem(v, "want a check, have "+v.kind.String(), "write {type: tcp, port: NAME}")
		return check{}, false
	}
	c := check{at: v, defined: deployer.Check{Interval: checkInterval}}
	kind := r.needed(v, "type", "write type: tcp, http, exec, rexec or sleep")
	if keys, known := checkKeys[kind]; known {
		r.known(v, keys, map[string]string{"delay": "the attempts are a second apart", "timeout": "write requests_options: {timeout: SECONDS}"})
	} else if kind != "" {
		r.problem(v.get("type"), fmt.Sprintf("no check of type %q", kind), "write tcp, http, exec, rexec or sleep")
	}
	switch kind {
	case "tcp":
		c.defined.Type, c.defined.Timeout = deployer.CheckTCP, tcpTimeout
		c.defined.MaxWait = r.wait(v.get("max_wait"), attempts*time.Second)
		return c, r.tcp(&c, i, v)
	case "http":
		c.defined.Type, c.defined.Timeout = deployer.CheckHTTP, httpTimeout
		c.defined.MaxWait = r.wait(v.get("max_wait"), httpWait)
		return c, r.http(&c, i, v)
	case "exec", "rexec":
		return c, r.exec(&c, kind, state, v)
	case "sleep":
		c.defined.Type, c.defined.Wait = deployer.CheckSleep, r.seconds(v.get("wait"), 0)
		c.defined.MaxWait, c.defined.Timeout = c.defined.Wait+time.Second, c.defined.Wait+time.Second
		if v.get("wait").isNull() {
			r.problem(v, "wait is missing", "write wait: and a number of seconds")
		}
		return c, true
	}
	return c, false
}

// wait is how long a check may take; 0 is as good as nothing.
func (r *reader) wait(v *value, otherwise time.Duration) time.Duration {
	if d := r.seconds(v, otherwise); d > 0 {
		return d
	}
	return otherwise
}

func (r *reader) tcp(c *check, i *instance, v *value) bool {
	name := r.needed(v, "port", "write port: and a name of ports")
	return name != "" && r.named(c, i, v.get("port"), name)
}

// named finds the port that a check names.
func (r *reader) named(c *check, i *instance, at *value, name string) bool {
	var known []string
	for n, p := range i.ports {
		if p.name != name {
			known = append(known, p.name)
			continue
		}
		if p.exposed.protocol != "tcp" {
			r.problem(at, fmt.Sprintf("port %s is not TCP", name), "")
			return false
		}
		c.port = &i.ports[n]
		return true
	}
	r.problem(at, fmt.Sprintf("%s has no port %q", i.name, name), document.Suggest(name, known))
	return false
}

func (r *reader) http(c *check, i *instance, v *value) bool {
	d := &c.defined
	at := v.get("port")
	name := r.needed(v, "port", "write port: and a name of ports, or a number")
	if n, err := strconv.Atoi(name); err == nil && !slices.ContainsFunc(i.ports, func(p port) bool { return p.name == name }) {
		if d.Port = n; n < 1 || n > 65535 {
			r.problem(at, fmt.Sprintf("port %d does not exist", n), "ports are 1 to 65535")
			return false
		}
	} else if name == "" || !r.named(c, i, at, name) {
		return false
	}
	c.host = r.text(v.get("host"))
	d.Path = "/" + strings.TrimPrefix(r.text(v.get("path")), "/")
	d.Method = strings.ToUpper(r.text(v.get("method")))
	switch d.Scheme = r.text(v.get("scheme")); d.Scheme {
	case "http":
		d.Scheme = ""
	case "", "https":
	default:
		r.problem(v.get("scheme"), fmt.Sprintf("no scheme %q", d.Scheme), "write http or https")
	}
	d.Follow = true
	if expression := r.text(v.get("match_regex")); expression == "" {
		d.Exactly = 200
	} else {
		d.Any, d.Match = true, "(?s)"+expression
		if _, err := regexp.Compile(d.Match); err != nil {
			r.problem(v.get("match_regex"), fmt.Sprintf("not an expression of RE2: %v", err), "Python's look-around and back-references are not there")
		}
	}
	r.requestsOptions(d, v.get("requests_options"))
	return true
}

// requestsOptions reads what MaestroNG hands on to Python's requests.
func (r *reader) requestsOptions(d *deployer.Check, v *value) {
	if !r.dict(v) {
		return
	}
	r.known(v, []string{"verify", "headers", "auth", "timeout"}, nil)
	if verify := v.get("verify"); verify != nil {
		if verify.kind == text {
			r.warn(verify, "a file of certificates is not read for a check", "write verify: false, or leave it out to use the system's")
		} else {
			d.Insecure = !r.flag(verify)
		}
	}
	if timeout := v.get("timeout"); timeout != nil {
		d.Timeout = r.wait(timeout, httpTimeout)
	}
	d.Headers = map[string]string{}
	r.each(v.get("headers"), func(name string, _, w *value) {
		if strings.EqualFold(name, "host") {
			d.Host = r.text(w)
		} else {
			d.Headers[name] = r.text(w)
		}
	})
	if auth := r.list(v.get("auth")); len(auth) == 2 {
		d.Headers["Authorization"] = "Basic " + base64.StdEncoding.EncodeToString([]byte(r.text(auth[0])+":"+r.text(auth[1])))
	} else if len(auth) > 0 {
		r.problem(v.get("auth"), "want a user and a password", "write auth: [USER, PASSWORD]")
	}
	if len(d.Headers) == 0 {
		d.Headers = nil
	}
}

// exec reads a command, which runs where Batuta does, or inside the container.
func (r *reader) exec(c *check, kind, state string, v *value) bool {
	d := &c.defined
	line := v.get("command")
	if old := v.get("cmd"); line == nil && old != nil {
		r.warn(old, "MaestroNG fails here, as it does not read cmd", "write command")
		line = old
	}
	if line.isNull() {
		r.problem(v, "command is missing", "write command: and what has to exit 0")
		return false
	}
	d.Type = deployer.CheckLocal
	if kind == "rexec" {
		if d.Type = deployer.CheckExec; state == preStart {
			r.warn(v, "there is no container yet to run the command in", "write type: exec to run it where Batuta runs")
		}
	}
	d.Command = r.words(line)
	if len(d.Command) == 0 {
		r.problem(line, "the command is empty", "")
		return false
	}
	if d.Attempts = int(r.number(v.get("attempts"), 0, maxSeconds, attempts)); d.Attempts == 0 {
		d.Attempts = attempts
	}
	d.MaxWait, d.Timeout = commandTimeout, commandTimeout
	switch from := r.text(v.get("envfrom")); from {
	case "", "env":
	case "stdin":
		d.Stdin = true
	default:
		r.problem(v.get("envfrom"), fmt.Sprintf("no place %q to take the environment from", from), "write env or stdin")
	}
	return true
}

// resolve makes the check concrete on the instance's ship. A port is asked at
// the container's own address, as docker-proxy takes connections for
// applications that do not listen yet. Before there is a container, after it
// has stopped, and for a host that the document names, MaestroNG's way is the
// only one: through the ship.
func (c check) resolve(i *instance, state, address string) deployer.Check {
	d := c.defined
	if d.Type != deployer.CheckTCP && d.Type != deployer.CheckHTTP {
		return d
	}
	external, inside := d.Port, 0
	if p := c.port; p != nil {
		external, inside = p.external.from, p.exposed.from
	} else {
		for _, p := range i.ports {
			if p.external.from == d.Port && p.exposed.protocol == "tcp" {
				inside = p.exposed.from
			}
		}
	}
	if i.settings.NetworkMode == "host" {
		inside = external
	}
	if d.Port = inside; c.host != "" || state == preStart || state == stopped || inside == 0 {
		d.Port, d.Outside = external, c.host
		if d.Outside == "" {
			d.Outside = address
		}
	} else if d.Type == deployer.CheckHTTP && d.Host == "" {
		d.Host = address
		if standard := map[string]int{"": 80, "https": 443}[d.Scheme]; external != standard {
			d.Host = net.JoinHostPort(address, strconv.Itoa(external))
		}
	}
	return d
}
