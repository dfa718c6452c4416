package secrets_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"batuta/internal/secrets"
)

// TestTextBlanksWhatLanguagesMakeOfASecret has the forms that their own
// functions give: some escape what others leave.
func TestTextBlanksWhatLanguagesMakeOfASecret(t *testing.T) {
	t.Parallel()
	const url, text, spaced, key = `p@ss!w0rd/(x)yz`, `pässwörd<&>9`, "pa ss@wd:12", "-----BEGIN-----\nabc/def+ghi=\n-----END-----"
	b := secrets.NewBlanker(url, text, spaced, key)
	for form, by := range map[string]string{
		`p%40ss!w0rd%2F(x)yz`:                      "JavaScript's encodeURIComponent",
		`p%40ss%21w0rd/%28x%29yz`:                  "Python's quote",
		`p%2540ss%2521w0rd%252f%2528x%2529yz`:      "a URL in a URL",
		`pa%20ss%40wd%3A12`:                        "encodeURIComponent, of a space",
		`pa+ss%40wd%3a12`:                          "a form",
		`p@ss!w0rd\/(x)yz`:                         "PHP's json_encode",
		`p\u00e4ssw\u00f6rd<&>9`:                   "Python's json.dumps",
		`p\u00E4ssw\u00F6rd\u003c\u0026\u003E9`:    "Java's",
		`p\xc3\xa4ssw\303\266rd<&>9`:               "a shell's, and git's",
		`p%C3%A4ssw%c3%b6rd%3C%26%3E9`:             "a URL",
		`-----BEGIN-----\nabc\/def+ghi=\n-----END`: "a key in PHP's JSON",
		`abc%2Fdef%2Bghi%3D`:                       "a line of a key in a URL",
	} {
		if got := b.Text("it is " + form + " there"); !strings.HasPrefix(got, "it is ") || !strings.HasSuffix(got, " there") || strings.Contains(got, "ss") || strings.Contains(got, "def") {
			t.Errorf("%s: %q became %q", by, form, got)
		}
	}
	if plain := `C:\Users\pass and 100% of p%41th`; b.Text(plain) != plain {
		t.Errorf("%q became %q", plain, b.Text(plain))
	}
}

// TestTextBlanksBase64ThatIsWrapped wraps what has a secret somewhere in it at
// every width, and reads the log line by line.
func TestTextBlanksBase64ThatIsWrapped(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"npm_0123456789abcdefGHIJ", strings.Repeat("k3y/+", 60)} {
		b := secrets.NewBlanker(secret)
		for before := range 60 {
			whole := strings.Repeat("//r.org/:_authToken="[:20], 3)[:before] + secret + " and more of it\n"
			encoded := base64.StdEncoding.EncodeToString([]byte(whole))
			for _, columns := range []int{60, 64, 76} {
				var read strings.Builder
				for line := range slices.Chunk([]byte(encoded), columns) {
					read.WriteString("#9 0.12 " + b.Text(string(line)) + "\n")
				}
				// Of each line that the secret touches, less than 8 characters may stay.
				if got := leaked(secret, before, encoded, read.String()); got > 8 {
					t.Fatalf("%q after %d, in lines of %d: %d characters in a row of\n%s\nstand in\n%s", secret, before, columns, got, encoded, read.String())
				}
			}
		}
	}
}

// leaked is how many characters in a row that encode nothing but the secret
// stand in what is read.
func leaked(secret string, before int, encoded, read string) (most int) {
	from, to := (8*before+5)/6, 8*(before+len(secret))/6
	for at := from; at < to; at++ {
		for n := most + 1; at+n <= to && strings.Contains(read, encoded[at:at+n]); n++ {
			most = n
		}
	}
	return most
}

func BenchmarkText(b *testing.B) {
	var values []string
	for n := range 20 {
		values = append(values, strings.Repeat(string(rune('a'+n)), 3)+"s3cr&t pass/word")
	}
	blanker := secrets.NewBlanker(values...)
	line := strings.Repeat("#12 3.456 Get:17 http://deb.example.org/debian bookworm/main amd64 libsomething-dev amd64 1.2.3-4 [123 kB] 100%\n", 600)
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		blanker.Text(line)
	}
}
