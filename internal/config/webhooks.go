package config

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"time"

	"batuta"
	"batuta/internal/document"
)

// Webhooks bounds what the forges, and whoever plays one, may send.
type Webhooks struct {
	Rate    Rate      `yaml:"rate"`    // of one address to one app; default 6000/m
	Proxies []Network `yaml:"proxies"` // whose X-Forwarded-For names the address; none: the peer's address counts
}

// Rate is a number of times in a while, written 60/m; the zero Rate, written
// 0, is no bound.
type Rate struct {
	Times int
	Per   time.Duration
}

var rateForm = regexp.MustCompile(`^([1-9][0-9]{0,6})/([smh])$`)

// ParseRate reads a rate; its errors are Invalid.
func ParseRate(text string) (Rate, error) {
	if text == "0" {
		return Rate{}, nil
	}
	m := rateForm.FindStringSubmatch(text)
	if m == nil {
		return Rate{}, &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("%q is not a rate", text), Hint: "write how many in a second, a minute or an hour: 100/s, 600/m, 3000/h; or 0 for no bound"}
	}
	times, err := strconv.Atoi(m[1])
	return Rate{times, map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[m[2]]}, err
}

// UnmarshalDocument reads a rate as ParseRate does.
func (r *Rate) UnmarshalDocument(n document.Node) (err error) {
	text, _ := n.Scalar()
	*r, err = ParseRate(text)
	return err
}

// Network is an address, or a network in CIDR.
type Network struct{ netip.Prefix }

// UnmarshalDocument reads 10.0.0.1 or 10.0.0.0/8.
func (w *Network) UnmarshalDocument(n document.Node) error {
	text, _ := n.Scalar()
	if at, err := netip.ParseAddr(text); err == nil {
		w.Prefix = netip.PrefixFrom(at, at.BitLen())
		return nil
	}
	network, err := netip.ParsePrefix(text)
	if err != nil {
		return &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("%q is not a network", text), Hint: "write an address or a network: 10.0.0.1, 10.0.0.0/8"}
	}
	w.Prefix = network.Masked()
	return nil
}
