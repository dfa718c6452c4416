package notify

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/url"
	"regexp"
	"strings"
	"sync"
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
	hang time.Duration // after which an attempt is waited for no more

	mu   sync.Mutex // guards what follows
	last *attempt   // nil: whoever made it knows how it ended
	hung int        // attempts that are waited for no more
}

// attempt is a message on its way.
type attempt struct {
	id    string
	began time.Time
	over  chan struct{} // closed once err is known
	err   error
}

// Of an attempt nobody can say whether it will end: a connection may be half
// open. It keeps others for longestAttempt, as one that is merely slow would be
// told twice; then there may be others, unless mostHung such attempts go on.
const (
	longestAttempt = time.Minute
	mostHung       = 20
)

// NewChat makes a chat of a URL. Whether it fits the service shows when a
// message is sent.
func NewChat(address string) *Chat { return &Chat{url: address, hang: longestAttempt} }

// Send makes one attempt to bring it a message, or goes on waiting for the one
// that is under way with the same id. The library has no way to break off: an
// attempt that does not end in time goes on, and for a minute messages of
// another id are Unavailable. The id is not told, as no chat could make use of
// it.
func (c *Chat) Send(ctx context.Context, id string, m Message) error {
	a := c.attempt(id, m)
	if a == nil {
		return &batuta.Error{Kind: batuta.Unavailable, Message: "the attempt before has not ended"}
	}
	select {
	case <-a.over:
		c.forget(a)
		return a.err
	case <-ctx.Done():
		return &batuta.Error{Kind: batuta.Unavailable, Message: "it does not answer in time", Err: ctx.Err()}
	}
}

// attempt is the one under way, if it is of this message, or else a new one;
// nil if there can be none now.
func (c *Chat) attempt(id string, m Message) *attempt {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last := c.last; last != nil && !last.isOver() {
		switch late := time.Since(last.began) > c.hang; {
		case !late && last.id == id:
			return last
		case !late || c.hung == mostHung:
			return nil
		}
		c.hung++
		go func() {
			<-last.over
			c.mu.Lock()
			c.hung--
			c.mu.Unlock()
		}()
	} else if last != nil && last.id == id && last.err == nil {
		return last // it was taken, if late
	}
	a := &attempt{id: id, began: time.Now(), over: make(chan struct{})}
	c.last = a
	go func() {
		defer close(a.over)
		a.err = c.send(m)
	}()
	return a
}

func (a *attempt) isOver() bool {
	select {
	case <-a.over:
		return true
	default:
		return false
	}
}

// forget lets go of an attempt whose end has been told.
func (c *Chat) forget(a *attempt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == a {
		c.last = nil
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
