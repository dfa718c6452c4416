package notify

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"

	"batuta"
)

// longestText is as many characters of a message as every chat takes.
const longestText = 1500

// Chat is a chat, a mailbox or a telephone that shoutrrr knows. Its URL has the
// form that https://shoutrrr.nickfedor.com gives for each service, and is a
// secret as a whole.
type Chat struct {
	url  string
	busy chan struct{} // holds one while an attempt is under way
	hung chan struct{} // holds one for each attempt that is waited for no more
	hang time.Duration // after which an attempt is
}

// Of an attempt nobody can say whether it will end: a connection may be half
// open. It keeps others for longestAttempt, as one that is merely slow would be
// told twice, and mostHung such attempts keep all.
const (
	longestAttempt = time.Minute
	mostHung       = 20
)

// NewChat makes a chat of a URL. Whether it fits the service shows when a
// message is sent.
func NewChat(address string) *Chat {
	return &Chat{address, make(chan struct{}, 1), make(chan struct{}, mostHung), longestAttempt}
}

// Send makes one attempt to bring it a message. The library has no way to break
// off: an attempt that does not end in time goes on, and for a minute others are
// Unavailable. The id is not told, as no chat could make use of it.
func (c *Chat) Send(ctx context.Context, _ string, m Message) error {
	select {
	case c.busy <- struct{}{}:
	default:
		return &batuta.Error{Kind: batuta.Unavailable, Message: "the attempt before has not ended"}
	}
	ended, over := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(over)
		ended <- c.send(m)
	}()
	go c.letGo(over)
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return &batuta.Error{Kind: batuta.Unavailable, Message: "it does not answer in time", Err: ctx.Err()}
	}
}

// letGo makes room for another attempt once this one is over, or has taken too
// long.
func (c *Chat) letGo(over <-chan struct{}) {
	defer func() { <-c.busy }()
	select {
	case <-over:
		return
	case <-time.After(c.hang):
	}
	select {
	case <-over:
	case c.hung <- struct{}{}:
		go func() {
			<-over
			<-c.hung
		}()
	}
}

// send is the attempt. A service is made anew for each message: it may log in,
// and keeps what it was told before. The library does not tell a refusal from
// no answer, so all that goes wrong is worth another try.
func (c *Chat) send(m Message) error {
	service, err := c.service()
	if err == nil {
		params := types.Params{}
		if service.GetID() == "smtp" {
			params["subject"] = m.Title()
		}
		err = service.Send(m.Title()+"\n"+m.Body(), &params)
	}
	if err == nil {
		return nil
	}
	return &batuta.Error{Kind: batuta.Unavailable, Message: c.redact(err.Error())}
}

// service is what the URL names, ready to send.
func (c *Chat) service() (types.Service, error) {
	u, err := url.Parse(c.url)
	if err != nil {
		return nil, bare(err)
	}
	name, _, custom := strings.Cut(u.Scheme, "+")
	service, err := new(router.ServiceRouter).NewService(name)
	if err != nil {
		return nil, err
	}
	if translates, ok := service.(types.CustomURLService); custom && ok {
		if u, err = translates.GetConfigURLFromCustom(u); err != nil {
			return nil, err
		}
	}
	return service, service.Initialize(u, log.New(io.Discard, "", 0)) // it would log tokens
}

// Title is what a message is about, on one line.
func (m Message) Title() string {
	subject := strings.TrimSpace(string(m.App) + " " + string(m.Environment))
	if subject == "" {
		subject = "ship " + string(m.Ship)
	}
	what := m.Kind
	if m.Topic == "recovery" {
		what = "recovered"
	}
	return subject + ": " + what
}

// Body is what happened, and where more of it is shown.
func (m Message) Body() string {
	text := []rune(strings.ToValidUTF8(m.Text, "\uFFFD"))
	if len(text) > longestText {
		text = append(text[:longestText], '…')
	}
	if m.URL == "" {
		return string(text)
	}
	return fmt.Sprintf("%s\n%s", string(text), m.URL)
}

// anyURL is what the library puts into errors, tokens and all.
var anyURL = regexp.MustCompile(`[a-z][a-z0-9+.-]*://[^\s"']+`)

// leastSecret is the length from which a part of a URL may be a secret.
const leastSecret = 4

// redact is an error's text without any part of the URL but the service.
func (c *Chat) redact(text string) string {
	text = anyURL.ReplaceAllString(text, "[url]")
	plain, _ := url.QueryUnescape(c.url)
	scheme, _, _ := strings.Cut(c.url, ":")
	for _, form := range []string{c.url, plain} {
		for part := range strings.FieldsFuncSeq(form, separates) {
			if len(part) >= leastSecret && part != scheme {
				text = strings.ReplaceAll(text, part, "[secret]")
			}
		}
	}
	return headline(text, 2*longest)
}

// separates tells what stands between the parts of a URL.
func separates(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.", r)
}
