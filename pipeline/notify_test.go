package pipeline_test

import (
	"fmt"
	"strings"
	"testing"

	"batuta"
	"batuta/pipeline"
)

// TestWhatTheRulesCover asks of notices whom one rule has told each.
func TestWhatTheRulesCover(t *testing.T) {
	t.Parallel()
	book := pipeline.RuleBook{App: "portal", Environment: "qa", Rules: []batuta.NotifyRule{
		{To: "qa", On: batuta.Topics(), Environments: []batuta.EnvironmentName{"qa"}},
		{To: "main", On: []batuta.Topic{batuta.OnFailed, batuta.OnDrift}, Branches: []string{"main", "release/*"}},
		{To: "news", On: []batuta.Topic{batuta.OnLive}},
		{To: "news", On: []batuta.Topic{batuta.OnRecovery, batuta.OnPromotion}},
	}}
	failed := pipeline.Notice{Kind: pipeline.RunFailed, RunKind: batuta.RunPush, Run: 7}
	on := func(n pipeline.Notice, ref string, env batuta.EnvironmentName) pipeline.Notice {
		n.Ref, n.Environment = ref, env
		return n
	}
	live := pipeline.Notice{Kind: pipeline.WentLive, RunKind: batuta.RunPromotion, Environment: "production", Run: 8, Recovered: true}
	for want, n := range map[string]pipeline.Notice{
		"qa:failed main:failed":   on(failed, "refs/heads/release/1", ""),
		"qa:failed main:failed ":  on(failed, "main", ""),
		"qa:failed main:failed  ": on(failed, "", ""), // by hand, of the default branch
		"qa:failed":               on(failed, "refs/heads/dev", "qa"),
		"":                        on(failed, "refs/tags/main", "production"),
		"news:recovery":           live,
		"main:drift":              {Kind: pipeline.DriftSeen, App: "portal", Environment: "production"},
		"qa:lost":                 {Kind: pipeline.ShipLost, Ship: "a"},
		" ":                       {Kind: pipeline.RunStarted, RunKind: batuta.RunPush, Ref: "refs/heads/main", Run: 7},
	} {
		var told []string
		for _, one := range book.Tells(n) {
			told = append(told, fmt.Sprintf("%s:%s", one.To, one.Topic))
		}
		if got := strings.Join(told, " "); got != strings.TrimSpace(want) {
			t.Errorf("of %+v are told %q, want %q", n, got, want)
		}
	}
}
