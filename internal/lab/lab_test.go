package lab_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"batuta/internal/lab"
)

func TestShipsAnswerOnBothEndpoints(t *testing.T) {
	t.Parallel()
	ships := lab.Ships(t, 2)
	if ships[0].Name == ships[1].Name || ships[0].Address == ships[1].Address {
		t.Fatalf("two ships are one: %+v", ships)
	}
	for _, ship := range ships {
		for _, endpoint := range []string{ship.Endpoint, ship.TCP} {
			if err := ping(t.Context(), endpoint); err != nil {
				t.Errorf("%s: %v", ship.Name, err)
			}
		}
	}
}

func TestShipsRunBaseImages(t *testing.T) {
	t.Parallel()
	lab.Bases(t, lab.Busybox)
	ship := lab.Ships(t, 1)[0]
	if got := docker(t, ship.TCP, "run", "--rm", "busybox", "echo", "ahoy"); got != "ahoy" {
		t.Errorf("the container said %q", got)
	}
}

func TestShipsReachEachOtherAndTheMachine(t *testing.T) {
	t.Parallel()
	registry := lab.Bases(t, lab.Busybox)
	ships := lab.Ships(t, 2)
	for _, host := range []string{registry.Bridge + "/v2/", strings.TrimPrefix(ships[1].TCP, "tcp://") + "/_ping"} {
		docker(t, ships[0].TCP, "run", "--rm", "busybox", "wget", "-q", "-O", "-", "http://"+host)
	}
}

func TestOwnShipIsCutAndHealed(t *testing.T) {
	t.Parallel()
	ship := lab.OwnShips(t, 1)[0]
	do(t, ship.Cut)
	if err := ping(t.Context(), ship.TCP); err == nil {
		t.Error("a ship that is cut off answers")
	}
	if err := ping(t.Context(), ship.Endpoint); err != nil {
		t.Errorf("a ship that is cut off does not answer on its own machine: %v", err)
	}
	do(t, ship.Heal)
	lab.Wait(t, 10*time.Second, func() error { return ping(t.Context(), ship.TCP) })
}

func TestOwnShipIsFrozenKilledAndRestarted(t *testing.T) {
	t.Parallel()
	ship := lab.OwnShips(t, 1)[0]
	do(t, ship.Freeze)
	if err := ping(t.Context(), ship.Endpoint); err == nil {
		t.Error("a frozen daemon answers")
	}
	do(t, ship.Thaw)
	lab.Wait(t, 10*time.Second, func() error { return ping(t.Context(), ship.Endpoint) })
	do(t, ship.KillDaemon)
	if err := ping(t.Context(), ship.Endpoint); err == nil {
		t.Error("a killed daemon answers")
	}
	do(t, ship.Restart)
	if err := ping(t.Context(), ship.TCP); err != nil {
		t.Errorf("after the restart: %v", err)
	}
}

func TestSharedShipsAreNotBroken(t *testing.T) {
	t.Parallel()
	if err := lab.Ships(t, 1)[0].Cut(t.Context()); err == nil {
		t.Error("a ship was cut off that others use")
	}
}

func TestOwnShipsAreGoneWithTheirUser(t *testing.T) {
	t.Parallel()
	var ship lab.Ship
	t.Run("user", func(t *testing.T) {
		lab.Bases(t, lab.Busybox)
		ship = lab.OwnShips(t, 1)[0]
		docker(t, ship.TCP, "run", "-d", "busybox", "sleep", "3600")
	})
	lab.Wait(t, 30*time.Second, func() error {
		if _, err := os.Stat(strings.TrimPrefix(ship.Endpoint, "unix://")); !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("%s is still there: %w", ship.Endpoint, err)
		}
		return nil
	})
}

func TestBuildKitBuildsFromBaseImages(t *testing.T) {
	t.Parallel()
	registry := lab.Bases(t, lab.Busybox)
	address := lab.BuildKit(t)
	buildctl, err := lab.Tool(t.Context(), "buildctl")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM busybox\nRUN echo ahoy >/greeting\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	image := registry.Bridge + "/lab/greeting:1"
	cmd := exec.CommandContext(t.Context(), buildctl, "--addr", address, "build", "--frontend", "dockerfile.v0",
		"--local", "context="+dir, "--local", "dockerfile="+dir, "--output", "type=image,push=true,name="+image)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("buildctl: %v\n%s", err, out)
	}
	ship := lab.Ships(t, 1)[0]
	if got := docker(t, ship.TCP, "run", "--rm", image, "cat", "/greeting"); got != "ahoy" {
		t.Errorf("the image has %q", got)
	}
}

func TestMachineHasBaseImages(t *testing.T) {
	t.Parallel()
	endpoint := lab.Docker(t, lab.Busybox)
	if got := docker(t, endpoint, "run", "--rm", "busybox", "echo", "ahoy"); got != "ahoy" {
		t.Errorf("the container said %q", got)
	}
}

func TestNodeRuns(t *testing.T) {
	t.Parallel()
	lab.Bases(t, lab.Node)
	ship := lab.Ships(t, 1)[0]
	if got := docker(t, ship.TCP, "run", "--rm", "node:20-slim", "node", "--print", "6*7"); got != "42" {
		t.Errorf("node said %q", got)
	}
}

func TestGitIsTheSameOnEveryMachine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lab.Git(t, dir, "init")
	lab.Git(t, dir, "commit", "--allow-empty", "-m", "first")
	if got := lab.Git(t, dir, "log", "-1", "--format=%an %D"); got != "Ada HEAD -> main" {
		t.Errorf("the commit is by and on %q", got)
	}
}

func TestFreePortIsFree(t *testing.T) {
	t.Parallel()
	address := net.JoinHostPort("127.0.0.1", fmt.Sprint(lab.FreePort(t, "127.0.0.1")))
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestEventuallyTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	want := errors.New("the tide is out")
	if err := lab.Eventually(t.Context(), time.Millisecond, func() error { return want }); !errors.Is(err, want) {
		t.Errorf("got %v", err)
	}
}

// ping asks a Docker daemon for a sign of life, for at most two seconds.
func ping(ctx context.Context, endpoint string) error {
	network, address, _ := strings.Cut(endpoint, "://")
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://daemon/_ping", nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// docker runs the docker command and gives what it printed.
func docker(t *testing.T, endpoint string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "docker", append([]string{"--host", endpoint}, args...)...)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, said.String())
	}
	return strings.TrimSpace(string(out))
}

func do(t *testing.T, act func(context.Context) error) {
	t.Helper()
	if err := act(t.Context()); err != nil {
		t.Fatal(err)
	}
}
