package docker

import "golang.org/x/sys/unix"

// diskOf gives the bytes of the disk that has a directory: what may still be
// written by anybody, and all.
func diskOf(dir string) (free, size int64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, err
	}
	return int64(s.Bavail) * s.Bsize, int64(s.Blocks) * s.Bsize, nil
}
