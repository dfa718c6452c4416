package main

import (
	"context"
	"errors"
)

const clients = 16

func measureWebhook(ctx context.Context, b *bench) ([]row, error) { return nil, errors.New("todo") }
func measureIdle(ctx context.Context, b *bench) ([]row, error)    { return nil, errors.New("todo") }
