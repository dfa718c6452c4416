package docker_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"testing"

	"batuta/deployer/docker"
)

// childOf, in the environment, makes the test binary a program that has one
// container checked over its ship's network, says so, and then waits for its
// end: "endpoint id image".
const childOf = "BATUTA_TEST_PROBING"

func TestMain(m *testing.M) {
	if job := os.Getenv(childOf); job != "" {
		if err := probeAndWait(job); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func probeAndWait(job string) error {
	var endpoint, id, name string
	if _, err := fmt.Sscan(job, &endpoint, &id, &name); err != nil {
		return err
	}
	ship, err := docker.Dial("child", endpoint, docker.Options{Runtime: packed{name: name}})
	if err != nil {
		return err
	}
	if err := ship.Probe(context.Background(), id, tcp(8080)); err != nil {
		return err
	}
	fmt.Println("probed")
	_, err = bufio.NewReader(os.Stdin).ReadString('\n') // which never comes
	return err
}
