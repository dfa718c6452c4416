package config

import (
	"fmt"
	"io"
	"log"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/matrix"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"

	"batuta/internal/document"
)

// chatForms is where the forms of the services' URLs are described.
const chatForms = "https://shoutrrr.nickfedor.com"

// chats is the services that a notice can be sent to: all that shoutrrr knows
// but its own log.
func chats() []string {
	all := new(router.ServiceRouter).ListServices()
	slices.Sort(all)
	return slices.DeleteFunc(all, func(name string) bool { return name == "logger" })
}

// chat looks whether a service would take a URL. Nothing is sent.
func (k check) chat(at document.Path, u *url.URL, l Listener) {
	service, _, custom := strings.Cut(u.Scheme, "+")
	if !slices.Contains(chats(), service) {
		k.d.Problem(at.At("url"), fmt.Sprintf("no chat is called %q", service), document.Suggest(service, append(chats(), "https")))
		return
	}
	if err := tryChat(service, u, custom); err != nil {
		k.d.Problem(at.At("url"), "this is not a URL of "+service+revealing(err, u), "write it as "+chatForms+" shows")
	}
	if !l.Secret.IsZero() {
		k.d.Problem(at.At("secret"), "only a webhook is signed", "remove it")
	}
}

// tryChat has a service read its URL. Matrix would log in at once, so of it
// only the configuration is made.
func tryChat(name string, u *url.URL, custom bool) error {
	service, err := new(router.ServiceRouter).NewService(name)
	if err != nil {
		return err
	}
	if custom {
		c, ok := service.(types.CustomURLService)
		if !ok {
			return fmt.Errorf("it takes no %s://", u.Scheme)
		}
		if u, err = c.GetConfigURLFromCustom(u); err != nil {
			return err
		}
	}
	if name == matrix.Scheme {
		return new(matrix.Config).SetURL(u)
	}
	return service.Initialize(u, log.New(io.Discard, "", 0))
}

// revealing is what an error says, unless it has a part of the URL in it.
func revealing(err error, u *url.URL) string {
	text := err.Error()
	for part := range strings.FieldsFuncSeq(strings.TrimPrefix(u.String(), u.Scheme), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if len(part) > 3 && strings.Contains(text, part) {
			return ""
		}
	}
	return ": " + text
}
