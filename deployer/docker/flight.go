package docker

import (
	"context"
	"sync"
)

// flights makes a call once for all who ask for it at the same time. Each of
// them may leave when its own ctx ends; when the last has left, the call is
// cancelled. The zero value is ready.
type flights[T any] struct {
	mu   sync.Mutex
	made map[string]*flight[T]
}

type flight[T any] struct {
	cancel  context.CancelFunc
	waiting int // guarded by flights.mu

	landed chan struct{} // closed when what follows is known
	value  T
	err    error
}

// do gives the answer of the call for key that is under way, or makes it. The
// call sees the values of the first caller's ctx.
func (f *flights[T]) do(ctx context.Context, key string, call func(context.Context) (T, error)) (T, error) {
	f.mu.Lock()
	one := f.made[key]
	if one == nil {
		one = f.launch(ctx, key, call)
	}
	one.waiting++
	f.mu.Unlock()

	select {
	case <-one.landed:
		return one.value, one.err
	case <-ctx.Done():
		f.leave(key, one)
		var none T
		return none, ctx.Err()
	}
}

// launch begins a call. Its goroutine ends with the call, for which the last
// to leave waits. f.mu is held.
func (f *flights[T]) launch(ctx context.Context, key string, call func(context.Context) (T, error)) *flight[T] {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	one := &flight[T]{cancel: cancel, landed: make(chan struct{})}
	if f.made == nil {
		f.made = map[string]*flight[T]{}
	}
	f.made[key] = one
	go func() {
		defer cancel()
		one.value, one.err = call(ctx)
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.made[key] == one {
			delete(f.made, key)
		}
		close(one.landed)
	}()
	return one
}

// leave gives up waiting.
func (f *flights[T]) leave(key string, one *flight[T]) {
	f.mu.Lock()
	one.waiting--
	last := one.waiting == 0
	if last && f.made[key] == one {
		delete(f.made, key) // who asks from now on needs a call that is not cancelled
	}
	f.mu.Unlock()
	if last {
		one.cancel()
		<-one.landed
	}
}
