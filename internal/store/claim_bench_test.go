package store_test

import (
	"fmt"
	"testing"

	"batuta"
	"batuta/internal/store"
)

// BenchmarkClaim takes runs from a queue of each length: it must not cost more
// behind many.
func BenchmarkClaim(b *testing.B) {
	for _, waiting := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprint(waiting), func(b *testing.B) {
			db, err := store.Open(b.Context(), b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			push := func(i int) {
				_, err := db.Accept(b.Context(), batuta.Push{
					App: batuta.AppName(fmt.Sprintf("app-%d", i%100)), Forge: "gitea", Delivery: fmt.Sprint(i), Ref: fmt.Sprintf("refs/heads/%d", i), Revision: "0123456789012345678901234567890123456789",
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			for i := range waiting {
				push(i)
			}
			next := waiting
			for b.Loop() {
				_, lease, err := db.Claim(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if err := db.EndRun(b.Context(), lease, batuta.RunSucceeded, ""); err != nil {
					b.Fatal(err)
				}
				push(next)
				next++
				b.StartTimer()
			}
		})
	}
}
