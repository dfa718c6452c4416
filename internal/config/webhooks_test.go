package config_test

import (
	"strings"
	"testing"
	"time"

	"batuta/internal/config"
)

func TestWebhooks(t *testing.T) {
	t.Parallel()
	const rest = "ships: {here: {endpoint: unix:///var/run/docker.sock}}\n"
	c, err := config.Parse("server.yml", []byte(rest+"webhooks: {rate: 60/m, proxies: [10.0.0.1, 10.1.2.3/8, \"2001:db8::/32\"]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if w := c.Webhooks; w.Rate != (config.Rate{Times: 60, Per: time.Minute}) || len(w.Proxies) != 3 ||
		w.Proxies[0].String() != "10.0.0.1/32" || w.Proxies[1].String() != "10.0.0.0/8" || w.Proxies[2].String() != "2001:db8::/32" {
		t.Errorf("webhooks: %+v", w)
	}
	if c, err = config.Parse("server.yml", []byte(rest+"webhooks: {rate: 0}\n")); err != nil || c.Webhooks.Rate != (config.Rate{}) {
		t.Errorf("no bound: %+v, %v", c, err)
	}
	if c, err = config.Parse("server.yml", []byte(rest)); err != nil || c.Webhooks.Rate != (config.Rate{Times: 6000, Per: time.Minute}) {
		t.Errorf("the default: %+v, %v", c, err)
	}
	for wrong, words := range map[string]string{
		"{rate: 60}": `2:18: webhooks.rate: "60" is not a rate`, "{rate: 0/m}": `"0/m" is not a rate`, "{rate: 5/d}": `"5/d" is not a rate`,
		"{proxies: [everybody]}": `2:22: webhooks.proxies.0: "everybody" is not a network`,
	} {
		if _, err := config.Parse("server.yml", []byte(rest+"webhooks: "+wrong+"\n")); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v, want %q", wrong, err, words)
		}
	}
}
