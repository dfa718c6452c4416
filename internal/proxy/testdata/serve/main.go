// Command serve is ServeFiles as a program of its own, for the tests to start
// where there is nothing else: serve ROOT ADDRESS, until SIGTERM.
package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"batuta/internal/proxy"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stdout, nil))
	if err := proxy.ServeFiles(ctx, os.Args[1], os.Args[2], log); err != nil {
		log.Error(err.Error())
		os.Exit(1)
	}
}
