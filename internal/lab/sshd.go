package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"batuta/internal/lab/host"
)

// SSHD is an OpenSSH server that a test has on this machine for itself. Who
// logs in is on the machine itself, and so at the unix endpoint of every ship.
type SSHD struct {
	Host       string
	Port       int
	User       string // who may log in: whoever runs the test
	Key        string // the file of the private key that lets in
	KnownHosts string // a file that has the server's key

	t       testing.TB
	dir     string
	process *host.Process
}

// NewSSHD starts a server with further lines of sshd_config; it is gone when t
// ends.
func NewSSHD(t testing.TB, settings ...string) *SSHD {
	t.Helper()
	who, err := user.Current()
	must(t, err)
	dir := t.TempDir()
	s := &SSHD{
		Host: "127.0.0.1", Port: FreePort(t, "127.0.0.1"), User: who.Username, t: t, dir: dir,
		Key: filepath.Join(dir, "key"), KnownHosts: filepath.Join(dir, "known_hosts"),
	}
	s.keygen(s.Key)
	s.Rekey()
	lines := append([]string{
		"Port " + strconv.Itoa(s.Port), "ListenAddress " + s.Host, "HostKey " + filepath.Join(dir, "host"), "PidFile none",
		"AuthorizedKeysFile " + s.Key + ".pub", "StrictModes no", "UsePAM no", "PasswordAuthentication no", "PermitRootLogin yes",
		"SetEnv HOME=" + dir, // what a person's own profile does is slow, or odd
	}, settings...)
	must(t, os.WriteFile(filepath.Join(dir, "config"), []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	if os.Geteuid() == 0 {
		must(t, os.MkdirAll("/run/sshd", 0o755)) // where it locks itself up
	}
	t.Cleanup(s.Kill)
	s.Start()
	return s
}

func (s *SSHD) keygen(file string) {
	s.t.Helper()
	must(s.t, errors.Join(ignoreMissing(os.Remove(file)), ignoreMissing(os.Remove(file+".pub"))))
	must(s.t, host.Run(s.t.Context(), "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file))
}

func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// Rekey gives the server another key at its next start, and makes that known.
func (s *SSHD) Rekey() {
	s.t.Helper()
	file := filepath.Join(s.dir, "host")
	s.keygen(file)
	key, err := os.ReadFile(file + ".pub")
	must(s.t, err)
	must(s.t, os.WriteFile(s.KnownHosts, fmt.Appendf(nil, "[%s]:%d %s", s.Host, s.Port, key), 0o600))
}

// Start starts the server and waits until it takes connections.
func (s *SSHD) Start() {
	s.t.Helper()
	program, err := exec.LookPath("sshd")
	if err != nil {
		program = "/usr/sbin/sshd"
	}
	s.process, err = host.Start(filepath.Join(s.dir, "log"), program, "-D", "-e", "-f", filepath.Join(s.dir, "config"))
	must(s.t, err)
	Wait(s.t, startTimeout, func() error {
		if err := s.process.Err(); err != nil {
			s.t.Fatal(err)
		}
		conn, err := new(net.Dialer).DialContext(s.t.Context(), "tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// Logins is how often somebody has logged in.
func (s *SSHD) Logins() int {
	s.t.Helper()
	log, err := os.ReadFile(s.process.Log())
	must(s.t, err)
	return strings.Count(string(log), "Accepted publickey")
}

// Kill kills the server with all its connections.
func (s *SSHD) Kill() {
	s.t.Helper()
	s.signal(syscall.SIGKILL)
	must(s.t, s.process.Kill())
}

// Freeze stops the server and its connections in their tracks.
func (s *SSHD) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw lets them go on.
func (s *SSHD) Thaw() { s.signal(syscall.SIGCONT) }

// signal reaches the server and those who serve its connections.
func (s *SSHD) signal(signal syscall.Signal) {
	s.t.Helper()
	for _, pid := range family(s.process.ID()) {
		if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			s.t.Errorf("%s to sshd %d: %v", signal, pid, err)
		}
	}
}

// family is a process and all that it started, each before its children.
func family(pid int) []int {
	all := []int{pid}
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // of one that has ended there are none
	for _, list := range lists {
		text, _ := os.ReadFile(list) // as above
		for child := range strings.FieldsSeq(string(text)) {
			if n, err := strconv.Atoi(child); err == nil {
				all = slices.Concat(all, family(n))
			}
		}
	}
	return all
}

// Agent starts an ssh-agent that holds a key, and gives its socket. It is gone
// when t ends.
func Agent(t testing.TB, key string) string {
	t.Helper()
	dir := t.TempDir()
	socket := filepath.Join(dir, "agent")
	agent, err := host.Start(filepath.Join(dir, "log"), "ssh-agent", "-D", "-a", socket)
	must(t, err)
	t.Cleanup(func() { must(t, agent.Kill()) })
	add := func(ctx context.Context) error {
		cmd := exec.CommandContext(ctx, "ssh-add", "-q", key)
		cmd.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket)
		return cmd.Run()
	}
	Wait(t, 10*time.Second, func() error { return errors.Join(agent.Err(), add(t.Context())) })
	return socket
}
