package main

import (
	"batuta"
	"batuta/pipeline"
)

// harbour is the ships of server.yml as the pipeline knows them.
func (s *server) harbour() map[batuta.ShipName]pipeline.Ship {
	all := map[batuta.ShipName]pipeline.Ship{}
	for name, ship := range s.config.Ships {
		all[name] = pipeline.Ship{Address: ship.Address, Labels: ship.Labels, Reporter: s.ships[name]}
	}
	return all
}
