package pipeline

import (
	"io"
	"maps"
	"slices"

	"batuta/internal/secrets"
)

// redact blanks the app's secrets in a text.
func (a App) redact(text string) string { return a.blanker().Text(text) }

// redacting is a log in which the app's secrets are blanked. It must be closed
// before the log is.
func (a App) redacting(log io.Writer) io.WriteCloser { return a.blanker().Writer(log) }

func (a App) blanker() secrets.Blanker {
	values := slices.Collect(maps.Values(a.Secrets))
	c := a.Repository.Credentials
	return secrets.NewBlanker(append(values, c.Token, c.Password, c.SSHKey)...)
}
