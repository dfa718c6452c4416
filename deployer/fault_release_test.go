package deployer_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/internal/lab"
	"batuta/internal/lab/host"
)

func TestAContainerThatIgnoresTERMIsKilledInItsTime(t *testing.T) {
	t.Parallel()
	d := newOwnDock(t, 1)
	d.live(t, release{script: "trap '' TERM; " + strings.Replace(serving("first"), "exec ", "", 1)})
	before := d.running(t)
	d.live(t, release{script: serving("second")})
	if after := d.running(t); after[d.ships[0].Name] == before[d.ships[0].Name] {
		t.Error("the old container runs on")
	}
}

// TestAnImageThatOneShipCannotPull deploys from a registry that refuses one of
// three ships: nothing is touched on any.
func TestAnImageThatOneShipCannotPull(t *testing.T) {
	t.Parallel()
	d := newOwnDock(t, 3)
	d.live(t, release{script: serving("first")})
	before := d.running(t)
	enough := d.asks(t)
	image := d.image
	image.Repository = refusing(t, d.ships[2].Address) + "/library/busybox"
	outcome, err := d.apply(t, d.Fleet, release{script: serving("second"), image: image}, func(e deployer.Event) {
		if e.Kind == deployer.Created || e.Kind == deployer.Started || e.Text == "started" {
			t.Errorf("touched: %s", e)
		}
	})
	enough()
	if outcome.Status != batuta.Failed || outcome.Undone != nil || err == nil || !strings.Contains(err.Error(), string(d.ships[2].Name)) {
		t.Errorf("apply = %v, %v; want the name of the ship", outcome, err)
	}
	d.leftAlone(t, before, "")
}

// refusing is a registry with the lab's images that one address cannot use.
func refusing(t *testing.T, address string) (hostPort string) {
	t.Helper()
	upstream, err := url.Parse("http://" + lab.Bases(t, lab.Busybox).Bridge)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(upstream)
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if from, _, _ := net.SplitHostPort(r.RemoteAddr); from == address {
			http.Error(w, "not for you", http.StatusForbidden)
			return
		}
		proxy.ServeHTTP(w, r)
	})}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(lab.Machine, "0"))
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		if err := errors.Join(server.Close(), ignoreClosed(<-served)); err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// TestAFullDisk deploys an image that does not fit on the ship.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	d := newOwnDock(t, 1)
	shrink(t, d.ships[0], "32m")
	d.live(t, release{script: serving("first")})
	before := d.running(t)
	enough := d.asks(t)
	big := pinned(t, lab.Debian, "bookworm-slim")
	outcome, err := d.apply(t, d.Fleet, release{script: serving("second"), image: big}, nil)
	enough()
	if outcome.Status != batuta.Failed || outcome.Undone != nil || err == nil {
		t.Fatalf("apply = %v, %v", outcome, err)
	}
	if text := err.Error(); !strings.Contains(text, "space") || !strings.Contains(text, string(d.ships[0].Name)) {
		t.Errorf("the error does not tell that there is no space on the ship: %s", text)
	}
	t.Log(err)
	d.leftAlone(t, before, "")
}

// shrink gives an empty ship a disk of a bounded size.
func shrink(t *testing.T, ship lab.Ship, size string) {
	t.Helper()
	root, err := host.Output(t.Context(), "docker", "--host", ship.Endpoint, "info", "--format", "{{.DockerRootDir}}")
	if err != nil {
		t.Fatal(err)
	}
	if err := ship.KillDaemon(t.Context()); err != nil {
		t.Fatal(err)
	}
	// the lab unmounts what is mounted below its ships when they go
	if err := host.Run(t.Context(), "mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", strings.TrimSpace(root)); err != nil {
		t.Fatal(err)
	}
	if err := ship.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
}
