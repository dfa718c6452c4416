package deployer

import (
	"github.com/google/shlex"

	"batuta/internal/document"
)

// command is what runs in a container: a list, or a line that is split as a
// shell would, with nothing expanded.
type command []string

func (c *command) UnmarshalDocument(n document.Node) error {
	line, ok := n.Scalar()
	if !ok {
		return n.Decode((*[]string)(c))
	}
	words, err := shlex.Split(line)
	if err != nil {
		return invalid("the command has an open quote", "close it, or write a list")
	}
	if len(words) == 0 {
		return invalid("the command is empty", "leave it out to run the image's own")
	}
	*c = words
	return nil
}
