package pipeline

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"batuta"
)

// Matrix is services by ships: who has what of it, and how it is.
type Matrix struct {
	Ships []batuta.ShipName // the columns, by name
	Rows  []MatrixRow       // in the order of the environments, services by name
}

// MatrixRow is one service of one environment.
type MatrixRow struct {
	App         batuta.AppName
	Environment batuta.EnvironmentName
	Service     batuta.ServiceName // empty: nothing is live and nothing runs
	Release     batuta.ReleaseNumber
	Drift       bool // somebody changed something in the environment
	Cells       map[batuta.ShipName]MatrixCell
}

// MatrixCell is what one ship has of a service.
type MatrixCell struct {
	Wanted, Ready int
	Extra         int                    // that are there and not wanted
	Unknown       bool                   // the ship does not answer
	Releases      []batuta.ReleaseNumber // that run, the newest first
	Since         time.Time              // when the youngest that runs was started
	Reason        string                 // why the first that is not ready is not
}

// MatrixOf arranges the status of environments. Ships are those that have
// anything, and those that are given.
func MatrixOf(status []EnvironmentStatus, ships []batuta.ShipName) Matrix {
	var m Matrix
	columns := map[batuta.ShipName]bool{}
	for _, name := range ships {
		columns[name] = true
	}
	for _, s := range status {
		rows := rowsOf(s)
		for _, row := range rows {
			for ship := range row.Cells {
				columns[ship] = true
			}
		}
		m.Rows = append(m.Rows, rows...)
	}
	m.Ships = slices.Sorted(maps.Keys(columns))
	return m
}

// rowsOf is the rows of one environment, at least one.
func rowsOf(s EnvironmentStatus) []MatrixRow {
	of := map[batuta.ServiceName]map[batuta.ShipName]MatrixCell{}
	for _, i := range slices.Concat(s.Instances, s.unexplained()) {
		if of[i.Service] == nil {
			of[i.Service] = map[batuta.ShipName]MatrixCell{}
		}
		of[i.Service][i.Ship] = of[i.Service][i.Ship].with(i)
	}
	var rows []MatrixRow
	for _, service := range slices.Sorted(maps.Keys(of)) {
		rows = append(rows, MatrixRow{Service: service, Cells: of[service]})
	}
	if len(rows) == 0 {
		rows = []MatrixRow{{}}
	}
	for i := range rows {
		rows[i].App, rows[i].Environment, rows[i].Release = s.App, s.Environment, s.Release
		rows[i].Drift = s.Drift != nil && len(s.Drift.Drift) > 0
	}
	return rows
}

// unexplained is the containers of an environment of which nothing is known but
// that they are there: nothing is live, and they are not wanted; or what is
// cannot be resolved, and nobody can say.
func (s EnvironmentStatus) unexplained() []InstanceStatus {
	if len(s.Instances) > 0 {
		return nil
	}
	var all []InstanceStatus
	for _, c := range s.Containers {
		all = append(all, InstanceStatus{Service: c.Service, Instance: c.Instance, Ship: c.Ship, Extra: s.Release == 0, Release: c.Release, Started: c.Started, Reason: cmp.Or(s.Reason, c.State)})
	}
	return all
}

// with is the cell with one more instance in it.
func (c MatrixCell) with(i InstanceStatus) MatrixCell {
	switch {
	case i.Extra:
		c.Extra++
	case i.Ready:
		c.Wanted, c.Ready = c.Wanted+1, c.Ready+1
	default:
		c.Wanted++
	}
	c.Unknown = c.Unknown || i.Unknown
	if !i.Ready {
		c.Reason = cmp.Or(c.Reason, i.Reason)
	}
	if i.Started.After(c.Since) {
		c.Since = i.Started
	}
	if i.Release != 0 && !slices.Contains(c.Releases, i.Release) {
		c.Releases = append(slices.Clone(c.Releases), i.Release)
		slices.SortFunc(c.Releases, func(a, b batuta.ReleaseNumber) int { return cmp.Compare(b, a) })
	}
	return c
}
