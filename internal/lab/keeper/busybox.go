package keeper

import (
	"archive/tar"
	"context"
	"os"
	"os/exec"
	"strings"

	"batuta/internal/lab/host"
)

// accounts has just root: programs look their own user up.
const accounts = "root:x:0:0:root:/:/bin/sh\n"

// plantBusybox writes busybox, under all its names, and an account for root.
func plantBusybox(ctx context.Context, tree string) error {
	program, err := exec.LookPath("busybox")
	if err != nil {
		return err
	}
	code, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	applets, err := host.Output(ctx, program, "--list")
	if err != nil {
		return err
	}
	f, err := os.Create(tree)
	if err != nil {
		return err
	}
	defer f.Close()
	return writeBusybox(tar.NewWriter(f), code, strings.Fields(applets))
}

func writeBusybox(w *tar.Writer, code []byte, applets []string) error {
	files := []struct {
		header tar.Header
		data   []byte
	}{
		{tar.Header{Typeflag: tar.TypeDir, Name: "bin/", Mode: 0o755}, nil},
		{tar.Header{Typeflag: tar.TypeDir, Name: "etc/", Mode: 0o755}, nil},
		{tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}, nil},
		{tar.Header{Typeflag: tar.TypeReg, Name: "etc/passwd", Mode: 0o644}, []byte(accounts)},
		{tar.Header{Typeflag: tar.TypeReg, Name: "bin/busybox", Mode: 0o755}, code},
	}
	for _, file := range files {
		file.header.Size = int64(len(file.data))
		if err := w.WriteHeader(&file.header); err != nil {
			return err
		}
		if _, err := w.Write(file.data); err != nil {
			return err
		}
	}
	for _, applet := range applets {
		if applet == "busybox" {
			continue
		}
		link := tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + applet, Linkname: "busybox", Mode: 0o777}
		if err := w.WriteHeader(&link); err != nil {
			return err
		}
	}
	return w.Close()
}
