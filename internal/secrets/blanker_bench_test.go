package secrets_test

import (
	"os"
	"strings"
	"testing"

	"batuta/internal/secrets"
)

// BenchmarkPayload blanks what a forge sends, which has no secret.
func BenchmarkPayload(b *testing.B) {
	payload, err := os.ReadFile("../../webhooks/testdata/gitea/push.branch.json")
	if err != nil {
		b.Fatal(err)
	}
	values := []string{"0123456789abcdef0123456789abcdef"}
	for name, more := range map[string][]string{"1 secret": nil, "and a key": {strings.Repeat("b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n", 10), "another password"}} {
		b.Run(name, func(b *testing.B) {
			blanker := secrets.NewBlanker(append(values, more...)...)
			b.SetBytes(int64(len(payload)))
			for b.Loop() {
				blanker.Text(string(payload))
			}
		})
	}
	b.Run("make", func(b *testing.B) {
		for b.Loop() {
			secrets.NewBlanker(values...)
		}
	})
}
