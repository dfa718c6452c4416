// Package convert turns what other tools read into an environment document of
// the format batuta: 1, for those who come from Compose or MaestroNG. What it
// writes is read by package deployer; what it cannot carry over it says, each
// with its place, so that nothing is lost in silence.
package convert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"batuta"
	"batuta/deployer"
)

// Result is a converted document.
type Result struct {
	Document []byte   // the text of environments/NAME.yml
	Notes    []string // what was not carried over, or has another meaning now; in the order of their places
}

// File converts a MaestroNG or a Compose file, whichever it is: MaestroNG's
// has ships. One that is an environment document already is Invalid.
func File(ctx context.Context, path string, data []byte, env map[string]string) (Result, error) {
	switch {
	case deployer.Ours(data):
		return Result{}, &batuta.Error{Kind: batuta.Invalid, Message: path + " is an environment document of the format batuta: 1 already"}
	case conducted.Match(data):
		return Maestro(path, data, env)
	}
	return Compose(ctx, path, data, env)
}

// conducted finds the key ships at the top level.
var conducted = regexp.MustCompile(`(?m)^["']?ships["']?[ \t]*:`)

// file is the document as it is written. The order of the fields is the order
// of the keys.
type file struct {
	Batuta   int                `yaml:"batuta"`
	Name     string             `yaml:"name,omitempty"`
	Ships    map[string]ship    `yaml:"ships,omitempty"`
	Services map[string]service `yaml:"services"`
}

type ship struct {
	Endpoint string            `yaml:"endpoint,omitempty"`
	Address  string            `yaml:"address,omitempty"`
	Labels   map[string]string `yaml:"labels,omitempty"`
	TLS      map[string]any    `yaml:"tls,omitempty,flow"`
	SSH      map[string]any    `yaml:"ssh,omitempty,flow"`
	Timeout  string            `yaml:"timeout,omitempty"`
}

// service is a service, or with Ship one of its instances.
type service struct {
	Ship      string             `yaml:"ship,omitempty"`
	Image     string             `yaml:"image,omitempty"`
	Build     string             `yaml:"build,omitempty"`
	Count     any                `yaml:"count,omitempty"` // a number, or each
	On        map[string]string  `yaml:"on,omitempty,flow"`
	Spread    string             `yaml:"spread,omitempty"`
	Instances map[string]service `yaml:"instances,omitempty"`
	Requires  []string           `yaml:"requires,omitempty,flow"`
	WantsInfo []string           `yaml:"wants_info,omitempty,flow"`
	Omit      bool               `yaml:"omit,omitempty"`

	Entrypoint  []string           `yaml:"entrypoint,omitempty,flow"`
	Command     []string           `yaml:"command,omitempty,flow"`
	Env         map[string]*string `yaml:"env,omitempty"`
	Secrets     map[string]secret  `yaml:"secrets,omitempty"`
	Ports       map[string]any     `yaml:"ports,omitempty"`
	Volumes     map[string]any     `yaml:"volumes,omitempty"`
	Lifecycle   map[string][]check `yaml:"lifecycle,omitempty"`
	Healthcheck *healthcheck       `yaml:"healthcheck,omitempty"`
	Restart     string             `yaml:"restart,omitempty"`
	StopTimeout string             `yaml:"stop_timeout,omitempty"`
	StopSignal  string             `yaml:"stop_signal,omitempty"`
	Update      map[string]any     `yaml:"update,omitempty,flow"`

	User             string                    `yaml:"user,omitempty"`
	Workdir          string                    `yaml:"workdir,omitempty"`
	Hostname         string                    `yaml:"hostname,omitempty"`
	Labels           map[string]string         `yaml:"labels,omitempty"`
	Net              string                    `yaml:"net,omitempty"`
	Aliases          []string                  `yaml:"aliases,omitempty,flow"`
	Networks         map[string]map[string]any `yaml:"networks,omitempty,flow"`
	Links            map[string]string         `yaml:"links,omitempty,flow"`
	ExtraHosts       map[string]any            `yaml:"extra_hosts,omitempty"`
	DNS              []string                  `yaml:"dns,omitempty,flow"`
	Privileged       bool                      `yaml:"privileged,omitempty"`
	CapAdd           []string                  `yaml:"cap_add,omitempty,flow"`
	CapDrop          []string                  `yaml:"cap_drop,omitempty,flow"`
	SecurityOpt      []string                  `yaml:"security_opt,omitempty,flow"`
	Limits           map[string]any            `yaml:"limits,omitempty,flow"`
	Ulimits          map[string]any            `yaml:"ulimits,omitempty,flow"`
	LogDriver        string                    `yaml:"log_driver,omitempty"`
	LogOptions       map[string]string         `yaml:"log_opt,omitempty,flow"`
	Devices          []string                  `yaml:"devices,omitempty"`
	Tmpfs            map[string]string         `yaml:"tmpfs,omitempty"`
	ReadOnly         bool                      `yaml:"read_only,omitempty"`
	Init             bool                      `yaml:"init,omitempty"`
	ShmSize          string                    `yaml:"shm_size,omitempty"`
	Sysctls          map[string]string         `yaml:"sysctls,omitempty"`
	Platform         string                    `yaml:"platform,omitempty"`
	ContainerVolumes []string                  `yaml:"container_volumes,omitempty,flow"`
	VolumesFrom      []string                  `yaml:"volumes_from,omitempty,flow"`
}

type secret struct {
	Target string `yaml:"target"`
	Mode   string `yaml:"mode,omitempty"`
	UID    string `yaml:"uid,omitempty"`
	GID    string `yaml:"gid,omitempty"`
}

// check is one entry of a lifecycle state.
type check map[string]any

type healthcheck struct {
	Test        []string `yaml:"test,omitempty,flow"`
	Interval    string   `yaml:"interval,omitempty"`
	Timeout     string   `yaml:"timeout,omitempty"`
	StartPeriod string   `yaml:"start_period,omitempty"`
	Retries     int      `yaml:"retries,omitempty"`
	Disable     bool     `yaml:"disable,omitempty"`
}

// write gives the text of the document.
func (f file) write() ([]byte, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(f); err != nil {
		return nil, fmt.Errorf("write the document: %w", err)
	}
	return b.Bytes(), e.Close()
}

// notes collects what a person has to know.
type notes struct{ list []string }

func (n *notes) say(place, format string, args ...any) {
	n.list = append(n.list, place+": "+fmt.Sprintf(format, args...))
}

// refused says what a document is refused for that could not be written in
// another way: the other tool is content with it.
func (n *notes) refused(path string, f file, text []byte) {
	doc, _ := deployer.Parse(path, text) // Resolve repeats what is wrong
	in := deployer.Input{OwnShips: true, Unpinned: true, Images: map[batuta.ImageName]batuta.Image{}, Secret: func(string) (string, bool) { return "x", true }}
	for _, s := range f.Services {
		in.Images[batuta.ImageName(s.Build)] = batuta.Image{Repository: "built", Digest: batuta.Digest("sha256:" + strings.Repeat("0", 64))}
	}
	for _, s := range doc.Ships() {
		in.Ships = append(in.Ships, deployer.ShipInfo{Name: s.Name, Address: s.Address})
	}
	_, err := doc.Resolve(in)
	problems, _ := errors.AsType[batuta.Problems](err)
	for _, p := range problems {
		hint := ""
		if p.Hint != "" {
			hint = " (" + p.Hint + ")"
		}
		n.say(p.Path, "the document is refused until you mend this: %s%s", p.Message, hint)
	}
}

var nameless = regexp.MustCompile(`[^a-zA-Z0-9_.-]+`)

// plainName makes a name that a document may use.
func plainName(s string) string {
	s = strings.Trim(nameless.ReplaceAllString(s, "-"), "-_.")
	return s[:min(len(s), 63)]
}

// quiet is a value in which nothing is taken for a secret's place.
func quiet(s string) string { return strings.ReplaceAll(s, "${secret:", "$${secret:") }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// bytesText is a size as a document has it: 512m.
func bytesText(n int64) string {
	for _, unit := range []struct {
		size int64
		name string
	}{{1 << 30, "g"}, {1 << 20, "m"}, {1 << 10, "k"}} {
		if n >= unit.size && n%unit.size == 0 {
			return fmt.Sprintf("%d%s", n/unit.size, unit.name)
		}
	}
	return fmt.Sprint(n)
}
