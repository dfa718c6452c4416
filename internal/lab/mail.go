package lab

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
)

// PostOffice takes one mail by SMTP and gives all that its sender said.
func PostOffice(t testing.TB) (address string, mail <-chan string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	taken := make(chan string, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return // the test is over
		}
		defer conn.Close()
		taken <- takeMail(conn)
	}()
	return listener.Addr().String(), taken
}

func takeMail(conn net.Conn) string {
	var said strings.Builder
	fmt.Fprint(conn, "220 here\r\n")
	data := false
	for s := bufio.NewScanner(conn); s.Scan(); {
		fmt.Fprintln(&said, s.Text())
		switch verb, _, _ := strings.Cut(s.Text(), " "); {
		case data && s.Text() != ".":
		case verb == "DATA":
			data = true
			fmt.Fprint(conn, "354 go on\r\n")
		case verb == "QUIT":
			fmt.Fprint(conn, "221 bye\r\n")
			return said.String()
		default:
			data = false
			fmt.Fprint(conn, "250 fine\r\n")
		}
	}
	return said.String()
}
