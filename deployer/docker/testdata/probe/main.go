// Command probe is what the probe containers of the tests run.
package main

import (
	"context"
	"fmt"
	"os"

	"batuta/deployer/docker"
)

func main() {
	if err := docker.ServeProbes(context.Background(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
