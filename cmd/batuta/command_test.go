package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"batuta"
	"batuta/internal/api/apitest"
)

// TestMain lets scripts call this test's binary as batuta, at the time of the
// world that it asks.
func TestMain(m *testing.M) {
	if file := os.Getenv(killConfig); file != "" {
		os.Exit(serveToBeKilled(file))
	}
	testscript.Main(m, map[string]func(){"batuta": func() {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		p := &program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv, now: func() time.Time { return apitest.Now }}
		os.Exit(p.run(ctx, os.Args[1:]))
	}})
}

// TestScripts plays testdata/script/*.txtar, each against a server of its own
// with a world behind it.
func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			world := apitest.New(t, nil)
			testscript.Run(t, testscript.Params{
				Files:              []string{file},
				RequireUniqueNames: true,
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"world": func(ts *testscript.TestScript, _ bool, args []string) { change(ts, world, args) },
					"code":  code,
					"await": await,
				},
				Setup: func(env *testscript.Env) error {
					env.Setenv("BATUTA_URL", world.URL)
					env.Setenv("SERVER", world.URL)
					env.Setenv("BATUTA_TOKEN", apitest.Token("ana"))
					env.Setenv("ADMIN_TOKEN", apitest.Token("admin"))
					env.Setenv("READER_TOKEN", apitest.Token("reader"))
					env.Setenv("HOME", env.WorkDir)
					return nil
				},
			})
		})
	}
}

// change does something to the world: world hold, world move 1, world end 5
// failed, world sicken qa WHY, world print 5 STEP TEXT.
func change(ts *testscript.TestScript, w *apitest.World, args []string) {
	number := func(i int) int {
		n, err := strconv.Atoi(args[i])
		ts.Check(err)
		return n
	}
	switch args[0] {
	case "hold":
		w.Hold()
	case "move":
		w.Move(number(1))
	case "end":
		w.End(batuta.RunID(number(1)), batuta.RunStatus(args[2]))
	case "sicken":
		w.Sicken(batuta.EnvironmentName(args[1]), args[2])
	case "print":
		w.Print(batuta.RunID(number(1)), args[2], args[3])
	default:
		ts.Fatalf("the world does not know how to %s", args[0])
	}
}

// code runs a command and compares its exit code: code 3 batuta runs 99.
func code(ts *testscript.TestScript, _ bool, args []string) {
	script := filepath.Join(ts.Getenv("WORK"), ".code.sh")
	ts.Check(os.WriteFile(script, []byte("\"$@\"\ncode=$?\n[ $code = "+args[0]+" ] || echo \"exit code $code\" >&2\n[ $code = "+args[0]+" ]\n"), 0o600))
	ts.Check(ts.Exec("sh", append([]string{script}, args[1:]...)...))
}

// await waits until a file holds a text: await out.txt TEXT.
func await(ts *testscript.TestScript, _ bool, args []string) {
	late := time.After(20 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		data, _ := os.ReadFile(ts.MkAbs(args[0])) // not there yet
		if strings.Contains(string(data), args[1]) {
			return
		}
		select {
		case <-late:
			ts.Fatalf("%s never held %q:\n%s", args[0], args[1], data)
		case <-tick.C:
		}
	}
}
