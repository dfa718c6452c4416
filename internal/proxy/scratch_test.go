package proxy_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestFromAnImageMadeFromScratch starts the server where a static image does:
// a read-only file system with the program and the site and nothing else, the
// one variable that Docker sets, and a user who owns nothing.
func TestFromAnImageMadeFromScratch(t *testing.T) {
	t.Parallel()
	image := scratch(t)
	began := time.Now()
	cmd := exec.CommandContext(t.Context(), "/serve", "/site", "127.0.0.1:0")
	cmd.Dir, cmd.Env = "/", []string{"HOME=/"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: image, Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatalf("start in a chroot (the tests need root): %v", err)
	}
	log := bufio.NewReader(out)
	line, err := log.ReadString('\n')
	found := regexp.MustCompile(`address=(\S+)`).FindStringSubmatch(line)
	if err != nil || found == nil {
		_ = cmd.Wait()
		t.Fatalf("no address: %v\n%s%s", err, line, &stderr)
	}
	resp, body := get(t, http.MethodGet, "http://"+found[1]+"/font.woff2")
	t.Logf("first answer after %v, %d MB of memory", time.Since(began).Round(time.Millisecond), memory(t, cmd.Process.Pid)>>20)
	if body != "font" || resp.Header.Get("Content-Type") != "font/woff2" {
		t.Errorf("%s %v %q", resp.Status, resp.Header, body)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(log)
	if err := cmd.Wait(); err != nil || len(rest) > 0 || stderr.Len() > 0 {
		t.Errorf("stop: %v; it said %s%s", err, rest, &stderr)
	}
}

// scratch mounts a read-only file system with the program at /serve and the
// files at /site, until the test ends.
func scratch(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	if err := syscall.Mount("tmpfs", root, "tmpfs", 0, "mode=755"); err != nil {
		t.Fatalf("mount (the tests need root): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(root, 0); err != nil {
			t.Errorf("unmount %s: %v", root, err)
		}
	})
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(root, "serve"), "./testdata/serve")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	write(t, filepath.Join(root, "site"))
	if err := syscall.Mount("", root, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	return root
}

// memory is the resident set of a process, in bytes.
func memory(t *testing.T, pid int) int {
	t.Helper()
	statm, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(statm))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}
