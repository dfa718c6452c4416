package config

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"batuta"
	"batuta/internal/document"
)

// Listener is somebody who is told what people should know.
type Listener struct {
	Name   string           `yaml:"name"`   // by which batuta.yml has it told; empty: it cannot
	URL    Secret           `yaml:"url"`    // http or https: a webhook of one's own; else what shoutrrr knows
	Secret Secret           `yaml:"secret"` // signs what a webhook is told; at least MinTokenLength bytes; none: it is not signed
	On     []batuta.Topic   `yaml:"on"`     // whatever batuta.yml says; empty: all, or none of one with a name
	Apps   []batuta.AppName `yaml:"apps"`   // that it is told of, and that may have it told; empty: all, and the ships
}

// IsWebhook tells whether it is a program of one's own, and not a chat.
func (l Listener) IsWebhook() bool {
	scheme, _, _ := strings.Cut(l.URL.Reveal(), ":")
	return scheme == "http" || scheme == "https"
}

// Wants tells whether it is told of a topic whatever batuta.yml says; app is
// empty for what is about a ship.
func (l Listener) Wants(topic batuta.Topic, app batuta.AppName) bool {
	return l.Takes(app) && (slices.Contains(l.On, topic) || len(l.On) == 0 && l.Name == "")
}

// Takes tells whether it is told of an app at all.
func (l Listener) Takes(app batuta.AppName) bool {
	return len(l.Apps) == 0 || slices.Contains(l.Apps, app)
}

// Listeners names those whom an app's batuta.yml may have told, in the order of
// the file.
func (c *Config) Listeners(app batuta.AppName) []string {
	var all []string
	for _, l := range c.Notify {
		if l.Name != "" && l.Takes(app) {
			all = append(all, l.Name)
		}
	}
	return all
}

func (k check) listeners() {
	named := map[string]bool{}
	for i, l := range k.c.Notify {
		at := document.Path{"notify", strconv.Itoa(i)}
		if l.Name != "" {
			k.try(at.At("name"), batuta.CheckLabel(l.Name))
		}
		if named[l.Name] {
			k.d.Problem(at.At("name"), l.Name+" stands twice", "")
		}
		named[l.Name] = l.Name != ""
		switch u, err := url.Parse(l.URL.Reveal()); {
		case l.URL.unresolved(): // which was reported
		case err != nil || u.Scheme == "" || l.IsWebhook() && u.Host == "":
			k.d.Problem(at.At("url"), "this is not the URL of a webhook or of a chat", "write https://host/path, or one of the forms of "+chatForms)
		case !l.IsWebhook():
			k.chat(at, u, l)
		}
		k.strong(at.At("secret"), l.Secret)
		for n, topic := range l.On {
			if !slices.Contains(batuta.Topics(), topic) {
				k.d.Problem(at.At("on", strconv.Itoa(n)), fmt.Sprintf("no topic %q", topic), document.Suggest(string(topic), words(batuta.Topics())))
			}
		}
		for n, app := range l.Apps {
			k.knownApp(at.At("apps", strconv.Itoa(n)), app)
		}
	}
}

func (k check) knownApp(at document.Path, app batuta.AppName) {
	if _, ok := k.c.Apps[app]; !ok {
		k.d.Problem(at, fmt.Sprintf("no app %q", app), document.Suggest(string(app), words(slices.Sorted(maps.Keys(k.c.Apps)))))
	}
}
