package config_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"batuta"
	"batuta/internal/config"
)

const staged = `ships: {a: {endpoint: unix:///run/docker.sock}}
people: {eva: {token: 0123456789abcdef, may: deploy}}
apps:
  portal:
    environments: {qa: {}, production: {}}
`

func TestRulesOfPromotions(t *testing.T) {
	c, err := config.Parse("server.yml", []byte(staged+`    promote: {production: {soak: 1h, approvers: [eva], approvals: 1, windows: ["Mon 08:00-16:00"], freeze: ["2026-12-20..2027-01-06"]}}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := map[batuta.EnvironmentName]batuta.Stage{"production": {
		Soak: time.Hour, Approvers: []string{"eva"}, Approvals: 1, Windows: []string{"Mon 08:00-16:00"}, Freeze: []string{"2026-12-20..2027-01-06"},
	}}
	if diff := cmp.Diff(want, c.Apps["portal"].Promote); diff != "" {
		t.Error(diff)
	}
	_, err = config.Parse("server.yml", []byte(staged+`    promote:
      prodution: {soak: -1h}
      production: {approvers: [eve], approvals: 2, windows: [always], freeze: [now], soaks: 1h}
`))
	problems := `server.yml:7:18: apps.portal.promote.prodution: no environment "prodution" (did you mean "production"?)
server.yml:7:25: apps.portal.promote.prodution.soak: "-1h" is not a duration (write a number and a unit: 500ms, 30s, 5m, 1h)
server.yml:8:32: apps.portal.promote.production.approvers.0: no person "eve" (did you mean "eva"?)
server.yml:8:49: apps.portal.promote.production.approvals: 2 approvals of 1 approvers (ask for fewer, or name more)
server.yml:8:62: apps.portal.promote.production.windows.0: "always" is not a time window (write days, hours and a time zone: Mon-Fri 08:00-16:00 Europe/Berlin, or Fri 22:00-02:00, which ends the day after)
server.yml:8:80: apps.portal.promote.production.freeze.0: "now" is not a span of days (write the first and the last day, and a time zone: 2026-12-20..2027-01-06 Europe/Berlin)
server.yml:8:86: apps.portal.promote.production.soaks: unknown key "soaks" (did you mean "soak"?)`
	if diff := cmp.Diff(problems, fmt.Sprint(err)); diff != "" {
		t.Error(diff)
	}
}

// TestWhomAnAppMayHaveTold gives the names that its batuta.yml may use.
func TestWhomAnAppMayHaveTold(t *testing.T) {
	c, err := config.Parse("server.yml", []byte(staged+`  blog: {}
notify:
- {name: team, url: "https://example.edu/a", apps: [portal]}
- {name: ops, url: "https://example.edu/b"}
- {url: "https://example.edu/c", on: [drift]}
`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]string{{"team", "ops"}, {"ops"}}, [][]string{c.Listeners("portal"), c.Listeners("blog")}); diff != "" {
		t.Error(diff)
	}
	for i, want := range []bool{false, false, true} {
		if c.Notify[i].Wants(batuta.OnDrift, "portal") != want {
			t.Errorf("entry %d of notify is told of drift whatever batuta.yml says: %v", i, !want)
		}
	}
}
