package keeper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"batuta/internal/lab"
	"batuta/internal/lab/host"
)

// startTimeout bounds how long a daemon may take to answer. It takes two
// seconds on an idle machine; tests keep machines busy.
const startTimeout = 2 * time.Minute

// engine is a Docker daemon and the containerd it works with, which is its
// own even where the machine has one, so that engines do not see each other's
// containers.
type engine struct {
	dir, data string // its sockets and logs; its images and containers
	socket    string
	tcp       string       // tcp://host:port, or empty
	netns     string       // the network namespace it lives in; empty for the machine's
	mirror    string       // of docker.io, host:port
	tls       lab.TLSFiles // of the tcp endpoint; zero: it is plain
	programs  string       // the directory of its programs; empty: the machine's

	containerd, dockerd *host.Process // nil for an engine that the lab found running
	guests              []string      // images put on an engine that the lab found running
}

func newEngine(name, mirror string) *engine {
	dir := filepath.Join(lab.StateDir, name)
	return &engine{dir: dir, data: filepath.Join(DataDir, name), socket: filepath.Join(dir, "docker.sock"), mirror: mirror}
}

// start starts both daemons and waits until the engine answers.
func (e *engine) start(ctx context.Context) error {
	for _, dir := range []string{e.dir, e.data} {
		if err := os.MkdirAll(dir, 0o711); err != nil {
			return err
		}
	}
	if err := e.startContainerd(ctx); err != nil {
		return err
	}
	return e.startDockerd(ctx)
}

func (e *engine) startContainerd(ctx context.Context) (err error) {
	config := filepath.Join(e.dir, "containerd.toml")
	const noKubernetes = "version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n"
	if err := os.WriteFile(config, []byte(noKubernetes), 0o600); err != nil {
		return err
	}
	e.containerd, err = e.run("containerd", "--config", config, "--address", e.containerdSocket(),
		"--root", filepath.Join(e.data, "containerd"), "--state", filepath.Join(e.dir, "containerd"))
	if err != nil {
		return err
	}
	return answers(ctx, e.containerd, func() error { return dial(ctx, e.containerdSocket()) })
}

func (e *engine) startDockerd(ctx context.Context) (err error) {
	pid, config := filepath.Join(e.dir, "docker.pid"), filepath.Join(e.dir, "daemon.json")
	if err := os.WriteFile(config, []byte("{}\n"), 0o600); err != nil { // or it would read the machine's
		return err
	}
	if err := ignoreMissing(os.Remove(pid)); err != nil {
		return err
	}
	args := []string{"--config-file", config, "--pidfile", pid, "--containerd", e.containerdSocket(),
		"--data-root", filepath.Join(e.data, "docker"), "--exec-root", filepath.Join(e.dir, "docker"),
		"--exec-opt", "native.cgroupdriver=cgroupfs", "--insecure-registry", lab.Network,
		"--registry-mirror", "http://" + e.mirror, "-H", "unix://" + e.socket}
	switch {
	case e.tls != (lab.TLSFiles{}):
		args = append(args, "-H", e.tcp, "--tlsverify", "--tlscacert", e.tls.CA, "--tlscert", e.tls.Cert, "--tlskey", e.tls.Key)
	case e.tcp != "":
		args = append(args, "-H", e.tcp, "--tls=false")
	}
	if e.dockerd, err = e.run("dockerd", args...); err != nil {
		return err
	}
	return errors.Join(answers(ctx, e.dockerd, func() error { return e.ping(ctx) }), handOver(e.socket))
}

// run starts a daemon in the engine's network namespace. It goes through
// nsenter and not ip netns exec, which would hide the cgroup mounts.
func (e *engine) run(program string, args ...string) (*host.Process, error) {
	log := filepath.Join(e.dir, program+".log")
	if e.netns == "" {
		return host.Start(log, program, args...)
	}
	command := []string{"--net=/run/netns/" + e.netns, program}
	if e.programs != "" {
		command = []string{command[0], "env", "PATH=" + e.programs + ":" + os.Getenv("PATH"), program}
	}
	return host.Start(log, "nsenter", append(command, args...)...)
}

// remove kills the engine with its containers, and removes its files.
func (e *engine) remove(ctx context.Context) error {
	for _, p := range []*host.Process{e.dockerd, e.containerd} {
		if p == nil {
			continue
		}
		if err := p.Kill(); err != nil {
			return err
		}
	}
	return clearDirs(ctx, e.dir, e.data)
}

// err is nil while the engine runs.
func (e *engine) err() error {
	if e.dockerd == nil {
		return e.ping(context.Background()) // one that was found running: nobody owns the question
	}
	return errors.Join(e.containerd.Err(), e.dockerd.Err())
}

func (e *engine) containerdSocket() string { return filepath.Join(e.dir, "containerd.sock") }

// ping asks the engine for a sign of life, for at most two seconds.
func (e *engine) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return e.request(ctx, http.MethodGet, "/_ping", nil)
}

// answers waits until a daemon that was started answers, or has ended.
func answers(ctx context.Context, p *host.Process, ask func() error) error {
	var ended error
	err := lab.Eventually(ctx, startTimeout, func() error {
		if ended = p.Err(); ended != nil {
			return nil
		}
		return ask()
	})
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, host.Tail(p.Log()))
	}
	return errors.Join(ended, err)
}

// dial tells whether something listens on a socket.
func dial(ctx context.Context, socket string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	return conn.Close()
}
