package docker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"

	"batuta"
)

func TestFaultOfAShipThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	const page = "http://10.0.0.9:2375/v1.41/containers/json?filters=%7B%22label%22%3A1%7D"
	unroutable := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"no route": {
			fmt.Errorf("error during connect: %w", &url.Error{Op: "Get", URL: page, Err: unroutable}),
			"ship b does not answer: list containers: no route to host",
		},
		"too slow": {
			&url.Error{Op: "Get", URL: page, Err: context.DeadlineExceeded},
			"ship b does not answer: list containers: context deadline exceeded",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := (&Ship{name: "b"}).fault(c.err, "list containers")
			if !errors.Is(err, batuta.Unavailable) || err.Error() != c.want {
				t.Errorf("fault = %v\nwant %s", err, c.want)
			}
		})
	}
}

// TestASocketThatIsNotThereIsNamed: the Docker client names an address that
// stands for all sockets.
func TestASocketThatIsNotThereIsNamed(t *testing.T) {
	t.Parallel()
	s, err := Dial("here", "unix:///nowhere/docker.sock", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = s.Taken(t.Context())
	if !errors.Is(err, batuta.Unavailable) || !strings.Contains(err.Error(), "unix:///nowhere/docker.sock") || strings.Contains(err.Error(), "tcp://") {
		t.Errorf("it says %v", err)
	}
}
