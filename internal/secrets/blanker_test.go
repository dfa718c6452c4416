package secrets_test

import (
	"bytes"
	"encoding/base64"
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
