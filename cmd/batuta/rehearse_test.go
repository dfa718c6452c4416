package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"batuta/internal/lab"
)

const localRecipe = `
app: local-%
images: {web: {}}
test:
- {name: word, run: 'test "$WORD" = spoken-word && echo "it is $WORD"', env: {WORD: "${secret:word}"}}
promote: [qa]
`

// localCopy is a working copy that nobody committed, of an app of that name.
func localCopy(t *testing.T, name string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for file, text := range map[string]string{
		"batuta.yml": strings.Replace(localRecipe, "%", name, 1), "Dockerfile": "FROM busybox\nCOPY here /here\n", "here": name,
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestAWorkingCopyIsRehearsed builds and tests without a server, with and
// without success, and once is interrupted.
func TestAWorkingCopyIsRehearsed(t *testing.T) {
	t.Parallel()
	engine := lab.Docker(t, lab.Busybox)
	env := map[string]string{"DOCKER_HOST": engine, "BATUTA_SECRET_WORD": "spoken-word", "HOME": t.TempDir()}
	own := strings.ToLower(rand.Text()[:8]) // not what another that was killed left
	dir := localCopy(t, own)
	code, out, errs := call(t, env, "run", "--local", dir)
	if code != 0 || !strings.Contains(out, "it is [secret]") || strings.Contains(out, "spoken-word") {
		t.Errorf("it ended with %d:\n%s%s", code, out, errs)
	}
	env["BATUTA_SECRET_WORD"] = "another-word"
	if code, out, errs := call(t, env, "run", "--local", dir); code != 1 || !strings.Contains(errs, "test word: exit code 1") {
		t.Errorf("a test that fails ended with %d:\n%s%s", code, out, errs)
	}

	slow := localCopy(t, own+"-slow")
	text := strings.Replace(strings.Replace(localRecipe, "%", own+"-slow", 1), `test "$WORD"`, `echo begun; sleep 60; test "$WORD"`, 1)
	if err := os.WriteFile(filepath.Join(slow, "batuta.yml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	shown := &wordWaiter{word: "begun", seen: interrupt}
	var complaints bytes.Buffer
	p := &program{stdin: strings.NewReader(""), stdout: shown, stderr: &complaints, getenv: func(name string) string { return env[name] }, now: time.Now}
	if code := p.run(ctx, []string{"run", "--local", slow}); code == 0 || ctx.Err() == nil {
		t.Errorf("an interrupted run ended with %d:\n%s%s", code, shown.text, complaints.String())
	}
	for _, args := range [][]string{
		{"ps", "--all", "--filter", "label=batuta.test=word", "--format", "{{.Label \"batuta.server\"}}"},
		{"network", "ls", "--filter", "label=batuta.test=word", "--format", "{{.Name}}"},
		{"images", "--format", "{{.Repository}}"},
	} {
		left, err := exec.CommandContext(t.Context(), "docker", append([]string{"--host", engine}, args...)...).CombinedOutput()
		if err != nil || args[0] != "images" && len(bytes.TrimSpace(left)) > 0 || strings.Contains(string(left), "/local-"+own) {
			t.Errorf("docker %s: %s%v", args[0], left, err)
		}
	}
}

// wordWaiter calls seen when a word was printed.
type wordWaiter struct {
	word, text string
	seen       func()
}

func (w *wordWaiter) Write(p []byte) (int, error) {
	if w.text += string(p); strings.Contains(w.text, w.word) {
		w.seen()
	}
	return len(p), nil
}
