package gitremote

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHeldResponse(t *testing.T) {
	t.Parallel()
	body := "002e\x01000eunpack ok\n0017ok refs/heads/main\n0000" + "0000"
	for name, c := range map[string]struct{ body, want string }{
		"with a side band":    {body, strings.TrimSuffix(body, "0000") + "001a\x02batuta: run 1 queued\n" + "0000"},
		"without a side band": {"000eunpack ok\n0017ok refs/heads/main\n0000", "000eunpack ok\n0017ok refs/heads/main\n0000"},
		"cut off":             {body[:len(body)-4], body[:len(body)-4]},
		"no pkt-lines":        {"git did not answer", "git did not answer"},
		"only a flush":        {"0000", "0000"},
		"empty":               {"", ""},
	} {
		w := httptest.NewRecorder()
		held := &heldResponse{w: w, limit: 1000}
		held.Header().Set("Content-Length", "50")
		held.WriteHeader(200)
		for _, part := range []string{c.body[:len(c.body)/2], c.body[len(c.body)/2:]} {
			if _, err := held.Write([]byte(part)); err != nil {
				t.Fatal(err)
			}
		}
		if w.Body.Len() > 0 {
			t.Errorf("%s: let out too early: %q", name, w.Body)
		}
		held.release(func(accepted []string) []string {
			if diff := cmp.Diff([]string{"refs/heads/main"}, accepted); diff != "" {
				t.Errorf("%s: accepted (-want +got):\n%s", name, diff)
			}
			return []string{"batuta: run 1 queued"}
		})
		if got := w.Body.String(); got != c.want {
			t.Errorf("%s: %q\nwant %q", name, got, c.want)
		}
	}
}

func TestHeldResponseThatIsTooLong(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	held := &heldResponse{w: w, limit: 10}
	held.WriteHeader(201)
	for _, part := range []string{"12345", "67890x", "yz"} {
		if _, err := held.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	held.release(func([]string) []string { t.Error("asked what to say"); return nil })
	if w.Body.String() != "1234567890xyz" || w.Code != 201 {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

func TestProgressKeepsToItsLimit(t *testing.T) {
	t.Parallel()
	line := string(progress(strings.Repeat("é", 700)))
	if len(line) > 1000 || !strings.HasSuffix(line, "é\n") || line[4] != bandProgress {
		t.Errorf("%d bytes: %q", len(line), line)
	}
	if got, rest, ok := cutLine([]byte(line)); !ok || len(rest) > 0 || len(got) != len(line)-4 {
		t.Errorf("length field %q of %d bytes", line[:4], len(line))
	}
}

// FuzzReadSideband reads whatever git, or something in its place, answers.
func FuzzReadSideband(f *testing.F) {
	f.Add([]byte("002e\x01000eunpack ok\n0017ok refs/heads/main\n00000000"))
	f.Add([]byte("0000"))
	f.Add([]byte("0005\x010004ffff"))
	f.Fuzz(func(t *testing.T, body []byte) {
		data, ok := readSideband(body)
		if ok && !strings.HasSuffix(string(body), flush) {
			t.Errorf("%q has no end", body)
		}
		acceptedRefs(data)
		acceptedRefs(body)
	})
}

func TestReadLogLine(t *testing.T) {
	t.Parallel()
	const hashes = "0000000000000000000000000000000000000000 6dcb09b5b57875f334f61aebed695e2e4193db5e "
	for line, want := range map[string]string{
		hashes + "Ben Ölund <Ben Ölund@http.::1> 1700000000 +0100\tpush": "Ben Ölund 1700000000",
		hashes + "ana <ana@http.127.0.0.1> 5 +0000":                      "ana 5",
		hashes + "ana <ana@http.127.0.0.1> soon":                         "ana -",
		hashes:                                                           " -",
		"":                                                               " -",
	} {
		person, when := readLogLine(line)
		got := person + " -"
		if !when.IsZero() {
			got = fmt.Sprint(person, " ", when.Unix())
		}
		if got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}
