package builder_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/crane"

	"batuta/builder"
	"batuta/internal/lab"
)

// ownBuildkitd starts a buildkitd that nobody else has, until t ends or stop
// is called.
func ownBuildkitd(t *testing.T) (endpoint string, stop func()) {
	t.Helper()
	program, err := lab.Tool(t.Context(), "buildkitd")
	must(t, err)
	dir := t.TempDir()
	config := filepath.Join(dir, "buildkitd.toml")
	must(t, os.WriteFile(config, []byte("[otel]\nsocketPath = \""+filepath.Join(dir, "otel.sock")+"\"\n"), 0o600))
	endpoint = "unix://" + filepath.Join(dir, "buildkitd.sock")
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	daemon := exec.CommandContext(ctx, program, "--config", config, "--addr", endpoint, "--root", filepath.Join(dir, "root"),
		"--oci-worker-net=host", "--oci-worker-binary=runc")
	daemon.Cancel = func() error { return daemon.Process.Signal(syscall.SIGTERM) } // it unmounts what it mounted
	daemon.WaitDelay = 20 * time.Second
	must(t, daemon.Start())
	stop = func() {
		cancel()
		_ = daemon.Wait() // says that it was stopped
	}
	t.Cleanup(stop)
	b, err := builder.New(builder.Config{Endpoint: endpoint})
	must(t, err)
	t.Cleanup(func() { must(t, b.Close()) })
	lab.Wait(t, time.Minute, func() error {
		_, err := b.Check(t.Context())
		return err
	})
	return endpoint, stop
}

func TestPoolGoesOnWhenABuilderIsGone(t *testing.T) {
	t.Parallel()
	b := onBuildkitd(t)
	endpoint, stop := ownBuildkitd(t)
	own := b
	own.endpoint = endpoint
	must(t, crane.Copy(lab.Bases(t, lab.Busybox).Loopback+"/library/busybox:latest", b.registry+"/busybox:1", crane.Insecure))
	pool := builder.NewPool(builder.Member{Name: "own", Daemon: own.builder(t), Limit: 1}, builder.Member{Name: "shared", Daemon: b.builder(t), Limit: 1})
	r := b.request(t, builder.Recipe{Cache: builder.Cache{To: builder.CacheMax}}, map[string]string{
		"Dockerfile": "FROM " + b.registry + "/busybox:1 AS made\nCOPY page /\nRUN cat /page >/made\nFROM scratch\nCOPY --from=made /made /\n",
	})
	must(t, os.WriteFile(filepath.Join(r.Source, "page"), []byte(r.Revision), 0o644))
	r.Time = committed
	var first, second, third output
	one, err := pool.Build(t.Context(), r, &first)
	must(t, err)
	if _, err := pool.Build(t.Context(), r, &second); err != nil {
		t.Fatal(err)
	}
	for _, log := range []*output{&first, &second} {
		if !strings.HasPrefix(log.String(), "builder own\n") {
			t.Errorf("it was built elsewhere:\n%s", log)
		}
	}
	stop()
	three, err := pool.Build(t.Context(), r, &third)
	must(t, err)
	if log := third.String(); !strings.HasPrefix(log, "builder own is passed over: ") || !strings.Contains(log, "\nbuilder shared\n") {
		t.Errorf("the log is\n%s", log)
	}
	if one.Cached || !three.Cached || three.Image != one.Image {
		t.Errorf("the other builder did not take %+v from the registry's cache: %+v\n%s", one, three, &third)
	}
}
