package keeper

import "sync"

// part is something that is started when it is first asked for, and again if
// it is asked for after it died. The zero part has not been started.
type part[T any] struct {
	mu    sync.Mutex
	value T
	check func() error // nil before the first start
}

// get gives the part, started if need be. start also tells how to check that
// the part still lives.
func (p *part[T]) get(start func() (T, func() error, error)) (T, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.check != nil && p.check() == nil {
		return p.value, nil
	}
	value, check, err := start()
	if err != nil {
		return p.value, err
	}
	p.value, p.check = value, check
	return p.value, nil
}
