package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"batuta"
	"batuta/internal/lab"
	"batuta/internal/notify"
)

var wentWrong = notify.Message{
	Topic: "failed", Kind: "run failed", App: "portal", Environment: "qa", Run: 7, URL: page, Text: "build web: no space left",
}

const told = "portal qa: run failed\nbuild web: no space left\n" + page

func TestNtfyIsTold(t *testing.T) {
	t.Parallel()
	e := listen(t, answer{code: 200, body: "{}"})
	chat := notify.NewChat("ntfy://ana:" + token + "@" + strings.TrimPrefix(e.URL, "http://") + "/deploys?disabletls=yes")
	if err := chat.Send(t.Context(), "7", wentWrong); err != nil {
		t.Fatal(err)
	}
	r := e.only(t)
	if user, password, _ := r.BasicAuth(); r.URL.Path != "/deploys" || string(r.body) != told || user != "ana" || password != token {
		t.Errorf("%s is told %q by %s", r.URL.Path, r.body, user)
	}
}

func TestMatrixIsTold(t *testing.T) {
	t.Parallel()
	e := listen(t, answer{code: 200, body: `{"room_id": "!deploys:example.edu"}`}, answer{code: 200, body: `{"event_id": "1"}`})
	chat := notify.NewChat("matrix://:" + token + "@" + strings.TrimPrefix(e.URL, "http://") + "/?rooms=!deploys:example.edu&disableTLS=yes")
	if err := chat.Send(t.Context(), "7", wentWrong); err != nil {
		t.Fatal(err)
	}
	var said struct{ Body, Msgtype string }
	if err := json.Unmarshal(e.heard[1].body, &said); err != nil || said.Body != told || said.Msgtype != "m.text" {
		t.Errorf("the room is told %s (%v)", e.heard[1].body, err)
	}
}

func TestAMailIsSent(t *testing.T) {
	t.Parallel()
	address, mail := lab.PostOffice(t)
	chat := notify.NewChat("smtp://" + address + "/?from=batuta@example.edu&to=ana@example.edu&auth=None&encryption=None&useStartTLS=no")
	if err := chat.Send(t.Context(), "7", wentWrong); err != nil {
		t.Fatal(err)
	}
	got := <-mail
	for _, want := range []string{"RCPT TO:<ana@example.edu>", "Subject: portal qa: run failed", "build web: no space left", page} {
		if !strings.Contains(got, want) {
			t.Errorf("the mail lacks %q:\n%s", want, got)
		}
	}
}

// TestAChatThatRefuses is told again, and shows no part of its URL.
func TestAChatThatRefuses(t *testing.T) {
	t.Parallel()
	for address, words := range map[string]string{
		"mattermost://%s/AzNaAbCdEfGhIjK?disabletls=yes": "401 Unauthorized", "gotify://%s/AzNaAbCdEfGhIjK?disabletls=yes": "server responded",
		"generic://%s/AzNaAbCdEfGhIjK?disabletls=yes": "401 Unauthorized",
	} {
		e := listen(t, answer{code: http.StatusUnauthorized, body: `{"error": "not with AzNaAbCdEfGhIjK"}`})
		err := notify.NewChat(fmt.Sprintf(address, strings.TrimPrefix(e.URL, "http://"))).Send(t.Context(), "7", wentWrong)
		if !errors.Is(err, batuta.Unavailable) || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "AzNaAbCdEfGhIjK") {
			t.Errorf("%s gives %v, want %q", address, err, words)
		}
	}
	e := listen(t)
	e.Close()
	err := notify.NewChat("gotify://"+strings.TrimPrefix(e.URL, "http://")+"/AzNaAbCdEfGhIjK?disabletls=yes").Send(t.Context(), "7", wentWrong)
	if !errors.Is(err, batuta.Unavailable) || strings.Contains(err.Error(), "AzNaAbCdEfGhIjK") {
		t.Errorf("nobody there gives %v", err)
	}
}

// TestAChatThatHangs is let go of in time, and told nothing else at once.
func TestAChatThatHangs(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0") // takes connections, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	chat := notify.NewChat("ntfy://" + listener.Addr().String() + "/deploys?disabletls=yes")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := chat.Send(ctx, "7", wentWrong); !errors.Is(err, batuta.Unavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the first attempt: %v", err)
	}
	if err := chat.Send(t.Context(), "8", wentWrong); !errors.Is(err, batuta.Unavailable) || !strings.Contains(err.Error(), "has not ended") {
		t.Errorf("another message: %v", err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTitles(t *testing.T) {
	t.Parallel()
	for want, m := range map[string]notify.Message{
		"portal qa: run failed": wentWrong,
		"ship a: ship lost":     {Kind: "ship lost", Topic: "lost", Ship: "a"},
		"portal qa: recovered":  {Kind: "went live", Topic: "recovery", App: "portal", Environment: "qa"},
	} {
		if got := m.Title(); got != want {
			t.Errorf("%+v is called %q, want %q", m, got, want)
		}
	}
	if body := (notify.Message{Text: strings.Repeat("ä", 3000)}).Body(); len([]rune(body)) != 1501 {
		t.Errorf("a body has %d characters", len([]rune(body)))
	}
}

// TestAnAttemptThatHangsDoesNotSilenceAChat has a receiver that never answers
// the first message.
func TestAnAttemptThatHangsDoesNotSilenceAChat(t *testing.T) {
	t.Parallel()
	first, over := make(chan struct{}, 1), make(chan struct{})
	first <- struct{}{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		select {
		case <-first:
			<-over
		default:
			w.WriteHeader(http.StatusOK)
		}
	}))
	t.Cleanup(func() { close(over); server.Close() })
	chat := notify.NewChat("generic://" + strings.TrimPrefix(server.URL, "http://") + "/x?disabletls=yes").WithPatience(200 * time.Millisecond)
	send := func(id string) error {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		return chat.Send(ctx, id, wentWrong)
	}
	if err := send("7"); !errors.Is(err, batuta.Unavailable) || !strings.Contains(err.Error(), "does not answer in time") {
		t.Fatalf("a receiver that hangs: %v", err)
	}
	if err := send("8"); !errors.Is(err, batuta.Unavailable) || !strings.Contains(err.Error(), "has not ended") {
		t.Errorf("another at once: %v", err)
	}
	lab.Wait(t, time.Minute, func() error { return send("8") })
}

// TestASlowChatIsToldOnce has a receiver take its time for a message.
func TestASlowChatIsToldOnce(t *testing.T) {
	t.Parallel()
	got, answer := make(chan struct{}, 10), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		got <- struct{}{}
		<-answer
	}))
	t.Cleanup(server.Close)
	chat := notify.NewChat("generic://" + strings.TrimPrefix(server.URL, "http://") + "/x?disabletls=yes")
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if err := chat.Send(ctx, "7", wentWrong); !errors.Is(err, batuta.Unavailable) {
			t.Errorf("before it has answered: %v", err)
		}
		cancel()
	}
	close(answer)
	if err := chat.Send(t.Context(), "7", wentWrong); err != nil {
		t.Error(err)
	}
	if len(got) != 1 {
		t.Errorf("it was told %d times", len(got))
	}
}
