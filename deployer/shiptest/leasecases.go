package shiptest

import (
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"batuta"
	"batuta/deployer"
)

func kills(t *testing.T, b *bench) {
	id := b.run(t, b.instance("a", quits(), func(i *deployer.Instance) { i.Restart = "always" }))
	eventually(t, "it is between two lives, or in one", func() error { return b.Ship.Kill(t.Context(), id) })
	if c := b.only(t); c.State != "exited" {
		t.Errorf("killed: %+v", c)
	}
	if err := b.Ship.Remove(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	id = b.run(t, b.instance("b", stubborn()))
	for range 2 {
		if err := b.Ship.Kill(t.Context(), id); err != nil {
			t.Errorf("kill: %v", err)
		}
		if c := b.only(t); c.State != "exited" || c.ExitCode != 137 {
			t.Errorf("killed: %+v", c)
		}
	}
	if err := b.Ship.Remove(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if err := b.Ship.Kill(t.Context(), id); err != nil {
		t.Errorf("kill what is gone: %v", err)
	}
}

// prunes keeps to what is safe on a ship that others use, too.
func prunes(t *testing.T, b *bench) {
	b.create(t, b.instance("a", stubborn()))
	for name, repositories := range map[string][]string{"in use": {b.Image.Repository}, "another's": {"registry.test/other"}, "nobody's": nil} {
		if removed, err := b.Ship.Prune(t.Context(), repositories, []batuta.Image{b.Missing}); err != nil || len(removed) != 0 {
			t.Errorf("%s: pruned %v, %v", name, removed, err)
		}
	}
	b.create(t, b.instance("b", stubborn()))
}

func locks(t *testing.T, b *bench) {
	held := map[string]int{}
	var mu sync.Mutex
	var racing sync.WaitGroup
	for n := range 8 {
		racing.Go(func() {
			me := fmt.Sprintf("person %d", n)
			by, err := b.Ship.Lock(t.Context(), b.scope, me, time.Minute)
			if err != nil {
				t.Errorf("lock: %v", err)
			}
			if by == "" {
				by = me
			}
			mu.Lock()
			defer mu.Unlock()
			held[by]++
		})
	}
	racing.Wait()
	if len(held) != 1 {
		t.Fatalf("who holds it, and who says so: %v", held)
	}
	for holder := range held {
		b.lock(t, holder, "")
		b.lock(t, "somebody else", holder)
		b.unlock(t, "somebody else")
		b.lock(t, "somebody else", holder)
		b.unlock(t, holder)
		b.unlock(t, holder)
	}
	b.lock(t, "ada", "")
	other := b.scope
	other.Environment += "x"
	if by, err := b.Ship.Lock(t.Context(), other, "grace", time.Minute); err != nil || by != "" {
		t.Errorf("another scope is held by %q, %v", by, err)
	}
	if err := b.Ship.Unlock(t.Context(), other, "grace"); err != nil {
		t.Error(err)
	}
	b.unlock(t, "ada")
}

// lock wants to be told that the lease is held by somebody; empty: the holder.
func (b *bench) lock(t *testing.T, holder, want string) {
	t.Helper()
	if by, err := b.Ship.Lock(t.Context(), b.scope, holder, time.Minute); err != nil || by != want {
		t.Errorf("%s locks, and it is held by %q, %v; want %q", holder, by, err, want)
	}
}

func (b *bench) unlock(t *testing.T, holder string) {
	t.Helper()
	if err := b.Ship.Unlock(t.Context(), b.scope, holder); err != nil {
		t.Errorf("%s unlocks: %v", holder, err)
	}
}

func expires(t *testing.T, b *bench) {
	if by, err := b.Ship.Lock(t.Context(), b.scope, "ada", time.Second); err != nil || by != "" {
		t.Fatalf("lock: held by %q, %v", by, err)
	}
	b.lock(t, "grace", "ada")
	eventually(t, "the lease ends by itself", func() error {
		by, err := b.Ship.Lock(t.Context(), b.scope, "grace", time.Minute)
		if err == nil && by != "" {
			err = fmt.Errorf("held by %s", by)
		}
		return err
	})
	b.lock(t, "ada", "grace")
	b.unlock(t, "ada") // which she has lost
	b.lock(t, "ada", "grace")
	b.unlock(t, "grace")
}

func notes(t *testing.T, b *bench) {
	begin := func(s deployer.Scope, n deployer.Note) deployer.Note {
		t.Helper()
		stands, err := b.Ship.Begin(t.Context(), s, n)
		if err != nil {
			t.Error(err)
		}
		return stands
	}
	end := func() {
		t.Helper()
		if err := b.Ship.End(t.Context(), b.scope); err != nil {
			t.Error(err)
		}
	}
	end()
	var stand [4]deployer.Note
	var racing sync.WaitGroup
	for n := range stand {
		racing.Go(func() {
			stand[n] = begin(b.scope, deployer.Note{Change: fmt.Sprint("run ", n), Left: []string{"0123", fmt.Sprint(n)}, Seats: []batuta.ShipName{"a", "b"}})
		})
	}
	racing.Wait()
	for _, n := range append(stand[1:], begin(b.scope, deployer.Note{Change: "late"})) {
		if n.Change == "" || len(n.Left) != 2 || len(n.Seats) != 2 || !reflect.DeepEqual(n, stand[0]) {
			t.Errorf("the note that stands is %+v, and %+v", stand[0], n)
		}
	}
	other := b.scope
	other.Environment += "x"
	if n := begin(other, deployer.Note{Change: "other"}); n.Change != "other" || len(n.Left) != 0 {
		t.Errorf("another scope has the note %+v", n)
	}
	if err := b.Ship.End(t.Context(), other); err != nil {
		t.Error(err)
	}
	end()
	end()
	if n := begin(b.scope, deployer.Note{Change: "next"}); n.Change != "next" {
		t.Errorf("after the end stands %+v", n)
	}
	end()
}
