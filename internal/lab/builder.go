package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"batuta/internal/lab/host"
)

// buildKitConfig leaves out what is not a fact of the lab: for loopback
// registries BuildKit uses plain HTTP by itself, on any port, and for others
// when the image exporter is given registry.insecure=true.
const buildKitConfig = `
[otel]
  socketPath = %[3]q
[worker.oci]
  enabled = true
[worker.containerd]
  enabled = false
[registry."docker.io"]
  mirrors = [%[1]q]
[registry.%[1]q]
  http = true
[registry.%[2]q]
  http = true
`

// BuildKitConfig is the buildkitd.toml of a daemon whose docker.io is the base
// images' registry; otel is the path of a socket that it may have.
func BuildKitConfig(bases Registry, otel string) []byte {
	return fmt.Appendf(nil, buildKitConfig, bases.Loopback, bases.Bridge, otel)
}

// Builder is a BuildKit daemon that nobody else has, which may be killed and
// cut off. Its methods are called one at a time.
type Builder struct {
	Address string // unix://…, where it answers, whatever happens to it

	dir     string
	program string
	daemon  *host.Process
	line    *line
}

// OwnBuildKit gives a fresh BuildKit daemon until t ends. Its docker.io has the
// given base images.
func OwnBuildKit(t testing.TB, bases ...Base) *Builder {
	t.Helper()
	registry := Bases(t, bases...)
	program, err := Tool(t.Context(), "buildkitd")
	must(t, err)
	dir := t.TempDir()
	b := &Builder{Address: "unix://" + filepath.Join(dir, "line.sock"), dir: dir, program: program}
	must(t, os.WriteFile(b.file("buildkitd.toml"), BuildKitConfig(registry, b.file("otel.sock")), 0o600))
	b.line, err = newLine(t.Context(), b.file("line.sock"), b.file("buildkitd.sock"))
	must(t, err)
	t.Cleanup(b.line.close)
	must(t, b.Restart(t.Context()))
	t.Cleanup(func() {
		if err := b.Kill(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *Builder) file(name string) string { return filepath.Join(b.dir, name) }

// Kill kills the daemon with SIGKILL, and what it builds with it.
func (b *Builder) Kill() error { return b.daemon.Kill() }

// Restart starts the daemon, again after Kill, with what it had on disk, and
// waits until it answers.
func (b *Builder) Restart(ctx context.Context) (err error) {
	// What it mounts is mounted for it alone, and is gone when it is.
	b.daemon, err = host.Start(b.file("buildkitd.log"), "unshare", "--mount", "--propagation", "private",
		b.program, "--config", b.file("buildkitd.toml"), "--addr", "unix://"+b.file("buildkitd.sock"),
		"--root", b.file("root"), "--oci-worker-net=host", "--oci-worker-binary=runc")
	if err != nil {
		return err
	}
	control, err := Tool(ctx, "buildctl")
	if err != nil {
		return err
	}
	return Eventually(ctx, time.Minute, func() error {
		if err := b.daemon.Err(); err != nil {
			return err
		}
		return host.Run(ctx, control, "--addr", "unix://"+b.file("buildkitd.sock"), "debug", "workers")
	})
}

// Plain starts the daemon again as one that speaks plain HTTP with a registry
// (host:port) whatever it does there.
func (b *Builder) Plain(ctx context.Context, registry string) error {
	config, err := os.OpenFile(b.file("buildkitd.toml"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(config, "[registry.%q]\n  http = true\n", registry)
	return errors.Join(err, config.Close(), b.Kill(), b.Restart(ctx))
}

// Cut breaks every connection to the daemon, and lets no new one through.
func (b *Builder) Cut() { b.line.cut() }

// Heal lets connections to the daemon through again.
func (b *Builder) Heal() { b.line.heal() }

// Idle is nil when the daemon builds nothing.
func (b *Builder) Idle(ctx context.Context) error {
	control, err := Tool(ctx, "buildctl")
	if err != nil {
		return err
	}
	active, err := host.Output(ctx, control, "--addr", "unix://"+b.file("buildkitd.sock"), "debug", "histories", "--format", activeBuilds)
	if refs := strings.Fields(active); err == nil && len(refs) > 0 {
		err = fmt.Errorf("builds go on: %q", refs)
	}
	return err
}

// activeBuilds has buildctl name the builds that have begun and not ended.
const activeBuilds = `{{if eq .Type 0}}{{.Record.Ref}}{{end}}`
