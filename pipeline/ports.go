package pipeline

import (
	"context"
	"io"
	"time"

	"batuta"
	"batuta/builder"
	"batuta/deployer"
	"batuta/deployer/trial"
	"batuta/internal/gitremote"
	"batuta/internal/gitsource"
)

// Lease is the right to work on a run. Each claim of the run raises the epoch;
// a write with an old epoch is refused with Conflict, so that whoever lost the
// run cannot write into it.
type Lease struct {
	Run   batuta.RunID
	Epoch int64
}

// Receipt is what became of a push.
type Receipt struct {
	Run       batuta.RunID
	Duplicate bool   // the delivery had been accepted before; Run is the run of that time
	Ignored   string // why no run follows; empty if one does, or if whoever delivered knows
}

// What a run is kept in. Every write is on disk when the method returns.
type (
	// Inbox takes in what may start a run.
	Inbox interface {
		// Accept saves a push and the queued run it causes in one
		// transaction. A second delivery with the same app, forge and id
		// changes nothing. Queued runs of the same app and ref that came
		// before become superseded.
		Accept(ctx context.Context, p batuta.Push) (Receipt, error)
		// Accepted is the run of a delivery that was accepted before, or
		// NotFound.
		Accepted(ctx context.Context, app batuta.AppName, forge, delivery string) (batuta.RunID, error)
		// Enqueue saves a run that a person asks for, queued or waiting for
		// approvals, with the steps that it need not do, with a line in
		// the audit trail, and gives its number.
		Enqueue(ctx context.Context, r batuta.Run) (batuta.RunID, error)
	}

	// Postbox keeps what the forges delivered.
	Postbox interface {
		// Take saves a delivery and, unless its Decision is made already, does
		// what Accept does with its push, in one transaction.
		Take(ctx context.Context, d batuta.Delivery) (Receipt, error)
		// Deliveries lists those of an app, newest first, without payloads.
		Deliveries(ctx context.Context, app batuta.AppName, limit int) ([]batuta.Delivery, error)
		Delivery(ctx context.Context, app batuta.AppName, id batuta.DeliveryID) (batuta.Delivery, error)
		// Redeliver saves a queued run of what a delivery said, with a line in
		// the audit trail. A delivery that no run followed from is a Conflict.
		Redeliver(ctx context.Context, app batuta.AppName, id batuta.DeliveryID, by string) (batuta.RunID, error)
		// ForgetDeliveries deletes what was received before a time.
		ForgetDeliveries(ctx context.Context, before time.Time) (int, error)
	}

	// Logbook knows which runs' logs are kept.
	Logbook interface {
		// OldLogs lists runs that began, ended before a time and whose logs
		// are not said to be deleted: those that ended first, at most limit.
		OldLogs(ctx context.Context, before time.Time, limit int) ([]batuta.RunID, error)
		// LogsDeleted saves when the logs of runs were deleted.
		LogsDeleted(ctx context.Context, runs []batuta.RunID, at time.Time) error
	}

	// Queue hands out runs to work on.
	Queue interface {
		// Claim gives the next run that may start, now running, or NotFound.
		// Runs that an earlier server left running come first. Two pushes of
		// the same app and branch never run at once, nor do two orders to the
		// same environment. Of the apps that wait the one that was served
		// least recently goes first, and of one app the oldest run.
		Claim(ctx context.Context) (batuta.Run, Lease, error)
		// Cancel ends a queued run as cancelled and tells whether it was
		// queued. That somebody asked is a line in the audit trail and in the
		// run's CancelBy, unless the run has ended.
		Cancel(ctx context.Context, id batuta.RunID, by string) (bool, error)
		// HoldEnvironment reserves an environment for the leased run until
		// its end. If another run that has not
		// ended holds it, held is false and holder names it. A run that holds
		// it already holds it again.
		HoldEnvironment(ctx context.Context, l Lease, env batuta.EnvironmentName) (holder batuta.RunID, held bool, err error)
	}

	// Approvals keeps who said yes to what.
	Approvals interface {
		// Approve saves that a person said yes to the plan of a waiting run,
		// and queues the run once those who have are enough.
		Approve(ctx context.Context, id batuta.RunID, by string, enough func(people []string) bool) (queued bool, err error)
		// Waiting lists the runs that wait for approvals of what goes to an
		// environment, oldest first.
		Waiting(ctx context.Context, app batuta.AppName, env batuta.EnvironmentName) ([]batuta.Run, error)
	}

	// Journal is where a run writes down how far it came.
	Journal interface {
		// SaveStep saves a step under its name, over what was there.
		SaveStep(ctx context.Context, l Lease, s batuta.Step) error
		// SaveRun saves Push.Revision, Push.Message, Environment and Release
		// of a running run.
		SaveRun(ctx context.Context, l Lease, r batuta.Run) error
		// EndRun saves how the run ended, drops the environments it held, and
		// ends the deployments that it left open.
		EndRun(ctx context.Context, l Lease, status batuta.RunStatus, why string) error
	}

	// Memory tells what a step returned.
	Memory interface {
		// Newest is the newest run of an app that brought a step of this name
		// to its end, with that step alone, or NotFound.
		Newest(ctx context.Context, app batuta.AppName, step string) (batuta.Run, error)
	}

	// Shelf keeps releases and deployments.
	Shelf interface {
		// AddRelease numbers and saves a release. A second call for the same
		// run gives the release of the first.
		AddRelease(ctx context.Context, l Lease, r batuta.Release) (batuta.Release, error)
		Release(ctx context.Context, app batuta.AppName, n batuta.ReleaseNumber) (batuta.Release, error)
		// BeginDeployment saves a deployment as applying. A second call for
		// the same run and environment gives the one of the first.
		BeginDeployment(ctx context.Context, l Lease, d batuta.Deployment) (batuta.Deployment, error)
		// EndDeployment saves how it ended, with a line in the audit trail.
		EndDeployment(ctx context.Context, l Lease, id batuta.DeploymentID, status batuta.DeploymentStatus, why string) error
		// Current is the newest live deployment of an environment, or NotFound.
		Current(ctx context.Context, app batuta.AppName, env batuta.EnvironmentName) (batuta.Deployment, error)
		// Deployed lists the environments that anything was deployed to, by
		// name.
		Deployed(ctx context.Context, app batuta.AppName) ([]batuta.EnvironmentName, error)
		// Releases lists those of an app, newest first.
		Releases(ctx context.Context, app batuta.AppName, limit int) ([]batuta.Release, error)
		// Deployments lists those of an environment, or of all if env is
		// empty, newest first.
		Deployments(ctx context.Context, app batuta.AppName, env batuta.EnvironmentName, limit int) ([]batuta.Deployment, error)
	}

	// Lineage keeps what images are built from.
	Lineage interface {
		// SaveBuild saves how an image came about, over what was there of the
		// same bytes.
		SaveBuild(ctx context.Context, l Lease, b Build) error
		Build(ctx context.Context, app batuta.AppName, digest batuta.Digest) (Build, error)
		// ForgetBuilds forgets, of the runs that ended before a time, how
		// images came about that are in no release, and what was attested of
		// those whose releases are live nowhere.
		ForgetBuilds(ctx context.Context, before time.Time) error
		// SaveTags saves what tags of bases mean, in the place of all that
		// was saved before.
		SaveTags(ctx context.Context, tags []Tag) error
		// Tags gives them by app and reference.
		Tags(ctx context.Context) ([]Tag, error)
	}

	// Harbour keeps what is known of the ships.
	Harbour interface {
		// Ships gives the records of those that have one.
		Ships(ctx context.Context) (map[batuta.ShipName]ShipRecord, error)
		// MarkShip saves what a person wants of a ship, with a line in the
		// audit trail. The same mark again changes nothing.
		MarkShip(ctx context.Context, ship batuta.ShipName, mark Mark, by, why string) error
		// HearShip saves since when a ship has not answered, and why; a zero
		// time is that it does. A ship that is lost, and one that is back, are
		// lines in the audit trail; changed tells whether this is news.
		HearShip(ctx context.Context, ship batuta.ShipName, silent time.Time, why string) (changed bool, err error)
	}

	// Watch keeps what is seen of the environments between deployments.
	Watch interface {
		// Drifts lists the environments of an app, or of all if app is empty,
		// that are not as they should be, by app and environment.
		Drifts(ctx context.Context, app batuta.AppName) ([]Drift, error)
		// SaveDrift saves how an environment differs; without any difference,
		// that it does not any more. Drift that comes and drift that has gone
		// are lines in the audit trail; changed tells whether this is news.
		SaveDrift(ctx context.Context, d Drift) (changed bool, err error)
		// Busy gives a run that deploys to the environment, or is queued to,
		// or NotFound.
		Busy(ctx context.Context, app batuta.AppName, env batuta.EnvironmentName) (batuta.RunID, error)
	}

	// Sightings keeps where instances were when all was as it should be.
	Sightings interface {
		Sightings(ctx context.Context, app batuta.AppName, env batuta.EnvironmentName) (map[batuta.ShipName][]deployer.Container, error)
		// SaveSightings saves those of the ships that are given, and forgets
		// none of the others.
		SaveSightings(ctx context.Context, app batuta.AppName, env batuta.EnvironmentName, seen map[batuta.ShipName][]deployer.Container) error
	}

	// Calendar keeps what starts an app's runs, and how far it was followed.
	Calendar interface {
		// SaveAgenda keeps what starts the runs of the leased run's app,
		// unless what is kept is of a branch of lower rank, or of a later run.
		SaveAgenda(ctx context.Context, l Lease, rank int, a Agenda) error
		// Agendas gives them by app.
		Agendas(ctx context.Context) (map[batuta.AppName]Agenda, error)
		// Followed is up to when an app's schedules were followed, by schedule.
		Followed(ctx context.Context, app batuta.AppName) (map[string]time.Time, error)
		Follow(ctx context.Context, app batuta.AppName, schedule string, at time.Time) error
		// Refs is where the refs of a repository were seen last, deleted ones
		// with an empty revision.
		Refs(ctx context.Context, app batuta.AppName) (map[string]gitremote.RefState, error)
		// RecordRefs saves where refs are, without a run.
		RecordRefs(ctx context.Context, app batuta.AppName, refs map[string]batuta.Revision) error
		// DeliverRef saves change number serial of a ref and accepts the push
		// in one transaction; the same serial again gives the run of the
		// first time.
		DeliverRef(ctx context.Context, p batuta.Push, serial int) (batuta.RunID, error)
		// Reached is the revision of the newest run of a ref's pushes that
		// succeeded, and of the newest at all; empty where there is none.
		Reached(ctx context.Context, app batuta.AppName, ref string) (succeeded, newest batuta.Revision, err error)
		// Replaces tells whether a run superseded others.
		Replaces(ctx context.Context, id batuta.RunID) (bool, error)
		// ToCancel gives the running runs that somebody asked to cancel, and
		// who did.
		ToCancel(ctx context.Context) (map[batuta.RunID]string, error)
	}

	// Chronicle keeps what happened to instances.
	Chronicle interface {
		// Record saves events in their order, forgets the oldest of an
		// environment that has more than keep, and notes up to when each ship
		// has told. What is there already, by this teller or another, is not
		// saved again.
		Record(ctx context.Context, events []Event, keep int) error
		// History lists what the filter chooses, newest first.
		History(ctx context.Context, app batuta.AppName, env batuta.EnvironmentName, f EventFilter) ([]Event, error)
	}

	// Outbox keeps what is still to be told to the world. What the other
	// writes of the store bring about that somebody wants to know, such as
	// how a run ended, is left in it in the transaction of that write.
	Outbox interface {
		// Subscribe sets who is to be told of a notice. It is called once,
		// before the first write.
		Subscribe(to func(Notice) []string)
		// Tell leaves a letter for each who is to be told, at most one for
		// each key of a notice. Those whom a recipe has told are in the
		// notice by then: by the rules of its run or, without one, of what
		// is live in its environment, or was on its ship when last seen.
		Tell(ctx context.Context, n Notice) error
	}

	// Letters hands out what the outbox has.
	Letters interface {
		// ClaimLetter gives the oldest letter that is due, or NotFound. It is
		// for none of those who are busy, and none that came before it is
		// still to be told to the same addressee in the same lane. Letters
		// that an earlier server was about to deliver are due at once.
		ClaimLetter(ctx context.Context, busy []string) (Letter, error)
		// PostponeLetter saves when to try again, and why it was not taken.
		PostponeLetter(ctx context.Context, l Letter, until time.Time, why string) error
		// EndLetter saves that it was taken or, with a reason, that it is
		// given up, with a line in the audit trail.
		EndLetter(ctx context.Context, l Letter, why string) error
	}

	// Store is all of it.
	Store interface {
		Inbox
		Postbox
		Logbook
		Queue
		Approvals
		Journal
		Memory
		Shelf
		Lineage
		Harbour
		Watch
		Sightings
		Chronicle
		Calendar
		Outbox
		Letters
		Run(ctx context.Context, id batuta.RunID) (batuta.Run, error) // with its steps, in the order they began
	}
)

// What the steps call.
type (
	// Source brings one revision's tree to disk.
	Source interface {
		Fetch(ctx context.Context, repo gitsource.Repository, ref string, rev batuta.Revision, dir string) (gitsource.Tree, error)
	}

	// Historian tells which commits a revision has that another has not, the
	// newest first; none if the repository is not at hand.
	Historian interface {
		Between(ctx context.Context, repo gitsource.Repository, from, to batuta.Revision, limit int) ([]gitsource.Commit, error)
	}

	// Remote tells of a repository without a tree of it.
	Remote interface {
		Refs(ctx context.Context, repo gitsource.Repository) (gitsource.Refs, error)
		// Changed lists the paths that differ between two revisions. What it
		// has to fetch lies beside dir while it does.
		Changed(ctx context.Context, repo gitsource.Repository, ref string, from, to batuta.Revision, dir string) ([]string, error)
		// MergeBase is the newest commit that both have, or nothing; dir as
		// above.
		MergeBase(ctx context.Context, repo gitsource.Repository, base, head batuta.Revision, dir string) (batuta.Revision, error)
	}

	// Builder makes an image of a tree and pushes it.
	Builder interface {
		Build(ctx context.Context, r builder.Request, log io.Writer) (builder.Result, error)
	}

	// Tester runs a test of the recipe. The error is of what kept it from
	// running; a test that ran and did not pass is in the report.
	Tester interface {
		Test(ctx context.Context, r trial.Request, log io.Writer) (trial.Report, error)
	}

	// Pinner finds what an image reference with a tag means now, to an app.
	Pinner interface {
		Pin(ctx context.Context, app batuta.AppName, reference string) (batuta.Image, error)
	}

	// Signer vouches for the images of releases, and for a release that has
	// none, which it is asked about as one without a name; its signature is
	// with the run alone.
	Signer interface {
		// Sign leaves a signature of an image of the release beside it. The
		// same again changes nothing, and gives the same.
		Sign(ctx context.Context, r batuta.Release, image batuta.ImageName) (Signature, error)
		// Verify wants that signature, for the image and the release as they
		// are now; what is wrong is Denied. A release that is older than the
		// key passes without: signed is false. A registry that does not answer
		// is Unavailable, one that does not have the image NotFound.
		Verify(ctx context.Context, r batuta.Release, image batuta.ImageName) (signed bool, err error)
		// Vouches is the verdict of Verify about one signature.
		Vouches(r batuta.Release, image batuta.ImageName, s Signature) error
	}

	// Fleet is the ships, as the deployer works on them.
	Fleet interface {
		Observe(ctx context.Context, s deployer.Scope) deployer.State
		// Compare plans the way from a state to what is wanted, and says in
		// the plan what stands in it.
		Compare(ctx context.Context, want deployer.Spec, have deployer.State) deployer.Plan
		// Verify returns why what runs is not what the plan wants, ready; it
		// changes nothing.
		Verify(ctx context.Context, p deployer.Plan) error
		// Ails tells why what a change keeps does not pass its checks.
		Ails(ctx context.Context, c deployer.Change) error
		Apply(ctx context.Context, p deployer.Plan, log func(deployer.Event)) (deployer.Outcome, error)
		// Show gives the containers of a state as the world sees them.
		Show(have deployer.State) []batuta.ContainerState
	}

	// Reporter is a ship that tells about itself.
	Reporter interface {
		Facts(ctx context.Context) (deployer.Facts, error)
		// Taken is the least that can be asked, to hear whether it is there.
		Taken(ctx context.Context) ([]deployer.Taken, error)
		// Watch calls each for everything that happens to containers of ours
		// from an instant on, until ctx ends or the ship does not answer any
		// more.
		Watch(ctx context.Context, since time.Time, each func(deployer.Occurrence)) error
	}

	// Notifier brings notices to people and programs outside.
	Notifier interface {
		// Addressees names who is to be told of a notice. The names go into
		// the database and the audit trail: they are no secrets.
		Addressees(n Notice) []string
		// Deliver makes one attempt. An error of the kind Unavailable is worth
		// another, not before the RetryAfter that it may have as a method; any
		// other is final.
		Deliver(ctx context.Context, l Letter) error
	}

	// Logs keeps what steps print.
	Logs interface {
		// Append opens the log of a step at its end.
		Append(run batuta.RunID, step string) (io.WriteCloser, error)
		// Delete deletes the log of a run that has ended. It is no error if
		// there is none.
		Delete(run batuta.RunID) error
	}
)
