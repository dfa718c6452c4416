package web

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"batuta"
	"batuta/pipeline"
)

// Harbour answers about the ships, no later than one ship's patience allows.
type Harbour interface {
	ListShips(ctx context.Context) ([]pipeline.ShipStatus, error)
}

// ships is the page of the ships, and of services by ships.
func (d *Dashboard) ships(w http.ResponseWriter, r *http.Request, who viewer) {
	all, err := d.Harbour.ListShips(r.Context())
	if err != nil {
		d.fail(w, r, err)
		return
	}
	status, at, err := d.status.get(r.Context())
	if err != nil {
		d.fail(w, r, err)
		return
	}
	names := make([]batuta.ShipName, len(all))
	for i, s := range all {
		all[i].Runs = visible(s.Runs, who, func(c pipeline.Cargo) batuta.AppName { return c.App })
		names[i] = s.Name
	}
	status = visible(status, who, func(s pipeline.EnvironmentStatus) batuta.AppName { return s.App })
	m := pipeline.MatrixOf(status, names)
	d.show(w, http.StatusOK, "ships.html", struct {
		frame
		Asked   time.Time
		Ships   []pipeline.ShipStatus
		Columns []batuta.ShipName
		Rows    []row
	}{d.frame(who), at, all, m.Ships, rowsOf(m)})
}

// row is one service of the matrix as it is shown.
type row struct {
	pipeline.MatrixRow

	Shown []cell // a cell for each column
}

// cell is what one ship has of the service.
type cell struct{ Text, Tone, Why string }

func rowsOf(m pipeline.Matrix) []row {
	var rows []row
	for _, r := range m.Rows {
		shown := row{MatrixRow: r}
		for _, ship := range m.Ships {
			shown.Shown = append(shown.Shown, cellOf(r.Cells[ship]))
		}
		rows = append(rows, shown)
	}
	return rows
}

func cellOf(c pipeline.MatrixCell) cell {
	var words []string
	for _, n := range c.Releases {
		words = append(words, fmt.Sprintf("r%d", n))
	}
	rest := strings.Join(slices.Concat(words, strings.Fields(strings.TrimSuffix(age(c.Since), " ago"))), " ")
	out := cell{Tone: "good", Text: strings.TrimSpace(fmt.Sprintf("%d %s", c.Wanted, rest)), Why: c.Reason}
	switch {
	case c.Wanted == 0 && c.Extra == 0:
		return cell{}
	case c.Unknown:
		out.Tone, out.Text = "bad", fmt.Sprintf("%d lost", c.Wanted)
	case c.Wanted == 0:
		out.Tone, out.Text = "busy", strings.TrimSpace(fmt.Sprintf("+%d %s", c.Extra, rest))
	case c.Ready < c.Wanted:
		out.Tone, out.Text = "bad", strings.TrimSpace(fmt.Sprintf("%d/%d %s", c.Ready, c.Wanted, rest))
	}
	return out
}
