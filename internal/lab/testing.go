package lab

import (
	"fmt"
	"net"
	"testing"
	"time"
)

// Docker gives the endpoint of the machine's own Docker Engine, with the given
// base images on it. See Lab.Docker.
func Docker(t testing.TB, bases ...Base) string {
	t.Helper()
	endpoint, err := hold(t).Docker(t.Context(), bases...)
	must(t, err)
	return endpoint
}

// Ships gives the n first ships, which other tests use at the same time: name
// what you put on them after your test, and remove it. See Lab.Ships.
func Ships(t testing.TB, n int) []Ship {
	t.Helper()
	ships, err := hold(t).Ships(t.Context(), n)
	must(t, err)
	return ships
}

// OwnShips gives n fresh ships that t may break. They are gone when t ends.
func OwnShips(t testing.TB, n int) []Ship {
	t.Helper()
	ships, err := hold(t).OwnShips(t.Context(), n)
	must(t, err)
	return ships
}

// BuildKit gives the address of a BuildKit daemon. See Lab.BuildKit.
func BuildKit(t testing.TB) string {
	t.Helper()
	address, err := hold(t).BuildKit(t.Context())
	must(t, err)
	return address
}

// Bases gives the registry that has the given base images. See Lab.Bases.
func Bases(t testing.TB, bases ...Base) Registry {
	t.Helper()
	registry, err := hold(t).Bases(t.Context(), bases...)
	must(t, err)
	return registry
}

// FreePort gives a TCP port that nothing listens on at host now. It may be
// taken by another program before it is used: prefer to listen on port 0.
func FreePort(t testing.TB, host string) int {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", net.JoinHostPort(host, "0"))
	must(t, err)
	defer func() { must(t, listener.Close()) }()
	addr, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatalf("listen on %s: no TCP address: %v", host, listener.Addr())
	}
	return addr.Port
}

// Wait polls until cond answers nil, and fails t if it does not do so within
// timeout.
func Wait(t testing.TB, timeout time.Duration, cond func() error) {
	t.Helper()
	must(t, Eventually(t.Context(), timeout, cond))
}

// hold opens the lab until t ends.
func hold(t testing.TB) *Lab {
	t.Helper()
	l, err := Open(t.Context())
	must(t, err)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(fmt.Errorf("close the lab: %w", err))
		}
	})
	return l
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
