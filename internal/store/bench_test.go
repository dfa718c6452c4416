package store_test

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"batuta"
)

// BenchmarkAccept accepts different pushes from 16 goroutines, each synced to
// disk before it is acknowledged.
func BenchmarkAccept(b *testing.B) {
	db := open(b, b.TempDir())
	defer db.Close()
	accepting(b, func(ctx context.Context, n int) error {
		_, err := db.Accept(ctx, push(n))
		return err
	})
}

// BenchmarkTake does the same with deliveries, which are kept with a payload
// of 4 KiB.
func BenchmarkTake(b *testing.B) {
	db := open(b, b.TempDir())
	defer db.Close()
	payload := strings.Repeat("x", 4<<10)
	accepting(b, func(ctx context.Context, n int) error {
		p := push(n)
		_, err := db.Take(ctx, batuta.Delivery{App: p.App, Forge: p.Forge, Delivery: p.Delivery, Event: "push", Ref: p.Ref, After: p.Revision, Payload: payload})
		return err
	})
}

func accepting(b *testing.B, accept func(ctx context.Context, n int) error) {
	const clients = 16
	var n atomic.Int64
	var mu sync.Mutex
	var took []time.Duration
	b.SetParallelism(clients / min(clients, runtime.GOMAXPROCS(0)))
	b.RunParallel(func(pb *testing.PB) {
		var mine []time.Duration
		for pb.Next() {
			begun := time.Now()
			if err := accept(b.Context(), int(n.Add(1))); err != nil {
				b.Error(err)
				return
			}
			mine = append(mine, time.Since(begun))
		}
		mu.Lock()
		defer mu.Unlock()
		took = append(took, mine...)
	})
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}
