//go:build !linux

package docker

import "errors"

// diskOf cannot tell: Engines run on Linux.
func diskOf(string) (free, size int64, err error) { return 0, 0, errors.ErrUnsupported }
