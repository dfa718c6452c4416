package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"batuta/internal/config"
)

// TestWhereNoticesGo takes the chats that people use, by the forms that their
// makers give, and looks for secrets where server.yml says.
func TestWhereNoticesGo(t *testing.T) {
	t.Setenv("BATUTA_TEST_CHAT", "telegram://110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw@telegram?chats=@deploys")
	_, err := config.Parse("server.yml", []byte(`
ships: {a: {endpoint: unix:///run/docker.sock}}
apps: {portal: {}}
notify:
  - {url: "slack://hook:AAAAAAAAA-BBBBBBBBB-123456789123456789123456@webhook", on: [failed, recovery], apps: [portal]}
  - {url: "discord://tokentoken@1234567890"}
  - {url: "teams://11111111-4444-4444-8444-cccccccccccc@22222222-4444-4444-8444-cccccccccccc/33333333012222222222333333333344/44444444-4444-4444-8444-cccccccccccc/V2ESyij_gAljSoUQHvZoZYzlpAoAXExyOl26dlf1xHEx05?host=example.webhook.office.com"}
  - {url: "matrix://ana:a-password@matrix.example.edu/?rooms=!deploys:example.edu"}
  - {url: {env: BATUTA_TEST_CHAT}, on: [approval, promotion]}
  - {url: "smtp://ana:a-password@mail.example.edu:587/?from=batuta@example.edu&to=team@example.edu"}
  - {name: team, url: "ntfy://ntfy.example.edu/deploys", on: [live]}
  - {url: "generic+https://example.edu/in?template=json"}
  - {url: "https://example.edu/in", secret: 0123456789abcdef}
`))
	if err != nil {
		t.Error(err)
	}
}

func TestNoticesThatGoNowhere(t *testing.T) {
	t.Parallel()
	_, err := config.Parse("server.yml", []byte(`
ships: {a: {endpoint: unix:///run/docker.sock}}
apps: {portal: {}}
notify:
  - {url: "slakc://hook:AAAAAAAAA-BBBBBBBBB-123456789123456789123456@webhook"}
  - {url: "slack://hook:too-short@webhook", secret: 0123456789abcdef}
  - {url: "logger://", apps: [portall]}
  - {url: "https://", on: [failure]}
  - {url: {env: BATUTA_TEST_NO_SUCH_VARIABLE}}
  - {on: [live]}
  - {url: "ntfy+https://example.edu/x"}
  - {name: team, url: "https://example.edu/a"}
  - {name: team, url: "https://example.edu/b"}
  - {name: The Team, url: "https://example.edu/c"}
`))
	if err == nil {
		t.Fatal("no error")
	}
	var got []string
	for line := range strings.Lines(err.Error()) {
		message, _, _ := strings.Cut(strings.TrimSpace(line), " (")
		got = append(got, message)
	}
	want := []string{
		`server.yml:5:11: notify.0.url: no chat is called "slakc"`,
		`server.yml:6:11: notify.1.url: this is not a URL of slack: invalid slack token format`,
		`server.yml:6:53: notify.1.secret: only a webhook is signed`,
		`server.yml:7:11: notify.2.url: no chat is called "logger"`,
		`server.yml:7:31: notify.2.apps.0: no app "portall"`,
		`server.yml:8:11: notify.3.url: this is not the URL of a webhook or of a chat`,
		`server.yml:8:28: notify.3.on.0: no topic "failure"`,
		`server.yml:9:11: notify.4.url: the server's environment has no variable BATUTA_TEST_NO_SUCH_VARIABLE`,
		`server.yml:10:5: notify.5.url: this is not the URL of a webhook or of a chat`,
		`server.yml:11:11: notify.6.url: this is not a URL of ntfy: it takes no ntfy+https://`,
		`server.yml:13:12: notify.8.name: team stands twice`,
		`server.yml:14:12: notify.9.name: "The Team" is not a name`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
