package deployer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"batuta"
)

// Standing is how an instance stands.
type Standing string

// How an instance, or a container that is none any more, can stand.
const (
	Up         Standing = "up"
	Down       Standing = "down"       // its container does not run
	Paused     Standing = "paused"     // somebody paused it
	Restarting Standing = "restarting" // it crashes, and Docker starts it again
	Absent     Standing = "absent"     // it has no container
	HostDown   Standing = "host down"  // its ship does not answer
)

// Sight is an instance as its ship shows it.
type Sight struct {
	Instance  batuta.InstanceName `json:"instance"`
	Service   batuta.ServiceName  `json:"service"`
	Ship      batuta.ShipName     `json:"ship"`
	Address   string              `json:"address,omitempty"` // the ship's
	Standing  Standing            `json:"state"`
	Why       string              `json:"why,omitempty"` // of HostDown
	Container string              `json:"container,omitempty"`
	ID        string              `json:"id,omitempty"`
	Image     string              `json:"image,omitempty"` // as the document writes it, or repository@digest
	ImageID   string              `json:"image_id,omitempty"`
	Started   time.Time           `json:"started,omitzero"`
	ExitCode  int                 `json:"exit_code,omitempty"`
	Restarts  int                 `json:"restarts,omitempty"`
	Differs   []string            `json:"differs,omitempty"` // from what the document declares
	Ports     []Door              `json:"ports,omitempty"`
	URLs      []string            `json:"urls,omitempty"`   // where its published ports answer
	Orphan    bool                `json:"orphan,omitempty"` // the document does not declare it, or not there
}

// Door is a port of an instance.
type Door struct {
	Name      string `json:"name,omitempty"`
	Container int    `json:"container"`
	Host      int    `json:"host,omitempty"` // the one that Docker picked, if it did
	Protocol  string `json:"protocol"`
	Open      *bool  `json:"open,omitempty"` // whether it took a connection; nil: nobody tried
}

// Sights shows the instances of a status in the play's order, and then, if
// nothing but the ships narrows it, what is ours and not declared. Ships that
// do not answer are waited for together, for the fleet's patience.
func (f *Fleet) Sights(ctx context.Context, p Play) []Sight {
	s := newScene(f, p, nil)
	out := make([]Sight, len(p.parts))
	var all sync.WaitGroup
	for n, q := range p.parts {
		all.Go(func() { out[n] = s.sight(ctx, q) })
	}
	all.Wait()
	if len(p.order.Things) == 0 && p.order.Containers == "" {
		out = append(out, s.orphans(ctx)...)
	}
	return out
}

func (s *scene) sight(ctx context.Context, p *part) Sight {
	out := Sight{
		Instance: p.Name, Service: p.Service, Ship: p.Ship, Address: s.fleet.options.Addresses[p.Ship],
		Standing: Absent, Image: imageText(p.Instance),
	}
	d, of, err := s.of(ctx, p)
	if err != nil {
		out.Standing, out.Why = HostDown, err.Error()
		return out
	}
	c := aliveOf(of)
	if c == nil {
		c = stoppedOf(of)
	}
	if c == nil {
		return out
	}
	out.show(*c)
	if c.running() {
		out.URLs = c.urls(out.Address)
	}
	out.Differs = differs(*c, p.Instance)
	if s.order.Full && c.running() {
		s.knock(ctx, d, c.ID, out.Ports)
	}
	return out
}

func imageText(i Instance) string {
	if i.Reference != "" {
		return i.Reference
	}
	return i.Image.String()
}

// show tells what is to be seen of a container.
func (s *Sight) show(c Container) {
	s.Container, s.ID, s.ImageID = c.Name, c.ID, c.ImageID
	s.Started, s.ExitCode, s.Restarts = c.Started, c.ExitCode, c.Restarts
	switch {
	case c.running():
		s.Standing = Up
	case c.State == "paused":
		s.Standing = Paused
	case c.State == "restarting":
		s.Standing = Restarting
	default:
		s.Standing = Down
	}
	spec, _ := recall(c)
	for _, p := range c.Ports {
		d := Door{Container: p.Container, Host: p.Host, Protocol: p.Protocol}
		for _, named := range spec.Ports {
			if named.Container == p.Container && named.Protocol == p.Protocol {
				d.Name = named.Name
			}
		}
		s.Ports = append(s.Ports, d)
	}
}

// knock tries each tcp port once, at the container's own address: Docker's
// proxy opens for applications that do not listen.
func (s *scene) knock(ctx context.Context, d *deck, id string, doors []Door) {
	var all sync.WaitGroup
	for n := range doors {
		if doors[n].Protocol != "tcp" {
			continue
		}
		all.Go(func() {
			check := Check{Type: CheckTCP, Port: doors[n].Container, Timeout: defaultTimeout}
			doors[n].Open = new(awaited{ship: d.ship, id: id}.probe(ctx, check) == nil)
		})
	}
	all.Wait()
}

// orphans are the containers of the scope that the document does not declare
// where they are, on the ships that the order's glob matches.
func (s *scene) orphans(ctx context.Context) []Sight {
	declared := map[string]bool{}
	for _, i := range s.play.spec.Instances {
		declared[string(i.Name)+" "+string(i.Ship)] = true
	}
	var out []Sight
	for name, d := range s.ships {
		have, err := d.containers(ctx)
		if there, _ := glob(s.order.Ships, string(name)); err != nil || !there {
			continue
		}
		for _, c := range have {
			if !declared[string(c.Instance)+" "+string(c.Ship)] {
				o := Sight{Instance: c.Instance, Service: c.Service, Ship: c.Ship, Address: s.fleet.options.Addresses[c.Ship], Orphan: true}
				o.show(c)
				out = append(out, o)
			}
		}
	}
	slices.SortFunc(out, func(a, b Sight) int {
		return cmp.Or(cmp.Compare(a.Ship, b.Ship), compareNames(a.Instance, b.Instance), strings.Compare(a.ID, b.ID))
	})
	return out
}

// Text is how it stands, in a line: up for 3m.
func (s Sight) Text(now time.Time) string {
	var out string
	switch s.Standing {
	case Up:
		out = "up for " + Age(now.Sub(s.Started))
	case Down:
		out = fmt.Sprintf("down: exited %d", s.ExitCode)
	case Restarting:
		out = fmt.Sprintf("restarting: exited %d, %d times so far", s.ExitCode, s.Restarts)
	default:
		out = string(s.Standing)
	}
	if len(s.Differs) > 0 {
		out += ", differs from the document: " + strings.Join(s.Differs, "; ")
	}
	if s.Orphan {
		out += ", not declared"
	}
	return out
}
