// Package host is how the lab works with the machine it runs on: programs that
// are run, or kept running, and files that are made once.
package host

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// Run runs a program to its end. What it says is told only if it fails.
func Run(ctx context.Context, name string, args ...string) error {
	_, err := Output(ctx, name, args...)
	return err
}

// Output runs a program to its end and gives its standard output. What it says
// otherwise is told only if it fails.
func Output(ctx context.Context, name string, args ...string) (string, error) {
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, out.Bytes(), said.Bytes())
	}
	return out.String(), nil
}

// tailSize is as much of a log as helps in an error message.
const tailSize = 2000

// Tail is the end of a log, for an error message; if it cannot be read, why.
func Tail(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err.Error()
	}
	out, err := io.ReadAll(io.NewSectionReader(f, max(0, info.Size()-tailSize), tailSize))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(out))
}
