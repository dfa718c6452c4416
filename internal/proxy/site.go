package proxy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/encode"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/encode/gzip" // the encodings that newSite names
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/encode/zstd"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/fileserver"
)

// site is a tree of files as a web site: Caddy's file server behind Caddy's
// encoder. They are used as the handlers they are, without Caddy's own server:
// that would bring certificates, storage and an admin endpoint along, none of
// which a container that serves files has a use for, and there can be only one
// of it in a process.
type site struct {
	files  fileserver.FileServer
	encode encode.Encode
}

// newSite makes a site of the files in tree.
func newSite(tree fs.FS) (*site, error) {
	silent := &caddy.CustomLog{BaseLog: caddy.BaseLog{Level: "PANIC"}}
	ctx, err := caddy.ProvisionContext(&caddy.Config{
		Admin:   &caddy.AdminConfig{Disabled: true, Config: &caddy.ConfigSettings{Persist: new(false)}},
		Logging: &caddy.Logging{Logs: map[string]*caddy.CustomLog{caddy.DefaultLoggerName: silent}},
	})
	if err != nil {
		return nil, fmt.Errorf("provision: %w", err)
	}
	const name = "site"
	ctx.FileSystems().Register(name, tree)
	s := &site{
		files:  fileserver.FileServer{FileSystem: name, Root: ".", IndexNames: []string{"index.html"}},
		encode: encode.Encode{EncodingsRaw: caddy.ModuleMap{"gzip": nil, "zstd": nil}},
	}
	if err := errors.Join(s.files.Provision(ctx), s.encode.Provision(ctx)); err != nil {
		return nil, fmt.Errorf("provision: %w", err)
	}
	s.files.Hide = nil // Caddy adds its data directory, which is not in the tree but may be called like a part of it
	return s, nil
}

// ServeHTTP answers with a file, or says why not.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil)
	w.Header().Set("Cache-Control", "no-cache")
	err := s.serve(w, r)
	if err == nil {
		return
	}
	status := http.StatusInternalServerError
	if refused, ok := errors.AsType[caddyhttp.HandlerError](err); ok {
		status = refused.StatusCode
	}
	w.Header().Del("Content-Type")
	if status == http.StatusNotFound && s.serve(w, notFoundPage(r, err)) == nil {
		return
	}
	http.Error(w, http.StatusText(status), status)
}

// serve passes the request to the file server. A part of a file goes out as it
// is, because its offsets are those of the file, not of its compressed form.
func (s *site) serve(w http.ResponseWriter, r *http.Request) error {
	if hidden(r.URL.Path) {
		return caddyhttp.Error(http.StatusNotFound, nil)
	}
	if t := contentType(path.Ext(r.URL.Path)); t != "" {
		w.Header().Set("Content-Type", t)
	}
	files := caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error { return s.files.ServeHTTP(w, r, nil) })
	if r.Header.Get("Range") != "" {
		return files(w, r)
	}
	return s.encode.ServeHTTP(w, r, files)
}

// notFoundPage is the request for the page that explains err. It is no
// conditional request any more, nor one for a part.
func notFoundPage(r *http.Request, err error) *http.Request {
	page := r.Clone(context.WithValue(r.Context(), caddyhttp.ErrorCtxKey, err))
	page.URL = &url.URL{Path: "/404.html"}
	for _, name := range []string{"Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"} {
		page.Header.Del(name)
	}
	return page
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
