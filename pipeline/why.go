package pipeline

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"batuta"
	"batuta/builder"
)

// Why is where what runs in an environment comes from.
type Why struct {
	App         batuta.AppName         `json:"app"`
	Environment batuta.EnvironmentName `json:"environment"`
	Release     batuta.ReleaseNumber   `json:"release,omitempty"` // that is live
	Containers  []Origin               `json:"containers"`
	Unreachable []batuta.ShipName      `json:"unreachable,omitempty"` // whose containers are not known
}

// Origin is where one container comes from. What cannot be known is absent.
type Origin struct {
	Service  batuta.ServiceName   `json:"service"`
	Instance batuta.InstanceName  `json:"instance"`
	Ship     batuta.ShipName      `json:"ship"`
	ID       string               `json:"id"` // Docker's
	State    string               `json:"state"`
	Image    string               `json:"image"`          // repository@digest
	Name     batuta.ImageName     `json:"name,omitempty"` // as batuta.yml calls the image; empty: the app did not build it
	Release  batuta.ReleaseNumber `json:"release"`
	Signed   batuta.Digest        `json:"signed,omitempty"`   // the server's signature of the image in this release; empty: none was made
	Built    *Making              `json:"built,omitempty"`    // nil: the release is not known any more
	Deployed *Placing             `json:"deployed,omitempty"` // nil: nobody knows who deployed it
	Bases    []builder.Base       `json:"bases,omitempty"`    // what the image is built from
}

// Making is how a release came about.
type Making struct {
	Run      batuta.RunID    `json:"run"`
	Revision batuta.Revision `json:"revision"`
	Message  string          `json:"message,omitempty"`
	Ref      string          `json:"ref"`
	Forge    string          `json:"forge"` // github, …; manual, cron, poll or base for what no forge sent
	Delivery string          `json:"delivery,omitempty"`
	By       string          `json:"by,omitempty"` // who pushed, or asked for the run
	At       time.Time       `json:"at"`           // when it was received
}

// Placing is how a release came to an environment.
type Placing struct {
	Deployment batuta.DeploymentID     `json:"deployment"`
	Run        batuta.RunID            `json:"run"`
	Kind       batuta.RunKind          `json:"kind"`
	From       batuta.EnvironmentName  `json:"from,omitempty"` // where a promotion took it from
	By         string                  `json:"by,omitempty"`
	Approved   []string                `json:"approved,omitempty"` // who said yes to its plan
	Plan       string                  `json:"plan,omitempty"`     // the hash of the plan that they said yes to
	Reason     string                  `json:"reason,omitempty"`   // of a deployment that mends
	Status     batuta.DeploymentStatus `json:"status"`
	At         time.Time               `json:"at"` // when it began
}

// Why tells of each container of an environment where it comes from.
func (p *Pipeline) Why(ctx context.Context, name batuta.AppName, env batuta.EnvironmentName) (Why, error) {
	app, err := p.app(name)
	if err != nil {
		return Why{}, err
	}
	known, err := p.environments(ctx, name)
	if err != nil {
		return Why{}, err
	}
	if !slices.Contains(known, env) {
		return Why{}, &batuta.Error{Kind: batuta.NotFound, Message: string(name) + " has no environment " + string(env), Hint: "`batuta status " + string(name) + "` lists them"}
	}
	status, err := p.environment(ctx, app, env)
	if err != nil {
		return Why{}, err
	}
	w := Why{App: name, Environment: env, Release: status.Release, Containers: []Origin{}, Unreachable: status.Unreachable}
	for _, c := range status.Containers {
		o, err := p.origin(ctx, c)
		if err != nil {
			return Why{}, err
		}
		w.Containers = append(w.Containers, o)
	}
	return w, nil
}

// origin is where a container comes from. What the database does not know of
// it, as after the loss of one, is left out.
func (p *Pipeline) origin(ctx context.Context, c batuta.ContainerState) (Origin, error) {
	o := Origin{Service: c.Service, Instance: c.Instance, Ship: c.Ship, ID: c.ID, State: c.State, Image: c.Image, Release: c.Release}
	r, err := p.Store.Release(ctx, c.App, c.Release)
	if errors.Is(err, batuta.NotFound) {
		return o, nil
	} else if err != nil {
		return o, err
	}
	run, err := p.Store.Run(ctx, r.Run)
	if err != nil {
		return o, err
	}
	o.Built = making(r, run)
	if o.Deployed, err = p.placing(ctx, r, c); err != nil {
		return o, err
	}
	_, digest, _ := strings.Cut(c.Image, "@")
	for name, image := range r.Images {
		if string(image.Digest) == digest && (o.Name == "" || name < o.Name) {
			o.Name = name
		}
	}
	o.Signed = signed(run)[o.Name].Digest
	b, err := p.Store.Build(ctx, c.App, batuta.Digest(digest))
	if errors.Is(err, batuta.NotFound) {
		err = nil
	}
	o.Bases = b.Bases
	return o, err
}

func making(r batuta.Release, run batuta.Run) *Making {
	return &Making{
		Run: r.Run, Revision: r.Revision, Message: r.Message, Ref: run.Push.Ref, Forge: run.Push.Forge,
		Delivery: run.Push.Delivery, By: cmp.Or(run.By, run.Push.Sender), At: run.Push.Received,
	}
}

// placing is the deployment that started a container: of those of its release
// to its environment the newest that had begun by then.
func (p *Pipeline) placing(ctx context.Context, r batuta.Release, c batuta.ContainerState) (*Placing, error) {
	history, err := p.Store.Deployments(ctx, c.App, c.Environment, historyLimit)
	if err != nil {
		return nil, err
	}
	history = slices.DeleteFunc(history, func(d batuta.Deployment) bool { return d.Release != r.Number })
	if len(history) == 0 {
		return nil, nil
	}
	d := history[max(0, slices.IndexFunc(history, func(d batuta.Deployment) bool { return !d.Started.After(c.Started) }))]
	run, err := p.Store.Run(ctx, d.Run)
	if err != nil {
		return nil, err
	}
	placed := &Placing{Deployment: d.ID, Run: d.Run, Kind: run.Kind, By: d.By, Plan: run.Approved, Reason: run.Reason, Status: d.Status, At: d.Started}
	if placed.Approved = run.Approvals; len(run.Approvals) == 0 && run.Approved != "" {
		placed.Approved = []string{run.By} // who asked for it had seen its plan, and nobody else was needed
	}
	placed.From = run.From
	if i := slices.Index(r.Order, c.Environment); run.From == "" && run.Kind == batuta.RunPromotion && i > 0 {
		placed.From = r.Order[i-1] // it was asked for before a run kept this
	}
	return placed, nil
}
