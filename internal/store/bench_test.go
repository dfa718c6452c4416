package store_test

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkAccept accepts different pushes from 16 goroutines, each synced to
// disk before it is acknowledged.
func BenchmarkAccept(b *testing.B) {
	const clients = 16
	db := open(b, b.TempDir())
	defer db.Close()
	var n atomic.Int64
	var mu sync.Mutex
	var took []time.Duration
	b.SetParallelism(clients / min(clients, runtime.GOMAXPROCS(0)))
	b.RunParallel(func(pb *testing.PB) {
		var mine []time.Duration
		for pb.Next() {
			begun := time.Now()
			if _, err := db.Accept(b.Context(), push(int(n.Add(1)))); err != nil {
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
