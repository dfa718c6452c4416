package proxy

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"strings"

	"golang.org/x/net/html"

	"batuta"
)

// CheckLinks wants every link of the HTML pages under root to lead to what
// ServeFiles would answer with: pages, style sheets, scripts, images and what
// else an href, a src or a poster names. Links to other hosts are not followed.
//
// The error is batuta.Invalid, with a line for each link that leads nowhere:
// page:line, the link as it is written, and what is wrong with it.
func CheckLinks(root string) error {
	dir, err := openTree(root)
	if err != nil {
		return err
	}
	defer dir.Close()
	files, found := site{dir.FS()}, []string(nil)
	err = fs.WalkDir(files.tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || path.Ext(name) != ".html" || hidden("/"+name) {
			return err
		}
		text, err := fs.ReadFile(files.tree, name)
		found = append(found, files.dead(name, text)...)
		return err
	})
	switch {
	case err != nil:
		return fmt.Errorf("read the pages of %s: %w", root, err)
	case len(found) > 0:
		return &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("links that lead nowhere: %d\n%s", len(found), strings.Join(found, "\n"))}
	}
	return nil
}

// dead finds the links of a page that lead nowhere.
func (s site) dead(name string, text []byte) (found []string) {
	line := 1
	for z := html.NewTokenizer(bytes.NewReader(text)); z.Next() != html.ErrorToken; {
		at := line
		line += bytes.Count(z.Raw(), []byte("\n"))
		for _, a := range z.Token().Attr {
			switch a.Key {
			case "href", "src", "poster":
				if why := s.follow(name, a.Val); why != "" {
					found = append(found, fmt.Sprintf("%s:%d: %s: %s", name, at, a.Val, why))
				}
			}
		}
	}
	return found
}

// follow says why a link of a page leads nowhere; it is empty if it leads
// somewhere, or to another host.
func (s site) follow(page, link string) string {
	to, err := url.Parse(strings.TrimSpace(link))
	if err != nil {
		return "not a link"
	}
	if to.Scheme != "" || to.Host != "" || to.Path == "" {
		return ""
	}
	target := (&url.URL{Path: "/" + page}).ResolveReference(to).Path
	p, err := s.find(target)
	if err != nil {
		return target + " is not there"
	}
	if p.moved == "" {
		_ = p.Close() // nothing was read from it
		return ""
	}
	return s.follow(page, p.moved)
}
