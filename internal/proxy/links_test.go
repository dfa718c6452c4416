package proxy_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"batuta"
	"batuta/internal/proxy"
)

func TestLinksLeadToWhatIsServed(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for name, text := range map[string]string{
		"index.html": `<link href="css/site.css?v=2"><a href="docs">docs</a> <a href="/docs/#top">top</a>
<a href="https://example.edu/gone">elsewhere</a> <a href="mailto:ada@example.edu">ada</a> <a href="#here">here</a>
<img src="data:image/png;base64,AAAA"> <img src="with%20space.png"> <!-- <a href="/not-read"> -->
<script>const a = '<a href="/not-read-either">'</script>
<a href="//example.edu/x">another host</a>`,
		"docs/index.html":       `<a href="../index.html">up</a> <a href="two.html">two</a>`,
		"docs/two.html":         "<p>\n<a\n href='three.html'>three</a>\n<img src='/logo.png'> <a href='/.env'>hidden</a> <a href='/empty'>no index</a>\n<a href='../../../css/site.css'>far up</a>",
		"css/site.css":          "body { margin: 0 }",
		"with space.png":        "png",
		".env":                  "SECRET=1",
		"empty/readme.txt":      "nothing",
		".git/description.html": `<a href="/nowhere">not served, not read</a>`,
	} {
		path := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	err := proxy.CheckLinks(root)
	want := `links that lead nowhere: 4
docs/two.html:2: three.html: /docs/three.html is not there
docs/two.html:4: /logo.png: /logo.png is not there
docs/two.html:4: /.env: /.env is not there
docs/two.html:4: /empty: /empty/ is not there`
	if !errors.Is(err, batuta.Invalid) || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if err := os.Remove(filepath.Join(root, "docs/two.html")); err != nil {
		t.Fatal(err)
	}
	if err := proxy.CheckLinks(root); err == nil || !strings.HasSuffix(err.Error(), "docs/index.html:1: two.html: /docs/two.html is not there") {
		t.Errorf("a page that was removed: %v", err)
	}
	if err := proxy.CheckLinks(filepath.Join(root, "none")); !errors.Is(err, batuta.NotFound) {
		t.Errorf("a directory that is not there: %v", err)
	}
}
