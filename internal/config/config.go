// Package config reads server.yml: where the server listens and keeps its
// data, the ships it may deploy to, the apps it knows, what it grants to each
// of them, and the people who may ask. What an app's repository asks for is
// granted only within what stands here.
//
// Package cmd/batuta turns the result into the parts of a running server.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"batuta"
	"batuta/internal/document"
)

// Config is a server.yml without problems, its defaults filled in.
type Config struct {
	Listen    string                   `yaml:"listen"` // host:port; default 127.0.0.1:8480
	URL       string                   `yaml:"url"`    // how people and forges reach the server, without a slash at the end; default http://<listen>
	Data      string                   `yaml:"data"`   // absolute directory; default /var/lib/batuta
	Registry  Registry                 `yaml:"registry"`
	Builder   string                   `yaml:"builder"`  // docker (the default), or the address of a buildkitd: unix://, tcp://, docker+unix://, docker+tcp://
	Builders  map[string]Builder       `yaml:"builders"` // by name, in the place of Builder
	SBOM      string                   `yaml:"sbom"`     // reference of the image that lists what a built one contains; empty: no list
	Source    Source                   `yaml:"source"`
	Runs      Runs                     `yaml:"runs"`
	Ships     map[batuta.ShipName]Ship `yaml:"ships"`
	Apps      map[batuta.AppName]App   `yaml:"apps"`
	People    map[string]Person        `yaml:"people"`
	Dashboard Dashboard                `yaml:"dashboard"`
	Reconcile Reconcile                `yaml:"reconcile"`
	History   History                  `yaml:"history"`
	Bases     Bases                    `yaml:"bases"`
	Keep      Keep                     `yaml:"keep"`
	Webhooks  Webhooks                 `yaml:"webhooks"`
	Notify    []Listener               `yaml:"notify"`
	Test      Test                     `yaml:"test"`
}

// Bases is how often it is asked what the tags of base images mean now.
type Bases struct {
	Every time.Duration `yaml:"every"` // 1m or more, default 6h; 0: never
}

// Test is where the apps' tests run.
type Test struct {
	Ship   batuta.ShipName `yaml:"ship"`    // empty: the first by name that the app may deploy to
	AtOnce int             `yaml:"at_once"` // tests that run on a ship at the same time; default 4
}

// Reconcile is how often the environments are compared with their releases.
type Reconcile struct {
	Every time.Duration `yaml:"every"` // 5s to 1h; 0: never; default 1m
}

// History bounds what is kept of the instances' lives.
type History struct {
	Events int `yaml:"events"` // of each environment; default 10000
}

// Keep is what stays after its use.
type Keep struct {
	Releases   int           `yaml:"releases"`   // of each environment, on the ships, the live one included; default 5
	Deliveries time.Duration `yaml:"deliveries"` // of the forges, with their payloads; default 720h
	Artifacts  time.Duration `yaml:"artifacts"`  // of tests; default 720h
	Logs       time.Duration `yaml:"logs"`       // of runs that ended; default 2160h
}

// AppKeep is what stays of one app on the ships after a deployment.
type AppKeep struct {
	Releases int `yaml:"releases"` // of each environment, the live one included; default the server's
}

// Registry is where images are kept: the embedded registry at Address, or
// somebody else's.
type Registry struct {
	Address string   `yaml:"address"` // host:port by which ships and builders reach the embedded one; empty if Outside is set
	Outside *Outside `yaml:"outside"` // nil: the embedded one
}

// Outside is a registry that Batuta does not run itself.
type Outside struct {
	Address  string `yaml:"address"` // host or host:port
	Prefix   string `yaml:"prefix"`  // path before the app's name; may be empty
	User     string `yaml:"user"`    // empty: anonymous
	Password Secret `yaml:"password"`
	Insecure bool   `yaml:"insecure"` // speak HTTP to it
}

// Source bounds what is fetched from repositories.
type Source struct {
	MaxSize Size `yaml:"max_size"` // of one revision's tree; default 500MB
}

// Runs bounds the work of the server.
type Runs struct {
	AtOnce  int `yaml:"at_once"` // runs that work at the same time; default 2
	Retries int `yaml:"retries"` // of a step after something outside did not answer; default 3
}

// Ship is one Docker host.
type Ship struct {
	Endpoint string            `yaml:"endpoint"` // unix:///path, tcp://host:port or ssh://user@host:port/path
	Address  string            `yaml:"address"`  // host by which its published ports are reached; default: the host of ssh, or the endpoint's, 127.0.0.1 for unix
	Labels   map[string]string `yaml:"labels"`
	TLS      *TLS              `yaml:"tls"` // of a tcp endpoint; nil: plain
	SSH      *SSH              `yaml:"ssh"` // of an ssh endpoint, or of a tunnel to any other
}

// TLS is how a ship and the server prove to each other who they are. The files
// are PEM, by absolute path once the configuration is read.
type TLS struct {
	CA         string `yaml:"ca"`          // file; empty: the system's
	Cert       string `yaml:"cert"`        // file; with Key
	Key        string `yaml:"key"`         // file
	ServerName string `yaml:"server_name"` // in the Engine's certificate; empty: the endpoint's host
	Insecure   bool   `yaml:"insecure"`    // take any certificate
}

// SSH is the server's login to a ship. What is empty is the default of ssh.
type SSH struct {
	Host       string `yaml:"host"` // of a tunnel; empty: the endpoint's
	Port       int    `yaml:"port"` // of a tunnel; 0: 22
	User       string `yaml:"user"`
	Key        string `yaml:"key"`         // file, by absolute path once the configuration is read
	KnownHosts string `yaml:"known_hosts"` // file, as Key
}

// App is one repository that deploys, and what it is granted.
type App struct {
	Repository     string                                  `yaml:"repository"` // URL; empty: the embedded Git remote
	Credentials    Credentials                             `yaml:"credentials"`
	WebhookSecrets []Secret                                `yaml:"webhook_secrets"` // any of them signs; more than one while changing it
	Environments   map[batuta.EnvironmentName]Environment  `yaml:"environments"`    // nil: any environment, on any ship
	Allow          Allow                                   `yaml:"allow"`
	Secrets        map[string]Secret                       `yaml:"secrets"`  // what ${secret:NAME} means in its documents
	Poll           time.Duration                           `yaml:"poll"`     // how often its repository is looked at until its recipe says; 0: never
	Promote        map[batuta.EnvironmentName]batuta.Stage `yaml:"promote"`  // the rules by which environments take promotions, which no batuta.yml can loosen
	Includes       []batuta.AppName                        `yaml:"includes"` // apps whose shared pipelines it may include
	Bases          []batuta.AppName                        `yaml:"bases"`    // apps from whose images it may be built
	Keep           *AppKeep                                `yaml:"keep"`     // nil: the server's
	Status         *Status                                 `yaml:"status"`   // nil: no forge is told of its runs
}

// Credentials open a private repository, in one of three ways: a token, a
// user and a password, or an SSH key. All empty: none are needed.
type Credentials struct {
	Token      Secret `yaml:"token"`
	User       string `yaml:"user"`
	Password   Secret `yaml:"password"`
	SSHKey     Secret `yaml:"ssh_key"`     // the private key's text
	KnownHosts Secret `yaml:"known_hosts"` // the text of a known_hosts file; required with SSHKey
}

// Environment is what one environment of an app may use.
type Environment struct {
	Ships Reach `yaml:"ships"`
}

// Allow is what an app's documents may ask for beyond containers.
type Allow struct {
	Paths      []string           `yaml:"paths"`      // absolute directories of the ship that may be mounted, with all below them
	Privileges []batuta.Privilege `yaml:"privileges"` // what its containers may have beyond what Docker gives to all
}

// Dashboard is the page for people who look.
type Dashboard struct {
	Anonymous bool `yaml:"anonymous"` // show it, read-only, without a token
}

// Load reads the server.yml at path. Its errors are batuta.Problems for what
// is wrong inside, with every problem of the file, and NotFound if there is no
// such file.
func Load(path string) (*Config, error) {
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &batuta.Error{Kind: batuta.NotFound, Message: "no file " + path, Hint: "name the server's configuration with --config"}
	case err != nil:
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return Parse(path, data)
}

// Parse reads the text of a server.yml. File is the name that problems carry,
// and its directory the one that secrets' files are relative to. Secrets come
// from the process's environment and from disk as they are now.
func Parse(file string, data []byte) (*Config, error) {
	c := Config{
		Listen: "127.0.0.1:8480",
		Data:   "/var/lib/batuta",
		Source: Source{MaxSize: 500 * megabyte},
		Runs:   Runs{AtOnce: 2, Retries: 3},

		Reconcile: Reconcile{Every: time.Minute},
		Bases:     Bases{Every: 6 * time.Hour},
		History:   History{Events: 10_000},
		Keep:      Keep{Releases: 5, Deliveries: 720 * time.Hour, Artifacts: 720 * time.Hour, Logs: 2160 * time.Hour},
		Test:      Test{AtOnce: 4},
		Webhooks:  Webhooks{Rate: Rate{6000, time.Minute}},
	}
	d := document.Read(file, data, &c)
	c.resolveSecrets(d, filepath.Dir(file))
	c.resolveFiles(filepath.Dir(file))
	c.fillIn()
	check{&c, d}.all()
	if err := d.Err(); err != nil {
		return nil, err
	}
	return &c, nil
}

// Granted is the ships that an environment of an app may use, by name, and
// whether the app may have such an environment at all. An app that lists its
// environments has no others.
func (c *Config) Granted(app batuta.AppName, env batuta.EnvironmentName) ([]batuta.ShipName, bool) {
	a, known := c.Apps[app]
	if !known {
		return nil, false
	}
	e, listed := a.Environments[env]
	if a.Environments != nil && !listed {
		return nil, false
	}
	return e.Ships.of(c.Ships), true
}

// TestShip is where an app's tests run; empty if it may use no ship.
func (c *Config) TestShip(app batuta.AppName) batuta.ShipName {
	if c.Test.Ship != "" {
		return c.Test.Ship
	}
	var all []batuta.ShipName
	if a := c.Apps[app]; a.Environments == nil {
		all = slices.Collect(maps.Keys(c.Ships))
	} else {
		for _, e := range a.Environments {
			all = append(all, e.Ships.of(c.Ships)...)
		}
	}
	if len(all) == 0 {
		return ""
	}
	return slices.Min(all)
}

// fillIn sets the defaults that follow from other values.
func (c *Config) fillIn() {
	c.URL = cmp.Or(c.URL, "http://"+c.Listen)
	if len(c.Builders) == 0 {
		c.Builder = cmp.Or(c.Builder, dockerBuilder)
	}
	if c.Registry.Outside == nil {
		c.Registry.Address = cmp.Or(c.Registry.Address, c.reachable())
	}
	for name, s := range c.Ships {
		s.Address = cmp.Or(s.Address, s.tunnelHost(), EndpointHost(s.Endpoint))
		c.Ships[name] = s
	}
	for _, a := range c.Apps {
		if a.Status != nil {
			a.Status.fillIn(a)
		}
	}
}

// PlainRegistry tells whether the registry is spoken to in plain HTTP: an
// outside one that is said to be insecure, or the embedded one where it is not
// reached through the server's https URL.
func (c *Config) PlainRegistry() bool {
	if o := c.Registry.Outside; o != nil {
		return o.Insecure
	}
	u, err := url.Parse(c.URL)
	return err != nil || u.Scheme != "https" || authority(u) != c.Registry.Address && u.Host != c.Registry.Address
}

// reachable is the address others reach the server at: the one it listens on,
// or the one of its URL if it listens on all.
func (c *Config) reachable() string {
	if u, err := url.Parse(c.URL); err == nil && everywhere(c.Listen) {
		return authority(u)
	}
	return c.Listen
}

// authority is a URL's host and port, the scheme's own port if it names none.
func authority(u *url.URL) string {
	port := cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	return net.JoinHostPort(u.Hostname(), port)
}

// everywhere tells whether a listen address names every address of the host.
func everywhere(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	ip := net.ParseIP(host)
	return err == nil && (host == "" || ip != nil && ip.IsUnspecified())
}

// tunnelHost is where a tunnel to the ship ends; empty if there is none, or
// where the endpoint is.
func (s Ship) tunnelHost() string {
	if s.SSH == nil {
		return ""
	}
	return s.SSH.Host
}

// resolveFiles makes the paths of the ships' files absolute: they are relative
// to the configuration's directory.
func (c *Config) resolveFiles(dir string) {
	if absolute, err := filepath.Abs(dir); err == nil {
		dir = absolute
	}
	for _, s := range c.Ships {
		for _, f := range s.files() {
			if *f.path != "" && !filepath.IsAbs(*f.path) {
				*f.path = filepath.Join(dir, *f.path)
			}
		}
	}
}

// shipFile is a file that is read to reach a ship.
type shipFile struct {
	keys []string // where it stands below the ship
	path *string
}

func (s Ship) files() []shipFile {
	var all []shipFile
	if s.TLS != nil {
		all = append(all, shipFile{[]string{"tls", "ca"}, &s.TLS.CA}, shipFile{[]string{"tls", "cert"}, &s.TLS.Cert}, shipFile{[]string{"tls", "key"}, &s.TLS.Key})
	}
	if s.SSH != nil {
		all = append(all, shipFile{[]string{"ssh", "key"}, &s.SSH.Key}, shipFile{[]string{"ssh", "known_hosts"}, &s.SSH.KnownHosts})
	}
	return all
}

// EndpointHost is the host that a ship's endpoint names: 127.0.0.1 for a unix
// socket. The ship's published ports answer there, unless it says otherwise.
func EndpointHost(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme == "unix" {
		return "127.0.0.1"
	}
	return u.Hostname()
}
