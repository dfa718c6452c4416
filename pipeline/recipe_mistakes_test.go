package pipeline_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"batuta/pipeline"
)

// TestParseRecipeRefusesWhatWouldFailLater reads recipes with one mistake each,
// which would otherwise be noticed in a run, or never.
func TestParseRecipeRefusesWhatWouldFailLater(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`on: {cron: "@every 0s"}`:                         `2:12: on.cron.schedule: "@every 0s" is not a schedule: 0s is less than a minute (write @every 1m or more: @every 6h)`,
		`on: {cron: "@every -5m"}`:                        `2:12: on.cron.schedule: "@every -5m" is not a schedule: -5m is less than a minute (write @every 1m or more: @every 6h)`,
		`on: {cron: ["@every 59s"]}`:                      `2:13: on.cron.0.schedule: "@every 59s" is not a schedule: 59s is less than a minute (write @every 1m or more: @every 6h)`,
		`on: {cron: "TZ=UTC"}`:                            `2:12: on.cron.schedule: "TZ=UTC" is not a schedule: the time zone has a key of its own (write {schedule: "0 4 * * *", zone: Europe/Berlin})`,
		`on: {cron: {schedule: "@daily", zone: Local}}`:   `2:39: on.cron.zone: no time zone "Local" (write one of the IANA database: Europe/Berlin, UTC)`,
		`on: {cron: {schedule: "CRON_TZ=UTC 0 4 * * *"}}`: `2:23: on.cron.schedule: "CRON_TZ=UTC 0 4 * * *" is not a schedule: the time zone has a key of its own (write {schedule: "0 4 * * *", zone: Europe/Berlin})`,
	} {
		whole := "app: portal\n" + text + "\n"
		if !strings.Contains(text, "promote:") {
			whole += "promote: [qa, production]\n"
		}
		_, err := pipeline.ParseRecipe("batuta.yml", []byte(whole))
		if err == nil {
			t.Errorf("%s\nis taken", text)
			continue
		}
		if diff := cmp.Diff(strings.ReplaceAll("batuta.yml:"+want, "\n", "\nbatuta.yml:"), err.Error()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}
