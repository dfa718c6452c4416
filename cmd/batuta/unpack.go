package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"batuta"
	"batuta/internal/archive"
)

const (
	// lockName is what a server that has stopped leaves in a directory
	// otherwise empty.
	lockName = "batuta.lock"
	// unpacking is the folder that a backup is unpacked into. As long as it is
	// there, the data directory is no server's.
	unpacking = ".restoring"
)

// unpack puts a backup that was verified into a data directory: beside what
// the server reads, and moved to its place once all of it is on disk.
func unpack(file, data string) error {
	if err := empty(data); err != nil { // of a restore that was interrupted
		return err
	}
	beside := filepath.Join(data, unpacking)
	if err := os.Mkdir(beside, 0o700); err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	if err := archive.SyncDir(data); err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	err := archive.Extract(file, beside)
	if err == nil {
		err = openRefs(beside)
	}
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(beside)
	for _, e := range entries {
		err = errors.Join(err, os.Rename(filepath.Join(beside, e.Name()), filepath.Join(data, e.Name())))
	}
	if err = errors.Join(err, archive.SyncDir(data)); err == nil {
		err = os.Remove(beside)
	}
	if err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	return archive.SyncDir(data)
}

// isWhole wants no restore to have been interrupted in a data directory.
func isWhole(data string) error {
	_, err := os.Stat(filepath.Join(data, unpacking))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, &batuta.Error{
		Kind: batuta.Conflict, Message: fmt.Sprintf("a restore into %s was interrupted, or goes on", data),
		Hint: "run `batuta restore` again: it begins anew, and the server can start once it has ended",
	})
}

// isEmpty wants nothing in a data directory, or only what a restore that was
// interrupted left.
func isEmpty(data string) error {
	there, err := contents(data)
	if err != nil || len(there) == 0 || slices.Contains(there, unpacking) {
		return err
	}
	return &batuta.Error{Kind: batuta.Conflict, Message: fmt.Sprintf("the data directory %s is not empty: it has %s", data, there[0]), Hint: "move away what is there, or let `data` in server.yml name another directory"}
}

// contents is what is in a data directory, but for its lock and what a file
// system has at its top.
func contents(data string) ([]string, error) {
	entries, err := os.ReadDir(data)
	if err != nil {
		return nil, fmt.Errorf("look into the data directory: %w", err)
	}
	var names []string
	for _, e := range entries {
		if !slices.Contains([]string{lockName, "lost+found"}, e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// empty takes back what was restored in part: the folder that says so last.
func empty(data string) error {
	names, err := contents(data)
	for _, name := range names {
		if name != unpacking {
			err = errors.Join(err, os.RemoveAll(filepath.Join(data, name)))
		}
	}
	if err != nil {
		return err
	}
	return os.RemoveAll(filepath.Join(data, unpacking))
}

// openRefs gives each repository its folder of refs, without which it is none
// to Git, though all refs may be packed.
func openRefs(data string) error {
	repositories, err := filepath.Glob(filepath.Join(data, "git", "*.git"))
	for _, repository := range repositories {
		err = errors.Join(err, os.MkdirAll(filepath.Join(repository, "refs", "heads"), 0o700), os.MkdirAll(filepath.Join(repository, "objects"), 0o700))
	}
	return err
}
