package docker_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/docker"
	"batuta/internal/lab"
)

// through is the way to a ship's socket through an SSH server.
func through(s *lab.SSHD, at lab.Ship) string {
	return fmt.Sprintf("ssh://%s@%s:%d%s", s.User, s.Host, s.Port, strings.TrimPrefix(at.Endpoint, "unix://"))
}

func login(s *lab.SSHD) deployer.Reach {
	return deployer.Reach{SSH: &deployer.SSH{Key: s.Key, KnownHosts: s.KnownHosts}}
}

// tunnelled is the way to a ship's TCP endpoint through an SSH server.
func tunnelled(s *lab.SSHD) deployer.Reach {
	return deployer.Reach{SSH: &deployer.SSH{Host: s.Host, Port: s.Port, User: s.User, Key: s.Key, KnownHosts: s.KnownHosts}}
}

func overSSH(t *testing.T, s *lab.SSHD) *docker.Ship {
	t.Helper()
	at := lab.Ships(t, 1)[0]
	return dial(t, at.Name, through(s, at), docker.Options{Reach: login(s)})
}

func TestShipThroughSSHKeepsTheContract(t *testing.T) {
	t.Parallel()
	at, s := lab.Ships(t, 1)[0], lab.NewSSHD(t)
	keepsTheContract(t, at, through(s, at), login(s))
}

func TestManyCallsThroughOneConnection(t *testing.T) {
	t.Parallel()
	s := lab.NewSSHD(t, "MaxSessions 0")
	must(t, manyCalls(t, overSSH(t, s)))
	if n := s.Logins(); n != 1 {
		t.Errorf("%d logins", n)
	}
}

func TestManyCallsThroughHelpers(t *testing.T) {
	t.Parallel()
	s := lab.NewSSHD(t, "AllowStreamLocalForwarding no")
	must(t, manyCalls(t, overSSH(t, s)))
	if n := s.Logins(); n > 5 {
		t.Errorf("%d logins", n)
	}
}

// manyCalls makes 25 calls at the same time.
func manyCalls(t *testing.T, ship *docker.Ship) error {
	t.Helper()
	var calls errgroup.Group
	for range 25 {
		calls.Go(func() error {
			_, err := ship.Containers(t.Context(), deployer.Scope{App: "nobody", Environment: "nowhere"})
			return err
		})
	}
	return calls.Wait()
}

// wrong tells unless an error is of a kind and has some words, in its text and
// in its hint.
func wrong(err error, kind batuta.Kind, says, hint string) error {
	e, ok := errors.AsType[*batuta.Error](err)
	switch {
	case !ok:
		return fmt.Errorf("not an error of ours: %w", err)
	case !errors.Is(err, kind) || !strings.Contains(err.Error(), says) || !strings.Contains(e.Hint, hint):
		return fmt.Errorf("%s: %w (%s); want %q, %q, %q", string(e.Kind), err, e.Hint, string(kind), says, hint)
	}
	return nil
}

func TestHostKeyIsNeverTakenOnTrust(t *testing.T) {
	t.Parallel()
	s := lab.NewSSHD(t)
	at := lab.Ships(t, 1)[0]
	empty := filepath.Join(t.TempDir(), "known_hosts")
	must(t, os.WriteFile(empty, nil, 0o600))
	reach := login(s)
	reach.SSH.KnownHosts = empty
	ship := dial(t, at.Name, through(s, at), docker.Options{Reach: reach})
	_, err := ship.Facts(t.Context())
	must(t, wrong(err, batuta.Denied, "is not known: it is ed25519 SHA256:", "add to "+empty+" the line: [127.0.0.1]"))

	e, _ := errors.AsType[*batuta.Error](err)
	_, line, _ := strings.Cut(e.Hint, "the line: ")
	must(t, os.WriteFile(empty, []byte(line+"\n"), 0o600)) // as it says
	_, err = ship.Facts(t.Context())
	must(t, err)

	s.Kill()
	s.Rekey()
	s.Start()
	lab.Wait(t, patient, func() error {
		_, err = ship.Facts(t.Context())
		return wrong(err, batuta.Denied, "has changed", "replace that line")
	})
	if !strings.Contains(err.Error(), empty+":1 has SHA256:") {
		t.Errorf("it does not say where: %v", err)
	}
}

func TestKeysThatDoNotOpen(t *testing.T) {
	t.Parallel()
	s, other := lab.NewSSHD(t), lab.NewSSHD(t)
	at := lab.Ships(t, 1)[0]
	text := filepath.Join(t.TempDir(), "text")
	must(t, os.WriteFile(text, []byte("no key"), 0o600))
	for name, c := range map[string]struct {
		change     func(*deployer.SSH)
		kind       batuta.Kind
		says, hint string
	}{
		"another's":      {func(s *deployer.SSH) { s.Key = other.Key }, batuta.Denied, "does not let " + s.User + " in", "authorized_keys"},
		"missing":        {func(s *deployer.SSH) { s.Key = "/no/such/key" }, batuta.Invalid, "/no/such/key", "ssh-keygen"},
		"no key":         {func(s *deployer.SSH) { s.Key = text }, batuta.Invalid, text, "ssh-keygen"},
		"no known hosts": {func(s *deployer.SSH) { s.KnownHosts = "/no/such/file" }, batuta.Invalid, "/no/such/file", "ssh-keyscan"},
	} {
		t.Run(name, func(t *testing.T) {
			reach := login(s)
			c.change(reach.SSH)
			_, err := dial(t, at.Name, through(s, at), docker.Options{Reach: reach}).Facts(t.Context())
			must(t, wrong(err, c.kind, c.says, c.hint))
		})
	}
}

func TestAgentOpens(t *testing.T) { //nolint:paralleltest // the environment is the process's
	s := lab.NewSSHD(t)
	at := lab.Ships(t, 1)[0]
	t.Setenv("SSH_AUTH_SOCK", lab.Agent(t, s.Key))
	reach := login(s)
	reach.SSH.Key = ""
	_, err := dial(t, at.Name, through(s, at), docker.Options{Reach: reach}).Facts(t.Context())
	must(t, err)
}

func TestSocketThatIsNotThere(t *testing.T) {
	t.Parallel()
	s := lab.NewSSHD(t)
	for endpoint, c := range map[string]struct {
		reach deployer.Reach
		says  string
		hint  string
	}{
		fmt.Sprintf("ssh://%s@%s:%d/no/such.sock", s.User, s.Host, s.Port): {login(s), "there is no socket /no/such.sock", "start Docker"},
		fmt.Sprintf("tcp://127.0.0.1:%d", lab.FreePort(t, "127.0.0.1")):    {tunnelled(s), "from there: Connection refused", ""},
	} {
		_, err := dial(t, "node1", endpoint, docker.Options{Reach: c.reach}).Facts(t.Context())
		must(t, wrong(err, batuta.Unavailable, "ship node1 does not answer", c.hint))
		must(t, wrong(err, batuta.Unavailable, c.says, c.hint))
	}
	nobody := fmt.Sprintf("ssh://127.0.0.1:%d", lab.FreePort(t, "127.0.0.1"))
	_, err := dial(t, "node1", nobody, docker.Options{Reach: login(s)}).Facts(t.Context())
	must(t, wrong(err, batuta.Unavailable, "connection refused", ""))
}

func TestForwardingThatIsForbidden(t *testing.T) {
	t.Parallel()
	at := lab.Ships(t, 1)[0]
	s := lab.NewSSHD(t, "AllowTcpForwarding no")
	_, err := dial(t, at.Name, at.TCP, docker.Options{Reach: tunnelled(s)}).Facts(t.Context())
	must(t, wrong(err, batuta.Denied, "does not forward", "AllowTcpForwarding yes"))
	s = lab.NewSSHD(t, "AllowStreamLocalForwarding no", "MaxSessions 0")
	_, err = overSSH(t, s).Facts(t.Context())
	must(t, wrong(err, batuta.Unavailable, "run a program there", "AllowStreamLocalForwarding yes"))
	bin := t.TempDir()
	must(t, os.Symlink("/bin/sh", filepath.Join(bin, "sh")))
	s = lab.NewSSHD(t, "AllowStreamLocalForwarding no", `ForceCommand PATH=`+bin+` sh -c "$SSH_ORIGINAL_COMMAND"`)
	_, err = overSSH(t, s).Facts(t.Context())
	must(t, wrong(err, batuta.Unavailable, "or sshd does not forward to it", "install Docker's command line"))
}

func TestSocketOfOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.Chmod(filepath.Dir(dir), 0o755)) // others see that it is there
	socket := filepath.Join(dir, "docker.sock")
	listener, err := new(net.ListenConfig).Listen(t.Context(), "unix", socket)
	must(t, err)
	t.Cleanup(func() { must(t, listener.Close()) })
	must(t, os.Chmod(socket, 0))
	force := `ForceCommand sh -c "$SSH_ORIGINAL_COMMAND"`
	if os.Geteuid() == 0 { // who may do everything
		force = `ForceCommand setpriv --reuid=65534 --regid=65534 --clear-groups sh -c "$SSH_ORIGINAL_COMMAND"`
	}
	s := lab.NewSSHD(t, "AllowStreamLocalForwarding no", force)
	endpoint := fmt.Sprintf("ssh://%s@%s:%d%s", s.User, s.Host, s.Port, socket)
	_, err = dial(t, "node1", endpoint, docker.Options{Reach: login(s)}).Facts(t.Context())
	must(t, wrong(err, batuta.Denied, socket+" may not be used", "usermod -aG docker"))
}

func TestKilledConnectionIsMadeAgain(t *testing.T) {
	t.Parallel()
	s := lab.NewSSHD(t)
	at := lab.Ships(t, 1)[0]
	b := benchOver(t, at, through(s, at), login(s))
	id := b.run(t, b.instance("echo begun; "+sleeps))
	begun, ended := make(signals), make(chan error, 1)
	go func() { ended <- b.Logs(t.Context(), id, -1, true, begun) }()
	<-begun
	s.Kill()
	if err := <-ended; !errors.Is(err, batuta.Unavailable) {
		t.Errorf("in mid-call: %v", err)
	}
	if _, err := b.Containers(t.Context(), b.scope); !errors.Is(err, batuta.Unavailable) {
		t.Errorf("while nobody serves: %v", err)
	}
	s.Start()
	b.only(t)
}

// signals tells that something is written.
type signals chan struct{}

func (s signals) Write(p []byte) (int, error) {
	s <- struct{}{}
	return len(p), nil
}

func TestFrozenConnectionHoldsUpNobody(t *testing.T) {
	t.Parallel()
	s := lab.NewSSHD(t)
	ship := overSSH(t, s)
	_, err := ship.Facts(t.Context())
	must(t, err)
	s.Freeze()
	for range 2 {
		soon, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		_, err = ship.Facts(soon)
		cancel()
		if !errors.Is(err, batuta.Unavailable) {
			t.Errorf("got %v", err)
		}
	}
	s.Thaw()
	lab.Wait(t, patient, func() error { _, err := ship.Facts(t.Context()); return err })
}
