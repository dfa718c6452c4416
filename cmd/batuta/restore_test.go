package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"batuta/internal/archive"
	"batuta/internal/config"
	"batuta/internal/lab"
	"batuta/internal/store"
)

// restorable is a server.yml with an empty data directory, and a backup with
// a database and so many logs.
func restorable(t *testing.T, logs int) (file, data, backup string) {
	t.Helper()
	dir, from := t.TempDir(), t.TempDir()
	file, data, backup = filepath.Join(dir, "server.yml"), filepath.Join(dir, "data"), filepath.Join(dir, "a.batuta")
	err := os.WriteFile(file, fmt.Appendf(nil, "listen: 127.0.0.1:0\ndata: %s\nships: {here: {endpoint: \"unix:///nowhere\"}}\napps: {hello: {}}\n", data), 0o600)
	if err := errors.Join(err, os.Mkdir(filepath.Join(from, "logs"), 0o700)); err != nil {
		t.Fatal(err)
	}
	for i := range logs {
		if err := os.WriteFile(filepath.Join(from, "logs", fmt.Sprint(i, ".log")), fmt.Appendf(nil, "run %d\n", i), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	db, err := store.Open(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	w, err := archive.Create(backup, archive.Manifest{Binary: "1.2.3", Made: time.Now(), Images: true})
	if err != nil {
		t.Fatal(err)
	}
	err = w.AddTree("logs", filepath.Join(from, "logs"), func(string) bool { return true })
	err = errors.Join(err, w.Add("batuta.db", filepath.Join(from, "batuta.db")))
	_, committed := w.Commit()
	if err := errors.Join(err, committed, w.Close()); err != nil {
		t.Fatal(err)
	}
	return file, data, backup
}

// starts tells how a server starts on what is there.
func starts(t *testing.T, file string) error {
	t.Helper()
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newServer(t.Context(), cfg, parts{log: slog.New(slog.DiscardHandler), binary: binary(t)})
	if err == nil {
		err = s.Close()
	}
	return err
}

// TestARestoreIsKilled kills one with SIGKILL while it unpacks: no server
// starts on what it left, and the next begins anew and ends.
func TestARestoreIsKilled(t *testing.T) {
	t.Parallel()
	const logs = 2000
	file, data, backup := restorable(t, logs)
	child := exec.CommandContext(t.Context(), binary(t), "restore", "--config", file, backup)
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lab.Wait(t, time.Minute, func() error {
		_, err := os.Stat(filepath.Join(data, unpacking, "logs", "10.log"))
		return err
	})
	_ = child.Process.Kill() // it is seen below whether it was in time
	_ = child.Wait()
	if _, err := os.Stat(filepath.Join(data, "batuta.db")); !os.IsNotExist(err) {
		t.Fatalf("a restore that was killed left a database: %v", err)
	}
	if err := starts(t, file); err == nil || !strings.Contains(err.Error(), "was interrupted") {
		t.Errorf("a server on what a restore that was killed left: %v", err)
	}
	if code, said := command(t, "restore", "--config", file, backup); code != 0 {
		t.Fatalf("restore again: exit %d: %s", code, said)
	}
	isRestored(t, file, data, logs)
}

// TestARestoreStopsBetweenMoves has a restore that was killed when a part of
// what it unpacked stood at its place.
func TestARestoreStopsBetweenMoves(t *testing.T) {
	t.Parallel()
	file, data, backup := restorable(t, 3)
	err := errors.Join(os.MkdirAll(filepath.Join(data, unpacking, "logs"), 0o700), os.MkdirAll(filepath.Join(data, "git"), 0o700),
		os.WriteFile(filepath.Join(data, "batuta.db"), []byte("whole"), 0o600), os.WriteFile(filepath.Join(data, unpacking, "logs", "0.log"), nil, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	if err := starts(t, file); err == nil || !strings.Contains(err.Error(), "was interrupted") {
		t.Errorf("a server between two moves: %v", err)
	}
	if code, said := command(t, "restore", "--config", file, backup); code != 0 {
		t.Fatalf("restore again: exit %d: %s", code, said)
	}
	if _, err := os.Stat(filepath.Join(data, "git")); !os.IsNotExist(err) {
		t.Errorf("what the first restore moved is still there: %v", err)
	}
	isRestored(t, file, data, 3)
}

// isRestored wants what restorable packed, and a server that starts on it.
func isRestored(t *testing.T, file, data string, logs int) {
	t.Helper()
	for _, i := range []int{0, logs / 2, logs - 1} {
		if text, err := os.ReadFile(filepath.Join(data, "logs", fmt.Sprint(i, ".log"))); err != nil || string(text) != fmt.Sprintf("run %d\n", i) {
			t.Errorf("log %d is %q, %v", i, text, err)
		}
	}
	if there, err := contents(data); err != nil || len(there) != 2 {
		t.Errorf("the data directory has %q, %v", there, err)
	}
	if err := starts(t, file); err != nil {
		t.Errorf("a server on what was restored: %v", err)
	}
}
