package deployer

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"batuta/internal/document"
)

// check is one entry of lifecycle.running.
type check struct {
	Type     CheckType      `yaml:"type"`
	Port     string         `yaml:"port"` // a name of ports, or a number; empty: the only one
	Path     string         `yaml:"path"`
	Host     string         `yaml:"host"`
	Match    string         `yaml:"match_regex"` // RE2
	Command  command        `yaml:"command"`
	MaxWait  *time.Duration `yaml:"max_wait"`
	Timeout  *time.Duration `yaml:"timeout"`
	Interval *time.Duration `yaml:"interval"`

	path document.Path
}

// What a check has if its document does not say otherwise.
const (
	defaultMaxWait  = time.Minute
	defaultTimeout  = 5 * time.Second
	defaultInterval = time.Second
	maxMaxWait      = time.Hour
)

func (c *check) UnmarshalDocument(n document.Node) error {
	type plain check
	c.path = n.Path()
	if err := n.Decode((*plain)(c)); err != nil {
		return err
	}
	return c.check()
}

// check tells what the check lacks or has too much, by its type.
func (c *check) check() error {
	foreign := map[string]bool{}
	switch c.Type {
	case CheckHTTP:
		foreign["command"] = c.Command != nil
	case CheckTCP, CheckExec:
		foreign["path"], foreign["host"], foreign["match_regex"] = c.Path != "", c.Host != "", c.Match != ""
		foreign["command"] = c.Type == CheckTCP && c.Command != nil
		foreign["port"] = c.Type == CheckExec && c.Port != ""
	default:
		return invalid(fmt.Sprintf("no check of type %q", c.Type), "write type: tcp, http or exec")
	}
	for _, key := range []string{"port", "path", "host", "match_regex", "command"} {
		if foreign[key] {
			return invalid(fmt.Sprintf("a check of type %s takes no %s", c.Type, key), "")
		}
	}
	if c.Type == CheckExec && len(c.Command) == 0 {
		return invalid("a check of type exec needs a command", "add command: …, which runs in the container")
	}
	if c.Path != "" && !strings.HasPrefix(c.Path, "/") {
		return invalid(fmt.Sprintf("%q is not a path", c.Path), "begin it with /")
	}
	if _, err := regexp.Compile(c.Match); err != nil {
		return invalid(fmt.Sprintf("match_regex: %v", err), "")
	}
	return c.checkTimes()
}

func (c *check) checkTimes() error {
	for i, d := range []*time.Duration{c.MaxWait, c.Timeout, c.Interval} {
		if d != nil && (*d <= 0 || *d > maxMaxWait) {
			return invalid(fmt.Sprintf("%s must be above 0 and at most %s", []string{"max_wait", "timeout", "interval"}[i], maxMaxWait), "")
		}
	}
	return nil
}

// resolve makes the check concrete for an instance with these ports.
func (c check) resolve(ports []Port) (Check, error) {
	out := Check{
		Type: c.Type, Path: c.Path, Host: c.Host, Match: c.Match, Command: c.Command,
		MaxWait: or(c.MaxWait, defaultMaxWait), Timeout: or(c.Timeout, defaultTimeout), Interval: or(c.Interval, defaultInterval),
	}
	if c.Type != CheckHTTP && c.Type != CheckTCP {
		return out, nil
	}
	if c.Type == CheckHTTP && c.Path == "" {
		out.Path = "/"
	}
	var err error
	out.Port, err = c.portOf(ports)
	return out, err
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
