package lab

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem" // the only storage it uses
)

// NotifyingRegistry serves an empty registry of the test's own on the lab's
// network until t ends, and gives its host and port. It notifies url of what
// happens in it, with these headers.
func NotifyingRegistry(t testing.TB, url string, headers http.Header) string {
	t.Helper()
	config := &configuration.Configuration{Storage: configuration.Storage{"filesystem": {"rootdirectory": t.TempDir()}}}
	config.HTTP.Secret = "of no use to anyone"
	config.Log.AccessLog.Disabled = true
	config.Log.Level = "error"
	config.Notifications.Endpoints = []configuration.Endpoint{{
		Name: "batuta", URL: url, Headers: headers, Timeout: 10 * time.Second, Threshold: 5, Backoff: 100 * time.Millisecond,
	}}
	app := handlers.NewApp(t.Context(), config)
	server := httptest.NewUnstartedServer(app)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", net.JoinHostPort(Machine, "0"))
	must(t, err)
	must(t, server.Listener.Close())
	server.Listener = listener
	server.Start()
	t.Cleanup(func() {
		server.Close()
		must(t, app.Shutdown())
	})
	return listener.Addr().String()
}
