package deployer

import (
	"fmt"
	"path"
	"slices"

	"batuta/internal/document"
)

// oneOrMore is a list of texts; one alone may stand without its list.
type oneOrMore []string

func (o *oneOrMore) UnmarshalDocument(n document.Node) error {
	if one, ok := n.Scalar(); ok {
		*o = oneOrMore{one}
	} else if err := n.Decode((*[]string)(o)); err != nil {
		return err
	}
	if slices.Contains(*o, "") {
		return invalid("an entry is empty", "remove it")
	}
	return nil
}

// tmpfs are directories in memory: a list of paths, or a mapping of paths to
// their options.
type tmpfs map[string]string

func (t *tmpfs) UnmarshalDocument(n document.Node) error {
	if n.IsMap() {
		if err := n.Decode((*map[string]string)(t)); err != nil {
			return err
		}
	} else {
		var paths oneOrMore
		if err := n.Decode(&paths); err != nil {
			return err
		}
		*t = tmpfs{}
		for _, p := range paths {
			(*t)[p] = ""
		}
	}
	for p := range *t {
		if !path.IsAbs(p) || path.Clean(p) == "/" {
			return invalid(fmt.Sprintf("%q is not a path in the container", p), "write an absolute path, and its options: {/tmp: size=64m}")
		}
	}
	return nil
}
