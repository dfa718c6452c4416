package deployer

import (
	"fmt"
	"strconv"

	"batuta"
	"batuta/internal/document"
)

// count is how many instances a service has: a number, or each, for one on
// every ship that matches.
type count struct {
	n    int
	each bool
}

func (c *count) UnmarshalDocument(n document.Node) error {
	line, _ := n.Scalar()
	if c.each = line == "each"; c.each {
		return nil
	}
	number, err := strconv.Atoi(line)
	if err != nil {
		return invalid(fmt.Sprintf("%q is not a count", line), "write a number, or each for one on every ship that matches")
	}
	if number < 0 || number > maxCount {
		return invalid(fmt.Sprintf("count %d is out of bounds", number), fmt.Sprintf("0 to %d", maxCount))
	}
	c.n = number
	return nil
}

// counted is the name of the nth instance of a counted service, from 1.
func counted(s batuta.ServiceName, n int) batuta.InstanceName {
	return batuta.InstanceName(string(s) + "-" + strconv.Itoa(n))
}

// onShip is the name of the instance on a ship, of a service that has one on
// each.
func onShip(s batuta.ServiceName, ship batuta.ShipName) batuta.InstanceName {
	return batuta.InstanceName(string(s) + "-" + string(ship))
}
