package keeper

import (
	"context"
	"fmt"
	"time"
)

// machineSocket is where every Docker client looks for the machine's Engine.
const machineSocket = "/var/run/docker.sock"

// machineEngine gives the machine's own Docker Engine: the one that answers,
// or else one that the lab starts, and removes when it goes.
func (k *keeper) machineEngine(ctx context.Context) (*engine, error) {
	return k.machine.get(func() (*engine, func() error, error) {
		e := newEngine("machine", k.bases.address.Loopback)
		e.socket = machineSocket
		if e.ping(ctx) == nil {
			return e, e.err, nil
		}
		if err := noteMachine(ctx); err != nil {
			return e, nil, err
		}
		if err := e.start(ctx); err != nil {
			return e, nil, fmt.Errorf("start a Docker Engine: %w", err)
		}
		return e, e.err, nil
	})
}

// leaveMachine takes the lab's images off an Engine that stays.
func (k *keeper) leaveMachine(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	k.machine.mu.Lock()
	defer k.machine.mu.Unlock()
	if k.machine.value == nil {
		return nil
	}
	return k.machine.value.dismiss(ctx)
}
