package deployer

import (
	"strings"

	"github.com/google/shlex"

	"batuta/internal/document"
)

// command is what runs in a container: a list, or a line that is split as a
// shell would, with nothing expanded.
type command []string

func (c *command) UnmarshalDocument(n document.Node) error {
	line, ok := n.Scalar()
	if !ok {
		if err := n.Decode((*[]string)(c)); err != nil {
			return err
		}
		return c.secretless()
	}
	words, err := shlex.Split(line)
	if err != nil {
		return invalid("the command has an open quote", "close it, or write a list")
	}
	if len(words) == 0 {
		return invalid("the command is empty", "leave it out to run the image's own")
	}
	*c = words
	return c.secretless()
}

// secretless refuses a secret in a command, where whoever lists the ship's
// processes would read it.
func (c *command) secretless() error {
	for _, word := range *c {
		if strings.Contains(strings.ReplaceAll(word, "$"+secretMark, ""), secretMark) {
			return invalid("a secret cannot stand here: it would be shown", `give it to the container in env:, and let a shell read it there: sh -c 'exec app "$PASSWORD"'`)
		}
	}
	return nil
}
