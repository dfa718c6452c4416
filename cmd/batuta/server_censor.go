package main

import (
	"slices"
	"strconv"
	"strings"
	"sync"

	"batuta"
	"batuta/internal/config"
	"batuta/internal/secrets"
	"batuta/webhooks"
)

// longSecret is from how many bytes on a secret, such as a key or a file, is
// looked for as it stands alone, line by line: its other forms would take a
// thousand times its memory.
const longSecret = 1 << 10

// censor keeps the secrets of the apps out of the log of deliveries. What it
// knows of an app it learns when first asked, and keeps.
type censor map[batuta.AppName]func() known

var _ webhooks.Censor = censor{}

// known is what is known of one app.
type known struct {
	short secrets.Blanker
	long  *strings.Replacer // nil: there is none
	opens secrets.Blanker
}

// newCensor knows what server.yml has.
func newCensor(apps map[batuta.AppName]config.App) censor {
	all := censor{}
	for name, a := range apps {
		all[name] = sync.OnceValue(func() known { return secretsOf(a) })
	}
	return all
}

func secretsOf(a config.App) known {
	opens := []string{a.Credentials.Token.Reveal(), a.Credentials.Password.Reveal()}
	if a.Status != nil {
		opens = append(opens, a.Status.Token.Reveal())
	}
	for _, s := range a.WebhookSecrets {
		opens = append(opens, s.Reveal(), strings.TrimPrefix(s.Reveal(), "whsec_"))
	}
	short, long := slices.Clone(opens), []string{}
	values := []string{a.Credentials.SSHKey.Reveal()}
	for _, s := range a.Secrets {
		values = append(values, s.Reveal())
	}
	for _, value := range values {
		if len(value) < longSecret {
			short = append(short, value)
			continue
		}
		for line := range strings.Lines(value) {
			if line = strings.TrimSpace(line); len(line) >= config.MinTokenLength { // less is not known for a part of it
				long = append(long, line, secrets.Mark, strings.Trim(strconv.Quote(line), `"`), secrets.Mark)
			}
		}
	}
	k := known{short: secrets.NewBlanker(short...), opens: secrets.NewBlanker(opens...)}
	if len(long) > 0 {
		k.long = strings.NewReplacer(long...)
	}
	return k
}

// Blank is a text without an app's secrets.
func (c censor) Blank(app batuta.AppName, text string) string {
	find, ok := c[app]
	if !ok {
		return text
	}
	k := find()
	if k.long != nil {
		text = k.long.Replace(text)
	}
	return k.short.Text(text)
}

// Opens tells whether a text has what opens an app's webhook or its repository.
func (c censor) Opens(app batuta.AppName, text string) bool {
	find, ok := c[app]
	return ok && find().opens.Text(text) != text
}
