package gitea

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"batuta/internal/lab/host"
)

// module is the version that is compiled. Those from 1.27 on need modules that
// the module proxy does not have.
const module = "code.gitea.io/gitea@v1.26.0"

// build gives the program, compiled once (six minutes of processor time) and
// kept in the user's cache directory, and the directory of its pages.
func build(ctx context.Context) (program, static string, err error) {
	said, err := host.Output(ctx, "go", "mod", "download", "-json", module)
	if err != nil {
		return "", "", err
	}
	var source struct{ Dir string }
	if err := json.Unmarshal([]byte(said), &source); err != nil {
		return "", "", fmt.Errorf("download Gitea: %w", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", "", err
	}
	program = filepath.Join(cache, "batuta", "tools", filepath.Base(module), "gitea")
	return program, source.Dir, host.Once(program, func(part string) error { return compile(ctx, source.Dir, part) })
}

// compile builds the module as its own go.mod says, from a copy of it: the
// module's directory cannot be written to. SQLite's C is not optimized, which
// would take longer than it saves.
func compile(ctx context.Context, source, program string) error {
	dir, err := os.MkdirTemp("", "batuta-gitea-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return err
		}
	}
	return host.Run(ctx, "env", "CGO_ENABLED=1", "CGO_CFLAGS=-O0", "go", "build", "-C", source, "-modfile", filepath.Join(dir, "go.mod"),
		"-tags", "sqlite,sqlite_unlock_notify", "-ldflags", "-s -w", "-o", program, ".")
}
