package docker

import (
	"fmt"
	"strings"
	"testing"

	"batuta/deployer"
)

func TestSocketsOfTheKernelsTables(t *testing.T) {
	t.Parallel()
	const tcp = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0000000000000000 100 0 0 10 0
   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1 0000000000000000 100 0 0 10 0
   2: 0100007F:0051 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 3 1 0000000000000000 100 0 0 10 0
`
	const tcp6 = `  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A
   1: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 0A
   2: 0000000000000000FFFF00000100000A:0017 00000000000000000000000000000000:0000 0A
`
	const udp = `  sl  local_address rem_address   st
   0: 3500007F:0035 00000000:0000 07
   1: 00000000:C001 00000000:0000 07
`
	for _, c := range []struct{ table, protocol, state, want string }{
		{tcp, "tcp", tcpListens, "127.0.0.1 8080, 80"},
		{tcp6, "tcp", tcpListens, "80, ::1 22, 10.0.0.1 23"},
		{udp, "udp", udpBound, "127.0.0.53 53"},
	} {
		got, err := readSockets(strings.NewReader(c.table), c.protocol, c.state)
		var texts []string
		for _, p := range got {
			texts = append(texts, strings.TrimSpace(fmt.Sprint(p.Address, " ", p.Host)))
			if p != (deployer.Port{Host: p.Host, Address: p.Address, Protocol: c.protocol}) {
				t.Errorf("%+v", p)
			}
		}
		if text := strings.Join(texts, ", "); err != nil || text != c.want {
			t.Errorf("%s: %s, %v; want %s", c.protocol, text, err, c.want)
		}
	}
	for _, bad := range []string{"0100007:1F90", "0100007F:1F901", "0100007F", "01:1F90", "zz00007F:1F90"} {
		if got, err := readSockets(strings.NewReader("0: "+bad+" 00000000:0000 0A"), "tcp", tcpListens); err == nil {
			t.Errorf("%s is %v", bad, got)
		}
	}
}
