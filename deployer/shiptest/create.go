package shiptest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"batuta"
	"batuta/deployer"
)

// Create makes a container that was not started. The image must have been
// pulled.
func (f *Fake) Create(ctx context.Context, s deployer.Scope, r batuta.ReleaseNumber, i deployer.Instance) (id string, err error) {
	err = f.call(ctx, Call{Method: "Create", Instance: i.Name}, func() (err error) {
		id, err = f.create(s, r, i)
		return err
	})
	if err != nil { // an answer that is lost tells no id
		return "", err
	}
	return id, nil
}

func (f *Fake) create(s deployer.Scope, r batuta.ReleaseNumber, i deployer.Instance) (string, error) {
	if !f.hasImage(i) {
		return "", &batuta.Error{Kind: batuta.NotFound, Message: "no image " + i.Image.String() + i.Reference}
	}
	for _, b := range f.boxes {
		switch {
		case b.Scope != s || len(b.Altered) > 0 || b.Instance != i.Name || b.Config != i.Config:
		case b.State == "created":
			return b.ID, nil
		case b.alive():
			return "", &batuta.Error{Kind: batuta.Conflict, Message: b.Name + " is there already, and " + b.State}
		default:
			f.remove(b)
		}
	}
	f.made++
	b := f.newBox(s, r, i)
	f.boxes[b.ID] = b
	b.note(deployer.Created)
	return b.ID, nil
}

// hasImage tells whether the image of the instance was pulled or fetched.
func (f *Fake) hasImage(i deployer.Instance) bool {
	return f.images[i.Image] || i.Image == batuta.Image{} && f.find(i.Reference) != ""
}

func (f *Fake) newBox(s deployer.Scope, r batuta.ReleaseNumber, i deployer.Instance) *box {
	behave := f.Behave
	if behave == nil {
		behave = Known
	}
	return &box{
		Container: deployer.Container{
			ID: fmt.Sprintf("%s-%04d", f.name, f.made), Name: f.nameFor(s, i),
			Scope: s, Service: i.Service, Instance: i.Name, Ship: f.name, Release: r, Config: i.Config, Spec: i.Spec, Requires: i.Requires,
			Image: i.Image, ImageID: f.find(cmp.Or(i.Reference, i.Image.String())), State: "created", Created: time.Now(),
		},
		mu: &f.mu, diary: &f.diary, of: i, behaviour: behave(i), ended: make(chan struct{}),
	}
}

// nameFor is what the container is to be called, unless another is.
func (f *Fake) nameFor(s deployer.Scope, i deployer.Instance) string {
	for _, b := range f.boxes {
		if b.Name == i.Called {
			i.Called = ""
		}
	}
	if i.Called != "" {
		return i.Called
	}
	return strings.Join([]string{string(s.App), string(s.Environment), string(i.Name), i.Config[:min(8, len(i.Config))]}, "_")
}

// Prune forgets the images that are neither kept nor a container's.
func (f *Fake) Prune(ctx context.Context, repositories []string, keep []batuta.Image) (removed []string, err error) {
	err = f.call(ctx, Call{Method: "Prune"}, func() error {
		for _, b := range f.boxes {
			keep = append(slices.Clip(keep), b.Image)
		}
		for image := range f.images {
			if slices.Contains(repositories, image.Repository) && !slices.Contains(keep, image) {
				delete(f.images, image)
				removed = append(removed, image.String())
			}
		}
		slices.Sort(removed)
		return nil
	})
	return removed, err
}
