package proxy

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"syscall"

	"github.com/klauspost/compress/gzhttp"
)

// site is a tree of files as a web site.
type site struct {
	tree fs.FS
}

// newSite makes a site of the files in tree. Text is compressed on its way,
// except for a part of a file: its offsets are those of the file, not of its
// compressed form.
func newSite(tree fs.FS) (http.Handler, error) {
	files := site{tree}
	compress, err := gzhttp.NewWrapper(gzhttp.EnableZstd(true))
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	whole := compress(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		if r.Header.Get("Range") != "" {
			files.ServeHTTP(w, r)
			return
		}
		whole.ServeHTTP(w, r)
	}), nil
}

// ServeHTTP answers with a file, or says why not.
func (s site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed)
		return
	}
	p, err := s.find(r.URL.Path)
	switch {
	case err != nil:
		s.missing(w, r, statusOf(err))
		return
	case p.moved != "":
		to := url.URL{Path: p.moved, RawQuery: r.URL.RawQuery}
		http.Redirect(w, r, to.String(), http.StatusPermanentRedirect)
		return
	}
	defer p.Close()
	p.describe(w.Header())
	http.ServeContent(w, r, p.info.Name(), p.info.ModTime(), p)
}

// page is a file that is open, or the path at which a visitor finds it.
type page struct {
	io.ReadSeekCloser
	info  fs.FileInfo
	moved string
}

// find opens what a path means: a file, or the index of a directory. The one
// is asked for without a slash at the end, the other with it.
func (s site) find(asked string) (page, error) {
	if hidden(asked) {
		return page{}, fs.ErrNotExist
	}
	clean := path.Clean("/" + asked)
	name := strings.TrimPrefix(clean, "/")
	if name == "" {
		return s.open("index.html")
	}
	info, err := fs.Stat(s.tree, name)
	slash := strings.HasSuffix(asked, "/")
	switch {
	case err != nil:
		return page{}, err
	case info.IsDir() && !slash:
		return page{moved: clean + "/"}, nil
	case info.IsDir():
		return s.open(name + "/index.html")
	case slash:
		return page{moved: clean}, nil
	}
	return s.open(name)
}

// open opens a file: a pipe or a device is none.
func (s site) open(name string) (page, error) {
	info, err := fs.Stat(s.tree, name)
	if err != nil {
		return page{}, err
	}
	if !info.Mode().IsRegular() {
		return page{}, fs.ErrNotExist
	}
	file, err := s.tree.Open(name)
	if err != nil {
		return page{}, err
	}
	content, ok := file.(io.ReadSeekCloser)
	if !ok {
		_ = file.Close() // nothing was read from it
		return page{}, fmt.Errorf("%s: %w", name, errors.ErrUnsupported)
	}
	return page{ReadSeekCloser: content, info: info}, nil
}

// describe says what a file is and which version of it. The tag is a weak one:
// compressed or not, it is the same file.
func (p page) describe(h http.Header) {
	if t := contentType(path.Ext(p.info.Name())); t != "" {
		h.Set("Content-Type", t)
	}
	h.Set("Etag", `W/"`+strconv.FormatInt(p.info.ModTime().UnixNano(), 36)+"-"+strconv.FormatInt(p.info.Size(), 36)+`"`)
}

// missing answers with the site's own page for what is not there.
func (s site) missing(w http.ResponseWriter, r *http.Request, status int) {
	p, err := s.open("404.html")
	if status != http.StatusNotFound || err != nil {
		refuse(w, status)
		return
	}
	defer p.Close()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = io.Copy(w, p) // the visitor has gone
	}
}

func refuse(w http.ResponseWriter, status int) {
	http.Error(w, http.StatusText(status), status)
}

// statusOf is what a visitor is told of a file that cannot be opened.
func statusOf(err error) int {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return http.StatusForbidden
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrInvalid), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ENAMETOOLONG):
		return http.StatusNotFound
	}
	return http.StatusInternalServerError
}

// hidden tells whether a path has a part that begins with a dot: .git, .env.
// /.well-known is where others expect to find things.
func hidden(p string) bool {
	p = strings.TrimPrefix(path.Clean("/"+p), "/.well-known/")
	for part := range strings.SplitSeq(p, "/") {
		if strings.HasPrefix(part, ".") {
			return true
		}
	}
	return false
}

// contentType is the type of what Go's own table does not know, or knows
// differently. In an image made from scratch there is no other table.
func contentType(extension string) string {
	switch strings.ToLower(extension) {
	case ".atom":
		return "application/atom+xml"
	case ".geojson":
		return "application/geo+json"
	case ".jsonld":
		return "application/ld+json"
	case ".map":
		return "application/json"
	case ".md":
		return "text/markdown; charset=utf-8"
	case ".mov":
		return "video/quicktime"
	case ".otf":
		return "font/otf"
	case ".rss":
		return "application/rss+xml"
	case ".ttf":
		return "font/ttf"
	case ".webm":
		return "video/webm"
	case ".webmanifest":
		return "application/manifest+json"
	case ".woff":
		return "font/woff"
	case ".woff2":
		return "font/woff2"
	case ".yaml", ".yml":
		return "application/yaml"
	}
	return ""
}
