package store_test

import (
	"context"
	"testing"

	"batuta/internal/store"
	"batuta/internal/store/storetest"
)

func TestSQLite(t *testing.T) {
	storetest.Test(t, func(ctx context.Context, dir string) (storetest.Store, error) {
		return store.Open(ctx, dir)
	})
}
