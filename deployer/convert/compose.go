package convert

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/interpolation"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// Compose converts a Compose file. Env is what its ${…} mean; one that is not
// there becomes a secret if its name says that it is one, and nothing, which a
// note tells, otherwise. Files that it names are read beside it. A file that
// is none of Compose's is batuta.Problems.
func Compose(ctx context.Context, path string, data []byte, env map[string]string) (Result, error) {
	c := composer{env: env, missing: map[string]bool{}}
	project, err := c.load(ctx, path, data)
	if err != nil {
		return Result{}, place(path, data, err)
	}
	c.project = project
	out := file{
		Batuta: 1, Name: project.Name, Services: map[string]service{},
		Ships: map[string]ship{"here": {Endpoint: "unix:///var/run/docker.sock"}},
	}
	c.say("ships", "Compose knows one Docker only; name yours, or remove ships: to use a server's")
	c.nameAll()
	for _, name := range slices.Sorted(maps.Keys(project.Services)) {
		out.Services[c.names[name]] = c.service(name, project.Services[name])
	}
	c.linkAll(out.Services)
	c.beside()
	text, err := out.write()
	if strings.Contains(string(text), secretMark) {
		c.say("secrets", "a secret stands where only plain text may; keep secrets to env: and secrets:")
	}
	text = []byte(strings.ReplaceAll(string(text), secretMark, "${secret:"))
	c.refused(path, out, text)
	return Result{Document: text, Notes: c.list}, err
}

type composer struct {
	notes
	env     map[string]string
	missing map[string]bool // variables that have no value
	project *types.Project
	names   map[string]string // of services, here
}

// load reads the file with its includes, its extensions and its environment
// files.
func (c *composer) load(ctx context.Context, path string, data []byte) (*types.Project, error) {
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	details := types.ConfigDetails{
		WorkingDir: dir, ConfigFiles: []types.ConfigFile{{Filename: path, Content: data}}, Environment: c.env,
	}
	return loader.LoadWithContext(ctx, details, func(o *loader.Options) {
		o.SetProjectName(loader.NormalizeProjectName(filepath.Base(dir)), false)
		o.Profiles = []string{"*"}
		o.Interpolate = &interpolation.Options{
			LookupValue: c.lookup, TypeCastMapping: o.Interpolate.TypeCastMapping, Substitute: o.Interpolate.Substitute,
		}
	})
}

var secretive = regexp.MustCompile(`(?i)(password|passwd|secret|token|api_?key|private_?key)`)

// lookup gives a variable of the file its value.
func (c *composer) lookup(name string) (string, bool) {
	value, ok := c.env[name]
	switch {
	case ok:
		return value, true
	case secretive.MatchString(name):
		return secretPlace(name), true
	}
	c.missing[name] = true
	return "", false
}

// secretMark stands for ${secret: until the file's own text is escaped; no
// text has such a character.
const secretMark = "\uE000"

func secretPlace(variable string) string {
	return secretMark + strings.ToLower(plainName(variable)) + "}"
}

// escape keeps what the file itself says from being taken for a secret's
// place; those that lookup made are.
func escape(value string) string {
	return strings.ReplaceAll(quiet(value), secretMark, "${secret:")
}

// beside says what the file has beside its services.
func (c *composer) beside() {
	for _, name := range slices.Sorted(maps.Keys(c.missing)) {
		c.say("${"+name+"}", "has no value here, and was left empty or to its default; set the variable and convert again, or write the value")
	}
	for _, name := range sortedKeys(c.project.Volumes) {
		v := c.project.Volumes[name]
		switch {
		case bool(v.External):
			c.say("volumes."+name, "is external; Batuta's volume belongs to its environment and begins empty: mount the data by its path, or copy it")
		case v.Driver != "" && v.Driver != "local" || len(v.DriverOpts)+len(v.Labels) > 0:
			c.say("volumes."+name, "its driver, options and labels are not carried over; make the volume on the ship, and mount its path")
		default:
			c.say("volumes."+name, "is %s with Compose; Batuta's is APP_ENVIRONMENT_%s and begins empty: copy the data", v.Name, name)
		}
	}
	for _, name := range sortedKeys(c.project.Networks) {
		n := c.project.Networks[name]
		if !bool(n.External) && (name != "default" || n.Driver != "" || n.Internal || len(n.DriverOpts) > 0 || len(n.Ipam.Config) > 0) {
			c.say("networks."+name, "is not carried over: all services of an environment share one private network on each ship")
		}
	}
	for _, name := range sortedKeys(c.project.Secrets) {
		c.say("secrets."+name, "set it in server.yml, or without a server as BATUTA_SECRET_%s", strings.ToUpper(strings.ReplaceAll(name, "-", "_")))
	}
	for _, key := range unread(reflect.ValueOf(*c.project), readOfProject) {
		if !strings.HasPrefix(key, "networks.") { // each has been told of
			c.say(key, "is not carried over")
		}
	}
	for _, name := range sortedKeys(c.project.Configs) {
		c.say("configs."+name, "is not carried over; put the file into the image, or mount it")
	}
}

// service converts one service, and says what is left of it.
func (c *composer) service(name string, s types.ServiceConfig) service {
	place := "services." + name
	out := service{
		Image: s.Image, Command: s.Command, Entrypoint: s.Entrypoint, User: s.User, Workdir: s.WorkingDir, Hostname: s.Hostname,
		Labels: s.Labels, DNS: s.DNS, Privileged: s.Privileged, CapAdd: s.CapAdd, CapDrop: s.CapDrop, SecurityOpt: s.SecurityOpt,
		ReadOnly: s.ReadOnly, Init: s.Init != nil && *s.Init, Sysctls: s.Sysctls, Platform: s.Platform, StopSignal: s.StopSignal,
	}
	if s.Build != nil {
		out.Image, out.Build = "", c.names[name]
		c.say(place+".build", "add to batuta.yml: images: {%s: %s}", c.names[name], recipeOf(s.Build, c.project.WorkingDir))
		if s.Image != "" {
			c.say(place+".image", "%s is what Compose calls the image that it builds; Batuta's is called after the app and the image of batuta.yml", s.Image)
		}
	}
	c.environment(place, &out, s)
	c.storage(place, &out, s)
	c.network(place, &out, s)
	c.ports(place, &out, s.Ports)
	c.life(place, &out, s)
	c.resources(&out, s)
	c.replicas(place, &out, s)
	if s.ContainerName != "" {
		c.say(place+".container_name", "containers are named by app, environment and instance; others find them as %s", name)
	}
	if len(s.Profiles) > 0 {
		c.say(place+".profiles", "is not carried over: the service always runs; remove it, or write count: 0")
	}
	for _, key := range unread(reflect.ValueOf(s), readOfService) {
		c.say(place+"."+key, "is not carried over")
	}
	return out
}

// recipeOf is an image of batuta.yml.
func recipeOf(b *types.BuildConfig, dir string) string {
	context := b.Context
	if relative, err := filepath.Rel(dir, b.Context); err == nil && filepath.IsAbs(b.Context) {
		context = relative
	}
	parts := []string{"context: " + context}
	if b.Dockerfile != "" && b.Dockerfile != "Dockerfile" {
		parts = append(parts, "dockerfile: "+b.Dockerfile)
	}
	if b.Target != "" {
		parts = append(parts, "target: "+b.Target)
	}
	if len(b.Args) > 0 {
		var args []string
		for _, name := range slices.Sorted(maps.Keys(b.Args)) {
			if v := b.Args[name]; v != nil {
				args = append(args, fmt.Sprintf("%s: %q", name, *v))
			}
		}
		parts = append(parts, "args: {"+strings.Join(args, ", ")+"}")
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
