package keeper

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"batuta/internal/lab"
	"batuta/internal/lab/host"
)

// buildKit gives the address of the BuildKit daemon, started if need be.
func (k *keeper) buildKit(ctx context.Context, program string) (string, error) {
	return k.buildkit.get(func() (string, func() error, error) {
		dir := filepath.Join(lab.StateDir, "buildkit")
		if err := os.MkdirAll(dir, 0o711); err != nil {
			return "", nil, err
		}
		config, socket := filepath.Join(dir, "buildkitd.toml"), filepath.Join(dir, "buildkitd.sock")
		if err := os.WriteFile(config, lab.BuildKitConfig(k.bases.address, filepath.Join(dir, "otel.sock")), 0o600); err != nil {
			return "", nil, err
		}
		p, err := host.Start(filepath.Join(dir, "buildkitd.log"), program, "--config", config, "--addr", "unix://"+socket,
			"--root", filepath.Join(DataDir, "buildkit"), "--oci-worker-net=host", "--oci-worker-binary=runc")
		if err != nil {
			return "", nil, err
		}
		if err := answers(ctx, p, func() error { return dial(ctx, socket) }); err != nil {
			return "", nil, fmt.Errorf("start BuildKit: %w", err)
		}
		return "unix://" + socket, p.Err, handOver(socket)
	})
}
