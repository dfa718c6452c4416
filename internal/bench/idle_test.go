package main

import (
	"os"
	"testing"
)

func TestMemoryOfThisProcess(t *testing.T) {
	t.Parallel()
	m, err := memoryOf(os.Getpid())
	if err != nil || m.own < 100<<10 || m.resident < m.own || m.resident > 1<<30 {
		t.Errorf("got %+v, %v", m, err)
	}
}
