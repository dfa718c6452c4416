package docker

import (
	"context"
	"fmt"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/volume"

	"batuta"
	"batuta/deployer"
)

// Begin keeps the note as the labels of an empty volume, which Docker makes
// once and shows to all others who would. It goes with all unused volumes, as
// a lock does: what was interrupted is then taken for what was left behind.
func (s *Ship) Begin(ctx context.Context, scope deployer.Scope, n deployer.Note) (deployer.Note, error) {
	stands, err := s.begin(ctx, scope, n)
	return stands, s.fault(err, "note the begin of a change of %s", joined(string(scope.App), string(scope.Environment)))
}

func (s *Ship) begin(ctx context.Context, scope deployer.Scope, n deployer.Note) (deployer.Note, error) {
	if _, err := s.engine(ctx); err != nil {
		return deployer.Note{}, err
	}
	labels := scopeLabels(scope)
	labels[labelRole], labels[labelChange], labels[labelLeft] = roleNote, n.Change, strings.Join(n.Left, " ")
	for _, name := range n.Seats {
		labels[labelSeats] = strings.TrimSpace(labels[labelSeats] + " " + string(name))
	}
	v, err := s.firstVolume(ctx, noteName(scope), labels)
	if err != nil {
		return deployer.Note{}, err
	}
	if v.Labels[labelRole] != roleNote {
		return deployer.Note{}, &batuta.Error{Kind: batuta.Conflict, Message: fmt.Sprintf("a volume that is not Batuta's has the name %s", v.Name), Hint: "remove it"}
	}
	stands := deployer.Note{Change: v.Labels[labelChange], Left: strings.Fields(v.Labels[labelLeft])}
	for name := range strings.FieldsSeq(v.Labels[labelSeats]) {
		stands.Seats = append(stands.Seats, batuta.ShipName(name))
	}
	return stands, nil
}

// firstVolume makes a volume, or gives the one of that name that is there. As
// Docker makes that, a daemon that was restarted since leaves out its labels.
func (s *Ship) firstVolume(ctx context.Context, name string, labels map[string]string) (volume.Volume, error) {
	v, err := s.client.VolumeCreate(ctx, volume.CreateOptions{Name: name, Labels: labels})
	if err == nil && len(v.Labels) == 0 {
		v, err = s.client.VolumeInspect(ctx, name)
	}
	return v, err
}

// End takes the note away.
func (s *Ship) End(ctx context.Context, scope deployer.Scope) error {
	c, err := s.engine(ctx)
	if err == nil {
		err = c.VolumeRemove(ctx, noteName(scope), false)
	}
	if errdefs.IsNotFound(err) {
		return nil
	}
	return s.fault(err, "note the end of a change of %s", joined(string(scope.App), string(scope.Environment)))
}

func noteName(s deployer.Scope) string { return "batuta-note-" + scopeHash(s) }
