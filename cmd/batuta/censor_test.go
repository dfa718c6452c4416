package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"batuta"
	"batuta/internal/api/client"
)

// What a front's apps have beside the secret of their webhooks.
const (
	forgeToken = "token-of-the-forge-0123"
	dbPassword = "p&ss/word+of\"the<database"
)

// longKey is a key of many lines.
func longKey() string {
	var lines strings.Builder
	for n := range 40 {
		fmt.Fprintf(&lines, "line%02d%s\n", n, strings.Repeat("k3y/", 14))
	}
	return lines.String()
}

// TestNoSecretIsInTheLogOfDeliveries has a forge tell of pushes that carry the
// app's secrets in every place and in every form, and reads the log as people do.
func TestNoSecretIsInTheLogOfDeliveries(t *testing.T) {
	t.Parallel()
	s := newWorld(t).open(t, nil)
	site := &site{url: s.front(t)}
	ben, err := client.New(site.url, frontToken("ben"))
	if err != nil {
		t.Fatal(err)
	}
	forms := map[string]string{}
	for _, secret := range []string{hookSecret, forgeToken, dbPassword, strings.Split(longKey(), "\n")[7]} {
		forms["plain "+secret] = secret
		if secret[0] == 'l' {
			continue // of what is long only the lines are known
		}
		forms["escaped "+secret] = strings.ReplaceAll(secret, `"`, `\"`)
		forms["in a URL "+secret] = url.QueryEscape(secret)
		for before := range 3 {
			forms[fmt.Sprintf("Base64 %d %s", before, secret)] = base64.StdEncoding.EncodeToString([]byte("use"[:before] + secret + "."))
		}
	}
	sent := 0
	for name, form := range forms {
		for _, raw := range []string{inJSON(t, form), escapedWhole(form)} {
			sent++
			body := fmt.Sprintf(`{"ref":"refs/heads/main","after":"%040d","before":"%040d","pusher":{"login":"%[3]s"},"repository":{"clone_url":"https://git.example/%[3]s"},
				"head_commit":{"id":"1","message":"%[3]s"},"commits":[{"id":"1","message":"%[3]s","added":["a/%[3]s"]}],"more":"%[3]s"}`, 1e9+sent, 0, raw)
			answer := site.hook(t, site.signedByGitea(t, testApp, fmt.Sprint(sent, form), body), http.StatusAccepted)
			all, err := ben.Deliveries(t.Context(), testApp, 1)
			if err != nil || len(all) != 1 || all[0].Run != answer.Run {
				t.Fatalf("%s: kept %+v (%v)", name, all, err)
			}
			d, err := ben.Delivery(t.Context(), testApp, all[0].ID)
			if err != nil {
				t.Fatal(err)
			}
			hasNone(t, name, form, d)
		}
	}
}

// hasNone checks that no part of a delivery has the secret's form, and that each
// has something in its place.
func hasNone(t *testing.T, name, form string, d batuta.Delivery) {
	t.Helper()
	told := map[string]string{"payload": d.Payload, "sender": d.Sender, "message": d.Message, "clone": d.Clone, "path": strings.Join(d.Paths, " ")}
	for place, text := range told {
		if !strings.Contains(text, "[secret]") {
			t.Errorf("%s: no mark in the %s: %s", name, place, text)
		}
	}
	told["id"] = d.Delivery
	middle := form[len(form)/3 : len(form)*2/3]
	for place, text := range told {
		if strings.Contains(text, middle) || strings.Contains(text, escapedWhole(middle)) {
			t.Errorf("%s is in the %s: %s", name, place, text)
		}
	}
}

// inJSON is a text as it stands in a JSON string.
func inJSON(t *testing.T, text string) string {
	t.Helper()
	quoted, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(quoted[1 : len(quoted)-1])
}

// escapedWhole is a text in JSON with each character escaped.
func escapedWhole(text string) string {
	var out strings.Builder
	for _, r := range text {
		fmt.Fprintf(&out, `\u%04x`, r)
	}
	return out.String()
}

// TestARefThatHasASecretStartsNothing: a run would show it to everybody.
func TestARefThatHasASecretStartsNothing(t *testing.T) {
	t.Parallel()
	s := newWorld(t).open(t, nil)
	site := &site{url: s.front(t)}
	body := fmt.Sprintf(`{"ref":"refs/heads/%s","after":"%040d","pusher":{"login":"ana"}}`, forgeToken, 1)
	if answer := site.hook(t, site.signedByGitea(t, testApp, "d-1", body), http.StatusOK); answer.Run != 0 {
		t.Errorf("run %d", answer.Run)
	}
	all, err := s.store.Deliveries(t.Context(), testApp, 10)
	if err != nil || len(all) != 1 || all[0].Ref != "refs/heads/[secret]" || !strings.HasPrefix(all[0].Decision, "ignored: its ref has a secret") {
		t.Errorf("kept %+v (%v)", all, err)
	}
}
