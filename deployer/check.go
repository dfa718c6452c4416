package deployer

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"batuta/internal/document"
)

// check is one entry of lifecycle.
type check struct {
	Type     CheckType         `yaml:"type"`
	Port     string            `yaml:"port"` // a name of ports, or a number; empty: the only one
	Path     string            `yaml:"path"`
	Host     string            `yaml:"host"`
	Scheme   string            `yaml:"scheme"`
	Method   string            `yaml:"method"`
	Headers  map[string]string `yaml:"headers"`
	Insecure bool              `yaml:"insecure"`
	Status   int               `yaml:"status"`
	Match    string            `yaml:"match_regex"` // RE2
	Follow   bool              `yaml:"follow"`
	Outside  string            `yaml:"outside"`
	Command  command           `yaml:"command"`
	Stdin    bool              `yaml:"stdin"`
	Attempts *int              `yaml:"attempts"`
	Wait     time.Duration     `yaml:"wait"`
	MaxWait  *time.Duration    `yaml:"max_wait"`
	Timeout  *time.Duration    `yaml:"timeout"`
	Interval *time.Duration    `yaml:"interval"`

	path document.Path
}

// What a check has if its document does not say otherwise.
const (
	defaultMaxWait  = time.Minute
	defaultTimeout  = 5 * time.Second
	defaultInterval = time.Second
	maxMaxWait      = time.Hour
	maxAttempts     = 86400
)

func (c *check) UnmarshalDocument(n document.Node) error {
	type plain check
	c.path = n.Path()
	if err := n.Decode((*plain)(c)); err != nil {
		return err
	}
	for _, err := range c.mistakes() {
		message, hint := explain(err)
		n.Problem(message, hint)
	}
	return nil
}

// mistakes are all that the check lacks or has too much, by its type.
func (c *check) mistakes() (out []error) {
	types, known := checkKeys[c.Type]
	if !known {
		return []error{invalid(fmt.Sprintf("no check of type %q", c.Type), "write type: tcp, http, exec, health, sleep or local")}
	}
	add := func(wrong bool, message, hint string) {
		if wrong {
			out = append(out, invalid(message, hint))
		}
	}
	for _, k := range c.keys() {
		add(k.set && !slices.Contains(types, k.name), fmt.Sprintf("a check of type %s takes no %s", c.Type, k.name), "")
	}
	_, err := regexp.Compile(c.Match)
	add(err != nil, fmt.Sprintf("match_regex: %v", err), "")
	add(slices.Contains(types, "command") && len(c.Command) == 0, fmt.Sprintf("a check of type %s needs a command", c.Type), commandHint[c.Type])
	add(c.Type == CheckSleep && (c.Wait <= 0 || c.Wait > maxMaxWait), fmt.Sprintf("a check of type sleep needs a wait above 0 and at most %s", maxMaxWait), "add wait: 10s")
	add(c.Path != "" && !strings.HasPrefix(c.Path, "/"), fmt.Sprintf("%q is not a path", c.Path), "begin it with /")
	add(c.Scheme != "" && c.Scheme != "http" && c.Scheme != "https", fmt.Sprintf("%q is not a scheme", c.Scheme), "write http or https")
	add(!methodForm.MatchString(c.Method), fmt.Sprintf("%q is not a method", c.Method), "write GET, HEAD or POST")
	add(c.Status != 0 && (c.Status < 100 || c.Status > 599), fmt.Sprintf("%d is not a status", c.Status), "leave it out for 200 to 399")
	add(c.Attempts != nil && (*c.Attempts < 1 || *c.Attempts > maxAttempts), fmt.Sprintf("attempts is %d", or(c.Attempts, 0)),
		fmt.Sprintf("write 1 to %d, or leave it out: max_wait bounds them, too", maxAttempts))
	for i, d := range []*time.Duration{c.MaxWait, c.Timeout, c.Interval} {
		add(d != nil && (*d <= 0 || *d > maxMaxWait), fmt.Sprintf("%s must be above 0 and at most %s", []string{"max_wait", "timeout", "interval"}[i], maxMaxWait), "")
	}
	return out
}

var methodForm = regexp.MustCompile(`^[A-Z]*$`)

// checkKeys are the keys that a type of checks takes beside its times.
var checkKeys = map[CheckType][]string{
	CheckTCP:    {"port", "outside"},
	CheckHTTP:   {"port", "outside", "path", "host", "scheme", "method", "headers", "insecure", "status", "match_regex", "follow"},
	CheckExec:   {"command", "attempts"},
	CheckLocal:  {"command", "attempts", "stdin"},
	CheckHealth: {},
	CheckSleep:  {"wait"},
}

var commandHint = map[CheckType]string{
	CheckExec:  "add command: …, which runs in the container",
	CheckLocal: "add command: …, which runs where Batuta does",
}

type checkKey struct {
	name string
	set  bool
}

// keys are those that only some types take.
func (c *check) keys() []checkKey {
	return []checkKey{
		{"port", c.Port != ""}, {"path", c.Path != ""}, {"host", c.Host != ""}, {"match_regex", c.Match != ""},
		{"command", c.Command != nil}, {"scheme", c.Scheme != ""}, {"method", c.Method != ""}, {"headers", c.Headers != nil},
		{"insecure", c.Insecure}, {"status", c.Status != 0}, {"outside", c.Outside != ""}, {"wait", c.Wait != 0},
		{"follow", c.Follow}, {"stdin", c.Stdin}, {"attempts", c.Attempts != nil},
	}
}

// resolve makes the check concrete for an instance with these ports.
func (c check) resolve(ports []Port) (Check, error) {
	out := Check{
		Type: c.Type, Path: c.Path, Host: c.Host, Match: c.Match, Command: c.Command, Wait: c.Wait,
		Scheme: c.Scheme, Method: c.Method, Headers: c.Headers, Insecure: c.Insecure, Exactly: c.Status, Outside: c.Outside,
		Follow: c.Follow, Stdin: c.Stdin, Attempts: or(c.Attempts, 0),
		MaxWait: or(c.MaxWait, defaultMaxWait), Timeout: or(c.Timeout, defaultTimeout), Interval: or(c.Interval, defaultInterval),
	}
	if c.Type != CheckHTTP && c.Type != CheckTCP {
		return out, nil
	}
	if c.Type == CheckHTTP && c.Path == "" {
		out.Path = "/"
	}
	if c.Outside != "" {
		ports = nil // they are another host's
	}
	var err error
	out.Port, err = c.portOf(ports)
	return out, err
}

// unfit says why a check cannot be made in a state; empty if it can. Before
// its start and after its stop there is no container to look at.
func (c check) unfit(state string) string {
	if state == "running" || state == "pre-stop" || c.Type == "" {
		return ""
	}
	if c.Type == CheckSleep || c.Type == CheckLocal || c.Outside != "" {
		return ""
	}
	return fmt.Sprintf("a check of type %s needs a container that runs, and in %s there is none", c.Type, state)
}

// portOf finds the container's port by name, by number, or as the only one.
func (c check) portOf(ports []Port) (int, error) {
	var names []string
	for _, p := range ports {
		if p.Protocol != "tcp" {
			continue
		}
		if p.Name == c.Port || c.Port == "" && len(ports) == 1 {
			return p.Container, nil
		}
		names = append(names, p.Name)
	}
	if c.Port == "" {
		return 0, invalid("the check does not say which port", "add port: with a name of ports, or a number"+known(names))
	}
	if n, err := strconv.Atoi(c.Port); err == nil && n >= 1 && n <= 65535 {
		return n, nil
	}
	return 0, invalid(fmt.Sprintf("no tcp port %q", c.Port), document.Suggest(c.Port, names))
}

func known(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "; known here: " + strings.Join(names, ", ")
}

// or is what p points to, or otherwise.
func or[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}
