package convert

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"batuta"
	"batuta/deployer"
)

// The longest time that a document takes, and what it does not need to say.
const (
	longest         = time.Hour
	defaultMaxWait  = time.Minute
	defaultTimeout  = 5 * time.Second
	defaultInterval = time.Second
)

// lifecycle converts the checks of all states.
func (m *conductor) lifecycle(place string, out *service, i deployer.Instance) {
	states := map[string][]deployer.Check{
		"running": i.Checks, "pre-start": i.Lifecycle.PreStart, "pre-stop": i.Lifecycle.PreStop, "stopped": i.Lifecycle.Stopped,
	}
	for _, state := range sortedKeys(states) {
		for n, c := range states[state] {
			at := fmt.Sprintf("%s.lifecycle.%s.%d", place, state, n)
			if c.Outside != "" {
				instead := "; without outside: it asks the container itself"
				if state == "pre-start" || state == "stopped" {
					instead = ""
				}
				m.say(at, "it asks %s from where Batuta runs, which a server has to allow%s", c.Outside, instead)
			}
			if c.Type == deployer.CheckLocal {
				m.say(at, "it runs where batuta -f runs; on a server it is refused: write it as type: exec, or as a hook")
			}
			if c.Any {
				m.say(at, "any status was right if the page matched; now it has to be 200 to 399")
			}
			put(&out.Lifecycle, state, append(out.Lifecycle[state], m.check(at, i.Ship, c)))
		}
	}
}

func (m *conductor) check(at string, ship batuta.ShipName, c deployer.Check) check {
	out := check{"type": string(c.Type)}
	if address := m.address[ship]; c.Host == address || strings.HasPrefix(c.Host, address+":") {
		c.Host, m.hosts = "", m.hosts || c.Host != ""
	}
	maps.Copy(out, present(map[string]any{
		"port": c.Port, "path": c.Path, "host": c.Host, "match_regex": c.Match, "scheme": c.Scheme, "method": c.Method, "insecure": c.Insecure,
		"status": c.Exactly, "follow": c.Follow, "outside": c.Outside, "stdin": c.Stdin, "attempts": c.Attempts,
	}))
	if len(c.Command) > 0 {
		out["command"] = c.Command
	}
	if len(c.Headers) > 0 {
		out["headers"] = c.Headers
	}
	if c.Type == deployer.CheckSleep {
		if c.Wait == 0 {
			c.Wait = time.Nanosecond // nothing to wait for, which a document cannot say
		}
		out["wait"] = m.bounded(at+".wait", c.Wait)
		return out
	}
	for key, d := range map[string][2]time.Duration{
		"max_wait": {c.MaxWait, defaultMaxWait}, "timeout": {c.Timeout, defaultTimeout}, "interval": {c.Interval, defaultInterval},
	} {
		if d[0] > 0 && d[0] != d[1] {
			out[key] = m.bounded(at+"."+key, d[0])
		}
	}
	return out
}

// bounded is a time as a document has it, which is never more than an hour.
func (n *notes) bounded(at string, d time.Duration) string {
	if d > longest {
		n.say(at, "%s is more than a document takes; it became %s", d, longest)
		d = longest
	}
	return d.String()
}
