package web_test

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

var pictures = flag.String("pictures", "", "a directory for pictures of the pages")

// chromium starts a browser with one tab, whose console must stay empty: it is
// where a browser complains about what the pages' own policy forbids.
func chromium(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("no chromium: install it with `apt-get install chromium`, or run `make setup`")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-component-update", true))
	browser, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop) // and wait for it
	tab, end := chromedp.NewContext(browser)
	t.Cleanup(end)
	if err := chromedp.Do(tab); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	var reader sync.WaitGroup
	messages := chromedp.Console(tab)
	reader.Go(func() {
		for m, err := range messages {
			if err != nil {
				return // the tab has gone
			}
			if m.Type != "debug" {
				t.Errorf("console: %s: %s", m.Type, m.Text)
			}
		}
	})
	t.Cleanup(func() { end(); reader.Wait() })
	return tab
}

// click clicks on what leads to another page, and waits for that.
func click(tab context.Context, t *testing.T, sel chromedp.CSS) {
	t.Helper()
	if _, err := chromedp.RunResponse(tab, chromedp.Click(sel)); err != nil {
		t.Fatalf("click on %s: %v", sel, err)
	}
}

// read is the text that a person sees at a place of the page.
func read(tab context.Context, t *testing.T, sel chromedp.CSS) string {
	t.Helper()
	text, err := chromedp.Run(tab, chromedp.Text(sel))
	if err != nil {
		t.Fatalf("read %s: %v", sel, err)
	}
	return text
}

// picture takes one of the whole page, if somebody wants to look.
func picture(tab context.Context, t *testing.T, name string) {
	t.Helper()
	if *pictures == "" {
		return
	}
	for _, scheme := range []string{"light", "dark"} {
		params := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
		if _, err := chromedp.Call(tab, emulation.SetEmulatedMedia, params); err != nil {
			t.Fatal(err)
		}
		png, err := chromedp.Run(tab, chromedp.FullScreenshot(100))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(*pictures, name+"-"+scheme+".png"), png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tab := chromium(t)
	tab, cancel := context.WithTimeout(tab, time.Minute)
	t.Cleanup(cancel)
	if err := chromedp.Do(tab, chromedp.EmulateViewport(1200, 900), chromedp.Navigate(w.URL+"/runs/213"), chromedp.SendKeys(chromedp.CSS("input[name=token]"), anasToken)); err != nil {
		t.Fatal(err)
	}
	picture(tab, t, "login")
	click(tab, t, "main button")
	if text := read(tab, t, "main"); !strings.Contains(text, "Run 213 of shop") || !strings.Contains(text, "#5 [2/3] COPY . .") {
		t.Errorf("the run's page: %s", text)
	}
	picture(tab, t, "run")
	click(tab, t, "header h1 a")
	for sel, want := range map[chromedp.CSS][]string{
		"#status": {"portal", "production", "healthy", "http://10.0.0.12:8080", "rolled back"},
		"#runs":   {"Cart: keep the amount when signing in", "superseded", `<script>alert("x")</script>`},
		".alert":  {"Ship node3 does not answer."},
	} {
		text := read(tab, t, sel)
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s does not show %q: %s", sel, w, text)
			}
		}
	}
	picture(tab, t, "front")
	click(tab, t, "#status a[href='/apps/shop/deliveries']")
	if text := read(tab, t, "#deliveries"); !strings.Contains(text, "refs/heads/main") || !strings.Contains(text, "docker.io/library/redis:7 not in on.registry") {
		t.Errorf("the deliveries: %s", text)
	}
	picture(tab, t, "deliveries")
	click(tab, t, "header h1 a")
	if err := chromedp.Do(tab, chromedp.EmulateViewport(390, 800)); err != nil {
		t.Fatal(err)
	}
	picture(tab, t, "phone")
	click(tab, t, "header button")
	if text := read(tab, t, "main"); !strings.Contains(text, "Token") {
		t.Errorf("signed out: %s", text)
	}
}
