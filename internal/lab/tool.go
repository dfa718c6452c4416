package lab

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"batuta/internal/lab/host"
)

// Tool gives the path of a program of BuildKit, buildkitd or buildctl, in the
// version that lab/tools/go.mod pins. It is compiled once (two minutes) and
// kept in the user's cache directory.
func Tool(ctx context.Context, name string) (string, error) {
	source, err := sourceDir(ctx)
	if err != nil {
		return "", err
	}
	source = filepath.Join(source, "internal", "lab", "tools")
	pins, err := os.ReadFile(filepath.Join(source, "go.mod"))
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(cache, "batuta", "tools", fmt.Sprintf("%.6x", sha256.Sum256(pins)), name)
	return path, host.Once(path, func(part string) error {
		return host.Run(ctx, "go", "build", "-C", source, "-ldflags", "-s -w", "-o", part, "github.com/moby/buildkit/cmd/"+name)
	})
}

// sourceDir is the root of the module that the current directory is in.
func sourceDir(ctx context.Context) (string, error) {
	out, err := host.Output(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "batuta")
	if err != nil {
		return "", fmt.Errorf("find the source of batuta from the current directory: %w", err)
	}
	return strings.TrimSpace(out), nil
}
