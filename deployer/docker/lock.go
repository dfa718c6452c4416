package docker

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/volume"

	"batuta"
	"batuta/deployer"
)

// A lock is a lease that is kept on the ship itself, as it must hold between
// people and servers that know nothing of each other. Each generation of it is
// an empty volume whose name has the generation's number: Docker makes a volume
// of one name once, and shows it to all others who would. The highest number
// counts; it holds for its ttl from when it was made, by the ship's clock.
// Whoever finds it ended, or has it, makes the next.
//
// Numbers begin again after an Unlock, so that somebody slow may make one that
// was right a while ago. That is why a lease counts only after a second look:
// the one before it has to be there still, and none may be above it.
//
// Whoever removes all unused volumes of a ship removes its locks, too: docker
// volume prune does so up to API 1.41, and later with --all.

// lease is one generation of a lock.
type lease struct {
	number  int
	name    string // of the volume
	holder  string
	expires time.Time
}

// Lock takes or renews the scope's lease. If another holds it, by says who; it
// is empty if the lease is the holder's. Docker's volumes tell full seconds,
// so that a lease may last for a second longer than its ttl, and not shorter.
func (s *Ship) Lock(ctx context.Context, scope deployer.Scope, holder string, ttl time.Duration) (by string, err error) {
	if holder == "" || ttl <= 0 {
		return "", &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("lock for %q, for %s", holder, ttl)}
	}
	key := strings.Join([]string{string(scope.App), string(scope.Environment), holder, ttl.String()}, "\x00")
	by, err = s.locks.do(ctx, key, func(ctx context.Context) (by string, err error) { // one holder does not compete with itself
		for taken := false; !taken && by == "" && err == nil; {
			taken, by, err = s.tryLock(ctx, scope, holder, ttl)
		}
		return by, err
	})
	return by, s.fault(err, "lock %s", joined(string(scope.App), string(scope.Environment)))
}

// tryLock tells whether the lease is taken, or by whom it is held. Neither: the
// world has moved, and the next attempt will see more.
func (s *Ship) tryLock(ctx context.Context, scope deployer.Scope, holder string, ttl time.Duration) (taken bool, by string, err error) {
	before, err := s.leases(ctx, scope)
	if err != nil {
		return false, "", err
	}
	last := highest(before)
	if last.number > 0 && last.holder != holder {
		if lives, err := s.lives(ctx, last); err != nil || lives {
			return false, last.holder, err
		}
	}
	next, err := s.makeLease(ctx, scope, last.number+1, holder, ttl)
	if err != nil || next.holder != holder { // another was quicker
		return false, next.holder, err
	}
	after, err := s.leases(ctx, scope)
	if err != nil {
		return false, "", err
	}
	if highest(after).number != next.number || last.number > 0 && !has(after, last) {
		return false, "", errors.Join(s.dropLease(ctx, next), pause(ctx, namePause))
	}
	for _, old := range after {
		if old.number < next.number {
			_ = s.dropLease(ctx, old) // it counts no more
		}
	}
	return true, "", nil
}

// Unlock lets go of the scope's lease. Another's is left alone.
func (s *Ship) Unlock(ctx context.Context, scope deployer.Scope, holder string) error {
	all, err := s.leases(ctx, scope)
	for _, l := range all {
		if l.holder == holder {
			err = errors.Join(err, s.dropLease(ctx, l))
		}
	}
	return s.fault(err, "unlock %s", joined(string(scope.App), string(scope.Environment)))
}

// leases lists the generations that are there.
func (s *Ship) leases(ctx context.Context, scope deployer.Scope) ([]lease, error) {
	c, err := s.engine(ctx)
	if err != nil {
		return nil, err
	}
	mine := inScope(scope)
	mine.Add("label", labelRole+"="+roleLock)
	found, err := c.VolumeList(ctx, volume.ListOptions{Filters: mine})
	if err != nil {
		return nil, err
	}
	var out []lease
	for _, v := range found.Volumes {
		if l, ok := leaseOf(scope, v); ok {
			out = append(out, l)
		}
	}
	return out, nil
}

// makeLease makes a generation, or gives that which another has made.
func (s *Ship) makeLease(ctx context.Context, scope deployer.Scope, number int, holder string, ttl time.Duration) (lease, error) {
	labels := scopeLabels(scope)
	maps.Copy(labels, map[string]string{labelRole: roleLock, labelHolder: holder, labelTTL: ttl.String()})
	name := leaseNames(scope) + strconv.Itoa(number)
	made, err := s.firstVolume(ctx, name, labels)
	if err != nil {
		return lease{}, err
	}
	l, ok := leaseOf(scope, &made)
	if !ok {
		return lease{}, &batuta.Error{Kind: batuta.Conflict, Message: fmt.Sprintf("a volume that is not Batuta's has the name %s", name), Hint: "remove it"}
	}
	return l, nil
}

func (s *Ship) dropLease(ctx context.Context, l lease) error {
	err := s.client.VolumeRemove(ctx, l.name, false)
	if errdefs.IsNotFound(err) {
		return nil
	}
	return err
}

// lives tells whether the lease has not ended, by the clock of the ship.
func (s *Ship) lives(ctx context.Context, l lease) (bool, error) {
	info, err := s.client.Info(ctx)
	if err != nil {
		return false, err
	}
	now, err := time.Parse(time.RFC3339Nano, info.SystemTime)
	return now.Before(l.expires), err
}

// leaseNames is what the names of a scope's generations begin with.
func leaseNames(s deployer.Scope) string {
	return "batuta-lock-" + scopeHash(s) + "-"
}

// scopeHash names a scope where not every letter may stand.
func scopeHash(s deployer.Scope) string {
	sum := sha256.Sum256([]byte(string(s.App) + "\x00" + string(s.Environment)))
	return hex.EncodeToString(sum[:8])
}

// leaseOf reads a generation from its volume.
func leaseOf(s deployer.Scope, v *volume.Volume) (lease, bool) {
	count, ours := strings.CutPrefix(v.Name, leaseNames(s))
	number, notNumber := strconv.Atoi(count)
	made, noTime := time.Parse(time.RFC3339, v.CreatedAt)
	ttl, noTTL := time.ParseDuration(v.Labels[labelTTL])
	l := lease{number: number, name: v.Name, holder: v.Labels[labelHolder], expires: made.Add(ttl + time.Second)}
	return l, ours && cmp.Or(notNumber, noTime, noTTL) == nil
}

// highest is the generation that counts; its number is 0 if there is none.
func highest(all []lease) lease {
	var out lease
	for _, l := range all {
		if l.number > out.number {
			out = l
		}
	}
	return out
}

func has(all []lease, one lease) bool {
	return slices.ContainsFunc(all, func(l lease) bool { return l.name == one.name && l.holder == one.holder })
}
