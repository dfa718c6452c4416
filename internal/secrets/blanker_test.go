package secrets_test

import (
	"bytes"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"testing"

	"batuta/internal/secrets"
)

const password = "s3cr&t pass/word"

func TestTextBlanksEveryForm(t *testing.T) {
	b := secrets.NewBlanker(password, "ab", "", "-----BEGIN-----\nabcdefghijklmnop\nshort\n-----END-----")
	for _, text := range []string{
		"login " + password,
		"base64 " + base64.StdEncoding.EncodeToString([]byte(password)),
		"url s3cr%26t+pass%2Fword and s3cr&t%20pass%2Fword",
		"key line abcdefghijklmnop!",
		`json {"key":"s3cr\u0026t pass/word"}`,
	} {
		got := b.Text(text)
		if !strings.Contains(got, secrets.Mark) || strings.Contains(got, "pass") && strings.Contains(got, "word") || strings.Contains(got, "abcdefgh") {
			t.Errorf("%q became %q", text, got)
		}
	}
	if got := b.Text("about a table"); got != "about a table" {
		t.Errorf("a short value was blanked: %q", got)
	}
}

// Whatever Base64 or a URL makes of a secret, no part of it that could be turned
// back is printed.
func TestTextBlanksWhatASecretIsPartOf(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789/?+abcdefghijklmnopqrstuvwxyz", 5)
	for _, value := range []string{password, "pa/ss?", "ÿþ~~?>ÿ", long} {
		b := secrets.NewBlanker(value)
		for before := range 7 {
			for after := range 4 {
				whole := strings.Repeat("u", before) + value + strings.Repeat("\n", after)
				for name, e := range map[string]*base64.Encoding{"std": base64.StdEncoding, "raw": base64.RawStdEncoding, "url": base64.URLEncoding, "raw url": base64.RawURLEncoding} {
					if got := b.Text("x " + e.EncodeToString([]byte(whole)) + " y"); !strings.Contains(got, secrets.Mark) || len(got) > len("x  y")+len(secrets.Mark)+2*(before+after+4) {
						t.Errorf("%q in %s with %d before and %d after became %q", value, name, before, after, got)
					}
				}
			}
		}
		once := url.QueryEscape(value)
		for _, form := range []string{once, strings.ToLower(once), url.QueryEscape(once)} {
			if form == strings.ToLower(form) && form != once && strings.ToLower(value) != value {
				continue // it is not the value any more
			}
			if got := b.Text("q=" + form); got != "q="+secrets.Mark {
				t.Errorf("%q became %q", form, got)
			}
		}
	}
	encoded := base64.StdEncoding.EncodeToString([]byte(long))
	for _, columns := range []int{64, 76} {
		var lines []string
		for line := range slices.Chunk([]byte(encoded), columns) {
			if len(line) > 4 { // less tells nothing
				lines = append(lines, string(line))
			}
		}
		got := secrets.NewBlanker(long).Text(strings.Join(lines, "\n"))
		if strings.Count(got, secrets.Mark) != len(lines) {
			t.Errorf("in lines of %d: %q", columns, got)
		}
	}
}

// TestWriterAcrossChunks writes a secret split at every possible place.
func TestWriterAcrossChunks(t *testing.T) {
	text := "before " + password + " after\nand " + password
	for cut := range text {
		var out bytes.Buffer
		w := secrets.NewBlanker(password).Writer(&out)
		for _, part := range []string{text[:cut], text[cut:]} {
			if n, err := w.Write([]byte(part)); err != nil || n != len(part) {
				t.Fatal(n, err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if want := "before [secret] after\nand [secret]"; out.String() != want {
			t.Fatalf("cut at %d: %q", cut, out.String())
		}
	}
}

// TestWriterAcrossTheEndOfALongLine has a secret at every place around the one
// where a line that does not end is passed on.
func TestWriterAcrossTheEndOfALongLine(t *testing.T) {
	for before := (64 << 10) - 2*len(password); before < (64<<10)+2*len(password); before++ {
		var out bytes.Buffer
		w := secrets.NewBlanker(password).Writer(&out)
		for _, part := range []string{strings.Repeat("x", before), password[:7], password[7:], strings.Repeat("y", 70<<10)} {
			if _, err := w.Write([]byte(part)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if want := before + len(secrets.Mark) + (70 << 10); out.Len() != want {
			t.Fatalf("a secret after %d bytes: %d bytes are passed on, want %d", before, out.Len(), want)
		}
	}
}
