// Package proxy is what stands between a visitor and what the deployer
// started. It runs on the ships, inside Batuta's own image.
//
// So far it is the end of the journey for a static site: the files that
// package builder put into an image are served by ServeFiles, inside that
// image.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"batuta"
)

const (
	headerTimeout = 10 * time.Second // for a client to send a request's header
	idleTimeout   = 2 * time.Minute  // for a kept connection without a request
	stopTimeout   = 8 * time.Second  // for requests under way at the end; docker stop kills after 10 s
)

// ServeFiles serves the files under root over plain HTTP at listen (host:port)
// until ctx ends, and then lets the requests under way come to their end. It
// writes nothing to disk, needs no file beside those it serves, and follows no
// symbolic link out of root.
//
// A directory answers with its index.html, a path that is not there with the
// root's 404.html if it has one. Names that begin with a dot are not served,
// except /.well-known. Text is compressed as it is sent. Browsers may keep
// every file but have to ask whether it is still the one, so that a visitor
// never sees half of an older release.
//
// The error is batuta.NotFound if root is not a directory that can be
// read, and batuta.Conflict
// if the address is taken.
func ServeFiles(ctx context.Context, root, listen string, log *slog.Logger) error {
	tree, err := openTree(root)
	if err != nil {
		return err
	}
	defer tree.Close()
	site, err := newSite(tree.FS())
	if err != nil {
		return fmt.Errorf("serve %s: %w", root, err)
	}
	listener, err := open(ctx, listen)
	if err != nil {
		return err
	}
	log.Info("serving files", "root", root, "address", listener.Addr().String())
	server := &http.Server{
		Handler:           site,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug), // what clients do wrong
	}
	return run(ctx, server, listener)
}

func openTree(root string) (*os.Root, error) {
	tree, err := os.OpenRoot(root)
	if err != nil {
		return nil, &batuta.Error{Kind: batuta.NotFound, Message: "serve " + root, Hint: "name the directory that has the site's files", Err: err}
	}
	return tree, nil
}

func open(ctx context.Context, listen string) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", listen)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, &batuta.Error{Kind: batuta.Conflict, Message: "listen on " + listen, Hint: "another process has that port", Err: err}
	case err != nil:
		return nil, fmt.Errorf("listen on %s: %w", listen, err)
	}
	return listener, nil
}

// run serves until ctx ends, and then until the requests under way have ended
// too, or stopTimeout has.
func run(ctx context.Context, server *http.Server, listener net.Listener) error {
	var spare spares
	server.ConnState = spare.note
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	spare.close()
	err := server.Shutdown(grace)
	if err != nil {
		err = errors.Join(fmt.Errorf("stop serving: %w", err), server.Close())
	}
	if closed := <-ended; !errors.Is(closed, http.ErrServerClosed) {
		err = errors.Join(err, closed)
	}
	return err
}
