package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"batuta"
	"batuta/internal/lab"
	"batuta/internal/notify"
	"batuta/pipeline"
)

// office is where messages arrive: of chats at /NAME, and of signed webhooks at
// /hook/NAME. It keeps the headline of each, by name.
type office struct {
	*httptest.Server
	mu   sync.Mutex
	told map[string][]string
}

const officeSecret = "0123456789abcdef"

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{told: map[string][]string{}}
	o.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		line, _, _ := strings.Cut(string(body), "\n")
		name, hook := strings.CutPrefix(strings.TrimPrefix(r.URL.Path, "/"), "hook/")
		if hook {
			var m notify.Message
			_ = json.Unmarshal(body, &m) // what is no message has no title
			line = fmt.Sprintf("%s: %s", m.Topic, m.Title())
			if r.Header.Get(notify.SignatureHeader) != notify.Sign(officeSecret, body) {
				line = "forged: " + line
			}
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		o.told[name] = append(o.told[name], line)
	}))
	t.Cleanup(o.Close)
	return o
}

// hook and chat are entries of notify in server.yml that lead to the office.
func (o *office) hook(name, more string) string {
	return fmt.Sprintf("{name: %s, url: %q, secret: %s%s}", name, o.URL+"/hook/"+name, officeSecret, more)
}

func (o *office) chat(name, more string) string {
	return fmt.Sprintf("{name: %s, url: %q%s}", name, "generic://"+strings.TrimPrefix(o.URL, "http://")+"/"+name+"?disabletls=yes", more)
}

// hears waits until a name was told so many things, and wants these.
func (o *office) hears(t *testing.T, name string, lines ...string) {
	t.Helper()
	lab.Wait(t, 20*time.Second, func() error {
		o.mu.Lock()
		defer o.mu.Unlock()
		if got := o.told[name]; len(got) < len(lines) {
			return fmt.Errorf("%s was told %q", name, got)
		}
		return nil
	})
	o.mu.Lock()
	defer o.mu.Unlock()
	if got := o.told[name]; !slices.Equal(got, lines) {
		t.Errorf("%s was told\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(lines, "\n"))
	}
}

// telling is a world whose batuta.yml says who is told, of those whom
// server.yml names.
func telling(t *testing.T, rules string, named ...string) *world {
	t.Helper()
	w := newWorld(t)
	w.notify = notifying(t, "["+strings.Join(named, ", ")+"]")
	w.tells = newNotifier(w.notify)
	w.edit("batuta.yml", "app: shop\n", "app: shop\nnotify:\n"+rules)
	return w
}

// TestAnAppSaysWhoIsTold has a chat, a mailbox and a signed webhook told of what
// batuta.yml says, each once, and nobody whom it does not name.
func TestAnAppSaysWhoIsTold(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	address, mail := lab.PostOffice(t)
	w := telling(t, `- {to: team, on: [failed, recovery]}
- {to: boss, on: [approval]}
- {to: team, on: [failed, live], environments: [qa], branches: [main]}
- {to: ops, on: [approval, promotion], environments: [production]}
- {to: ops, on: [failed], branches: ["release/*"]}
`, o.chat("team", ", apps: [shop]"), o.hook("ops", ""), o.hook("others", ", apps: [blog]"), o.hook("idle", ""),
		`{name: boss, url: "smtp://`+address+`/?from=batuta@example.edu&to=kim@example.edu&auth=None&encryption=None&useStartTLS=no", apps: [shop]}`)
	w.edit("batuta.yml", "[qa, production]", "[qa, {to: production, approvals: 2}]")
	s := w.start(t)
	s.succeeds(t, s.push(t, "one"))
	w.edit("batuta.yml", "app: shop", "apt: shop") // what cannot be read is told of by what could be before
	s.fails(t, s.push(t, "two"), "unknown key")
	w.edit("batuta.yml", "apt: shop", "app: shop")
	s.succeeds(t, s.push(t, "three"))
	id, err := s.asks(t, "ana")
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-time.After(20 * time.Second):
		t.Error("no mail came")
	case got := <-mail:
		if !strings.Contains(got, "RCPT TO:<kim@example.edu>") || !strings.Contains(got, "Subject: shop production: approval wanted") {
			t.Errorf("the mail is\n%s", got)
		}
	}
	if err := s.Approve(t.Context(), id, "ben"); err != nil {
		t.Fatal(err)
	}
	s.succeeds(t, id)
	o.hears(t, "ops", "approval: shop production: approval wanted", "promotion: shop production: went live")
	s.succeeds(t, s.push(t, "four"))
	o.hears(t, "team", "shop qa: went live", "shop: run failed", "shop qa: recovered", "shop qa: went live")
	o.hears(t, "others")
	o.hears(t, "idle")
}

// TestTheRulesAreThoseOfTheRun has a run that is promoted later go by what its
// release says, and a test that fails by what its own recipe does.
func TestTheRulesAreThoseOfTheRun(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	w := telling(t, "- {to: old, on: [promotion, failed]}\n", o.hook("old", ""), o.hook("new", ""))
	s := w.start(t)
	s.succeeds(t, s.push(t, "one"))
	w.edit("batuta.yml", "to: old", "to: new")
	w.edit("batuta.yml", "images: {web", "images: {worker: {secrets: [no_such]}, web")
	s.fails(t, s.push(t, "two"), "no_such")
	s.succeeds(t, s.order(t, pipeline.Order{Kind: batuta.RunPromotion, Environment: "production"}))
	o.hears(t, "old", "promotion: shop production: went live")
	o.hears(t, "new", "failed: shop: run failed")
}

// TestDriftAndLostShipsAreToldByWhatIsLive has the release that is live say who
// is told of what happens to it, also after a push that is not live yet.
func TestDriftAndLostShipsAreToldByWhatIsLive(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	w := telling(t, `- {to: ops, on: [drift, lost], environments: [production]}
- {to: ops, on: [lost], environments: [qa]}
`, o.hook("ops", ""), o.hook("new", ""))
	s := w.start(t)
	s.inProduction(t)
	w.edit("batuta.yml", "- {to: ops, on: [drift, lost], environments: [production]}", "- {to: new, on: [drift, lost], environments: [production]}")
	s.succeeds(t, s.push(t, "two"))
	s.looks(t, "qa")
	if err := w.ships["b"].Stop(t.Context(), w.instance(t, "b", "web-1").ID, time.Second); err != nil {
		t.Fatal(err)
	}
	s.looks(t, "production")
	o.hears(t, "ops", "drift: shop production: drift seen")
	s.watch(t)
	mend := w.cut("a") // where only QA is
	o.hears(t, "ops", "drift: shop production: drift seen", "lost: ship a: ship lost")
	mend()
	o.hears(t, "ops", "drift: shop production: drift seen", "lost: ship a: ship lost", "lost: ship a: ship back")
	w.cut("b")
	o.hears(t, "ops", "drift: shop production: drift seen", "lost: ship a: ship lost", "lost: ship a: ship back", "lost: ship b: ship lost")
	o.hears(t, "new")
}

// TestWhoIsToldMustBeNamed refuses whom server.yml does not name, or not for
// the app, and says whom it does.
func TestWhoIsToldMustBeNamed(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	w := telling(t, "- {to: tema, on: [failed]}\n- {to: others}\n- {on: [failure], environments: [prodution], branches: [\"[\"]}\n",
		o.chat("team", ""), o.hook("ops", ", apps: [shop]"), o.hook("others", ", apps: [blog]"))
	s := w.start(t)
	run := s.fails(t, s.push(t, "one"), "notify")
	for _, line := range []string{
		`batuta.yml:4:8: notify.0.to: server.yml names no "tema" whom shop may have told (did you mean "team"? known here: team, ops)`,
		`batuta.yml:5:8: notify.1.to: server.yml names no "others" whom shop may have told (known here: team, ops)`,
		`batuta.yml:6:3: notify.2.to: to is missing (write the name that server.yml gives to who is told)`,
		`batuta.yml:6:9: notify.2.on.0: no topic "failure" (known here: failed, recovery, approval, promotion, live, drift, lost)`,
		`batuta.yml:6:34: notify.2.environments.0: no environment "prodution": it is not in promote, and there is no environments/prodution.yml (did you mean "production"?)`,
		`batuta.yml:6:57: notify.2.branches.0: "[" is not a pattern`,
	} {
		if !strings.Contains(run.Error, line) {
			t.Errorf("%s\nis missing in\n%s", line, run.Error)
		}
	}
	w = newWorld(t)
	w.edit("batuta.yml", "app: shop\n", "app: shop\nnotify: [{to: team}]\n")
	s = w.start(t)
	s.fails(t, s.push(t, "one"), `batuta.yml:3:15: notify.0.to: server.yml names nobody whom shop may have told (give an entry of notify there a name)`)
}

// TestAnIncludedPipelineSaysWhoIsTold has a template tell for its apps, and
// judges it by the app that includes it.
func TestAnIncludedPipelineSaysWhoIsTold(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	w := including(t, "pipelines")
	w.notify = notifying(t, "["+o.hook("team", "")+"]")
	w.tells = newNotifier(w.notify)
	w.files["node.yml"] += "notify: [{to: team, environments: [qa, staging]}]\n"
	s := w.start(t)
	s.succeeds(t, s.push(t, "one"))
	o.hears(t, "team", "live: shop qa: went live")
	got, err := s.Settled(t.Context(), testApp)
	if err != nil {
		t.Fatal(err)
	}
	const want = "notify:\n  - to: team\n    \"on\":\n      - failed\n      - recovery\n      - approval\n      - promotion\n      - live\n      - drift\n      - lost\n    environments:\n      - qa\n      - staging\n"
	if !strings.Contains(got.Recipe, want) {
		t.Errorf("%s\nis missing in\n%s", want, got.Recipe)
	}
	w.edit("node.yml", "to: team", "to: crew")
	s.fails(t, s.push(t, "two"), `pipelines:node.yml:7:15: notify.0.to: server.yml names no "crew" whom shop may have told`)
}
