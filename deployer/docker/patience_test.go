package docker_test

import (
	"errors"
	"testing"
	"time"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/docker"
	"batuta/internal/lab"
)

func TestQuestionsAreNotAskedForLong(t *testing.T) {
	t.Parallel()
	at := lab.OwnShips(t, 1)[0]
	b := benchOver(t, at, at.TCP, deployer.Reach{Timeout: 5 * time.Second})
	id := b.run(t, b.instance("trap 'sleep 6; exit 4' TERM; echo set; while :; do sleep 0.1; done"))
	lab.Wait(t, patient, func() error {
		lines, err := b.Tail(t.Context(), id, 1)
		return errors.Join(err, sayUnless(len(lines) == 1, "the trap is not set"))
	})
	must(t, b.Stop(t.Context(), id, patient)) // which takes its time
	if exit, err := b.Wait(t.Context(), id); err != nil || exit.Code != 4 {
		t.Errorf("it was not let end: %+v, %v", exit, err)
	}
	must(t, at.Freeze(t.Context()))
	_, err := b.Facts(t.Context())
	must(t, wrong(err, batuta.Unavailable, "does not answer", ""))
	must(t, at.Thaw(t.Context()))
}

func TestFactsAreTheSameFromFarAndNear(t *testing.T) {
	t.Parallel()
	at := lab.Ships(t, 1)[0]
	near, err := dial(t, at.Name, at.Endpoint, docker.Options{}).Facts(t.Context())
	must(t, err)
	far, err := dial(t, at.Name, at.TCP, docker.Options{Runtime: newRuntime(t)}).Facts(t.Context())
	must(t, err)
	if near.DiskSize == 0 || far.DiskSize != near.DiskSize || far.DiskFree == 0 || far.Load == 0 || near.Load == 0 {
		t.Errorf("near: %+v; far: %+v", near, far)
	}
	blind, err := dial(t, at.Name, at.TCP, docker.Options{}).Facts(t.Context())
	if err != nil || blind.DiskSize != 0 || blind.CPUs != near.CPUs {
		t.Errorf("without a runtime image: %+v, %v", blind, err)
	}
}
