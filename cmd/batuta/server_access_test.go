package main

import (
	"testing"
	"time"

	"batuta"
	"batuta/internal/api"
	"batuta/internal/config"
	"batuta/internal/registry"
)

func TestRefusalsShareALine(t *testing.T) {
	t.Parallel()
	var r refusals
	now, own := time.Now(), 0
	for range 100 {
		if mine, unsaid := r.note(now); mine {
			own++
		} else if unsaid != 0 {
			t.Errorf("%d unsaid in the same minute", unsaid)
		}
	}
	if mine, unsaid := r.note(now.Add(time.Minute)); own != refusalsAMinute || !mine || unsaid != 100-refusalsAMinute {
		t.Errorf("of 100 refusals %d got a line and %d share one", own, unsaid)
	}
}

// TestWhoMayUseTheRegistry has every kind of token ask for every kind of
// access.
func TestWhoMayUseTheRegistry(t *testing.T) {
	t.Parallel()
	people := map[string]config.Person{
		"reader": {Token: config.NewSecret("token-of-the-reader"), May: config.Read},
		"pusher": {Token: config.NewSecret("token-of-the-pusher"), May: config.Push, Apps: []batuta.AppName{"portal"}},
	}
	s := &server{robots: newRobots(), gate: api.NewGate(people), config: &config.Config{Apps: map[batuta.AppName]config.App{
		"portal": {}, "shop": {Bases: []batuta.AppName{"portal"}},
	}}}
	for _, c := range []struct {
		who, token                              string
		login, pull, push, pullOther, pushOther registry.Decision
	}{
		{"nobody", "", registry.Unknown, registry.Unknown, registry.Unknown, registry.Unknown, registry.Unknown},
		{"a ship", s.robots.ship, registry.Granted, registry.Granted, registry.Denied, registry.Granted, registry.Denied},
		{"a build of portal", s.robots.build("portal"), registry.Granted, registry.Granted, registry.Granted, registry.Denied, registry.Denied},
		{"a build of shop, made from portal's images", s.robots.build("shop"), registry.Granted, registry.Granted, registry.Denied, registry.Granted, registry.Granted},
		{"a forged build", "shop." + s.robots.build("portal")[len("portal."):], registry.Unknown, registry.Unknown, registry.Unknown, registry.Unknown, registry.Unknown},
		{"a build without an app", ".", registry.Unknown, registry.Unknown, registry.Unknown, registry.Unknown, registry.Unknown},
		{"a reader", "token-of-the-reader", registry.Granted, registry.Granted, registry.Denied, registry.Granted, registry.Denied},
		{"a pusher of portal", "token-of-the-pusher", registry.Granted, registry.Granted, registry.Granted, registry.Denied, registry.Denied},
	} {
		for _, ask := range []struct {
			access registry.Access
			want   registry.Decision
		}{
			{registry.Access{}, c.login},
			{registry.Access{Repository: "portal/web"}, c.pull},
			{registry.Access{Repository: "portal/web", Push: true}, c.push},
			{registry.Access{Repository: "shop/web"}, c.pullOther},
			{registry.Access{Repository: "shop/web", Push: true}, c.pushOther},
		} {
			if got := s.mayUseRegistry(t.Context(), "anything", c.token, ask.access); got != ask.want {
				t.Errorf("%s, %+v: %v, want %v", c.who, ask.access, got, ask.want)
			}
		}
	}
}
