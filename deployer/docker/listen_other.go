//go:build !linux

package docker

import (
	"context"

	"batuta/deployer"
)

// listeningBeside cannot tell: Engines run on Linux.
func listeningBeside(context.Context, string) ([]deployer.Port, error) { return nil, errElsewhere }
