// Package batuta is the vocabulary of the product: the nouns that every other
// package speaks of, and the kinds of errors they answer with. It knows
// nothing but the standard library; each other package implements something
// for these nouns and does not know its siblings. The journey of a push starts
// in package webhooks.
package batuta

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
)

// The names. Each has a type of its own, so that swapped arguments do not
// compile; whatever comes from outside passes through CheckName first.
type (
	AppName         string // one Git repository that deploys; unique on the server; a DNS label
	EnvironmentName string // a place a release runs: qa, production; a DNS label
	ImageName       string // what batuta.yml calls one of the images it builds
	ServiceName     string // what runs
	InstanceName    string // one container of a service
	ShipName        string // a Docker host
)

var (
	labelForm    = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)
	nameForm     = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$`)
	revisionForm = regexp.MustCompile(`^[0-9a-f]{40}([0-9a-f]{24})?$`)
	digestForm   = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// CheckLabel tells whether s may name an app or an environment: 1 to 40
// lower-case letters, digits and inner hyphens, as in a DNS label, because it
// becomes part of repository, network and host names.
func CheckLabel(s string) error {
	if labelForm.MatchString(s) {
		return nil
	}
	return &Error{Kind: Invalid, Message: fmt.Sprintf("%q is not a name", s), Hint: "use 1 to 40 lower-case letters, digits and inner hyphens"}
}

// CheckName tells whether s may name an image, a service, an instance or a
// ship: what Docker takes as a container name, 1 to 63 characters.
func CheckName(s string) error {
	if nameForm.MatchString(s) {
		return nil
	}
	return &Error{Kind: Invalid, Message: fmt.Sprintf("%q is not a name", s), Hint: "use 1 to 63 letters, digits, '_', '.' and '-', beginning with a letter or digit"}
}

// Revision is a full Git commit hash (SHA-1 or SHA-256, lower-case hex), never
// a branch name. Empty means not yet known.
type Revision string

// CheckRevision tells whether s is a full commit hash.
func CheckRevision(s string) error {
	if revisionForm.MatchString(s) {
		return nil
	}
	return &Error{Kind: Invalid, Message: fmt.Sprintf("%q is not a full commit hash", s)}
}

// Short is the first ten characters, for people.
func (r Revision) Short() string { return string(r[:min(len(r), 10)]) }

// Digest names bytes by their hash: "sha256:" and 64 hex digits.
type Digest string

// CheckDigest tells whether s is a SHA-256 digest.
func CheckDigest(s string) error {
	if digestForm.MatchString(s) {
		return nil
	}
	return &Error{Kind: Invalid, Message: fmt.Sprintf("%q is not a digest", s), Hint: "write sha256: and 64 hex digits"}
}

// Short is the first twelve hex digits, for people.
func (d Digest) Short() string {
	s := strings.TrimPrefix(string(d), "sha256:")
	return s[:min(len(s), 12)]
}

// Image is a repository and a digest. It has no tag: a tag can move.
type Image struct {
	Repository string `json:"repository"` // registry host and path, as a ship pulls it
	Digest     Digest `json:"digest"`
}

// String is the reference a Docker Engine pulls: repository@digest.
func (i Image) String() string { return i.Repository + "@" + string(i.Digest) }

// Push is what a forge told us: which revision a ref of an app's repository
// now is at.
type Push struct {
	App      AppName   `json:"app"`
	Forge    string    `json:"forge"`    // github, gitea, git (the embedded remote), manual
	Delivery string    `json:"delivery"` // the forge's own id; unique with app and forge
	Ref      string    `json:"ref"`      // refs/heads/main
	Before   Revision  `json:"before,omitempty"`
	Revision Revision  `json:"revision,omitempty"` // empty only for a run by hand, until its source is fetched
	Sender   string    `json:"sender,omitempty"`   // as the forge authenticated it
	Message  string    `json:"message,omitempty"`  // the first line of the head commit's message
	Received time.Time `json:"received"`

	Pull *PullRequest `json:"pull_request,omitempty"` // nil: a branch or a tag moved; else Ref is where its head can be fetched
}

// Headline is the first line of a commit's message as it can be shown
// anywhere: no control characters, at most 200 of the others.
func Headline(message string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(message), "\n")
	clean := []rune(strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, line)))
	return string(clean[:min(len(clean), 200)])
}

// RunID numbers the runs of one server, from 1.
type RunID int64

// RunKind is what set a run going, and so which steps it has.
type RunKind string

// The kinds of runs. A push (or a run by hand) fetches, builds, makes a
// release and deploys it to the app's first environment; the other kinds
// deploy a release that exists.
const (
	RunPush      RunKind = "push"
	RunPromotion RunKind = "promotion"
	RunRollback  RunKind = "rollback"
	RunDeploy    RunKind = "deploy"
)

// RunStatus is where a run stands. Waiting may become queued or cancelled;
// queued may become running, superseded or
// cancelled; running may become succeeded, failed, skipped or cancelled; the
// rest are final.
type RunStatus string

// The statuses of a run.
const (
	RunWaiting    RunStatus = "waiting" // for people to approve its plan
	RunQueued     RunStatus = "queued"
	RunRunning    RunStatus = "running"
	RunSucceeded  RunStatus = "succeeded"
	RunFailed     RunStatus = "failed"
	RunSkipped    RunStatus = "skipped" // the app's own batuta.yml says that this push starts nothing
	RunCancelled  RunStatus = "cancelled"
	RunSuperseded RunStatus = "superseded"
)

// Ended tells whether the status is final.
func (s RunStatus) Ended() bool { return s != RunWaiting && s != RunQueued && s != RunRunning }

// Run is one revision going through the pipeline: an ordered list of steps.
type Run struct {
	ID          RunID           `json:"id"`
	App         AppName         `json:"app"`
	Kind        RunKind         `json:"kind"`
	Status      RunStatus       `json:"status"`
	Push        Push            `json:"push"`                  // what set it going
	Environment EnvironmentName `json:"environment,omitempty"` // where it deploys; a push knows it once its recipe is read
	Release     ReleaseNumber   `json:"release,omitempty"`     // what it deploys; a push knows it once it is made
	From        EnvironmentName `json:"from,omitempty"`        // where a promotion takes its release from; empty of one that was asked for before this was kept
	Approved    string          `json:"approved,omitempty"`    // the hash of the plan that By said yes to
	By          string          `json:"by,omitempty"`          // who asked for it
	Approvals   []string        `json:"approvals,omitempty"`   // who else said yes to its plan, or all who did if it waits or waited for several; in their order
	Reason      string          `json:"reason,omitempty"`      // why, if it only mends what the live release has: drift, a ship that is lost or drained
	Created     time.Time       `json:"created"`
	Started     time.Time       `json:"started,omitzero"`
	Ended       time.Time       `json:"ended,omitzero"`
	Error       string          `json:"error,omitempty"`      // why it failed, for a person
	CancelBy    string          `json:"cancel_by,omitempty"`  // who asked to cancel it, once somebody did
	LogDeleted  time.Time       `json:"log_deleted,omitzero"` // when what it printed was deleted, as it was old
	Steps       []Step          `json:"steps,omitempty"`
}

// StepStatus is where a step stands. Running may become succeeded, failed or
// cancelled. A step found running by a server that starts was interrupted, and
// is entered again.
type StepStatus string

// The statuses of a step.
const (
	StepRunning   StepStatus = "running"
	StepSucceeded StepStatus = "succeeded"
	StepFailed    StepStatus = "failed"
	StepCancelled StepStatus = "cancelled"
)

// Step is one named part of a run and its outcome.
type Step struct {
	Name    string          `json:"name"` // unique in the run: source, build web, deploy qa
	Status  StepStatus      `json:"status"`
	Attempt int             `json:"attempt"` // from 1; more after a retry or a restart
	Started time.Time       `json:"started"`
	Ended   time.Time       `json:"ended,omitzero"`
	Error   string          `json:"error,omitempty"`
	Output  json.RawMessage `json:"output,omitempty"` // the value it returned
}

// ReleaseNumber counts the releases of one app, from 1. Zero means none.
type ReleaseNumber int

// Release is immutable: the images that one revision built, and the
// environment documents at that revision. A promotion or a rollback points an
// environment at an existing release; it never makes one.
type Release struct {
	App       AppName                    `json:"app"`
	Number    ReleaseNumber              `json:"number"`
	Run       RunID                      `json:"run"`
	Revision  Revision                   `json:"revision"`
	Message   string                     `json:"message,omitempty"`
	Images    map[ImageName]Image        `json:"images"`
	Pins      map[string]Image           `json:"pins,omitempty"`   // what other image references of the documents meant when it was made
	Order     []EnvironmentName          `json:"order"`            // promote in batuta.yml: the first is deployed on push
	Stages    map[EnvironmentName]Stage  `json:"stages,omitempty"` // the rules of those that have any
	Notify    []NotifyRule               `json:"notify,omitempty"` // who is told of what
	Documents map[EnvironmentName]string `json:"documents,omitempty"`
	Created   time.Time                  `json:"created"`
}

// DeploymentID numbers the deployments of one server, from 1.
type DeploymentID int64

// DeploymentStatus is how a deployment stands. Applying may become any of the
// others, which are final.
type DeploymentStatus string

// The statuses of a deployment.
const (
	Applying   DeploymentStatus = "applying"
	Live       DeploymentStatus = "live"        // everything it wants runs and is ready
	RolledBack DeploymentStatus = "rolled back" // it failed, and what ran before runs again
	Failed     DeploymentStatus = "failed"      // it failed before anything was touched, or nothing ran before, or putting that back failed too
	Cancelled  DeploymentStatus = "cancelled"   // a person stopped it, and what ran before runs again
)

// Deployment is one plan being applied to an environment, and how it ended.
type Deployment struct {
	ID          DeploymentID     `json:"id"`
	App         AppName          `json:"app"`
	Environment EnvironmentName  `json:"environment"`
	Release     ReleaseNumber    `json:"release"`
	Run         RunID            `json:"run"`
	Status      DeploymentStatus `json:"status"`
	By          string           `json:"by,omitempty"`
	Started     time.Time        `json:"started"`
	Ended       time.Time        `json:"ended,omitzero"`
	Error       string           `json:"error,omitempty"`
}

// ContainerState is what one container that Batuta put on a ship does now.
type ContainerState struct {
	App         AppName         `json:"app"`
	Environment EnvironmentName `json:"environment"`
	Service     ServiceName     `json:"service"`
	Instance    InstanceName    `json:"instance"`
	Ship        ShipName        `json:"ship"`
	ID          string          `json:"id"` // Docker's
	Release     ReleaseNumber   `json:"release"`
	Image       string          `json:"image"` // repository@digest
	State       string          `json:"state"` // Docker's: created, running, restarting, exited, dead
	ExitCode    int             `json:"exit_code,omitempty"`
	Started     time.Time       `json:"started,omitzero"`
	URLs        []string        `json:"urls,omitempty"` // where its published ports answer
}

// Kind is what a program does about an error: choose an HTTP status, an exit
// code, a retry. errors.Is(err, batuta.NotFound) asks for it.
type Kind string

// The kinds of errors.
const (
	Internal    Kind = "internal"    // a fault of ours
	Invalid     Kind = "invalid"     // what was given is wrong; the same again fails again
	NotFound    Kind = "not found"   // there is no such thing
	Denied      Kind = "denied"      // not with these credentials, or not within what server.yml allows
	Conflict    Kind = "conflict"    // the world is not, or no longer, as the request assumes
	Unavailable Kind = "unavailable" // something outside does not answer; the same again may succeed
	Unhealthy   Kind = "unhealthy"   // what was started does not live up to its checks
)

// Error makes a kind a target for errors.Is.
func (k Kind) Error() string { return string(k) }

// Error serves three readers: the program (Kind), the person who asked
// (Message, Hint) and the operator (Err, the chain).
type Error struct {
	Kind    Kind
	Message string // what could not be done, to what; no "failed to"
	Hint    string // what the person can do about it; may be empty
	Err     error  // the cause; may be nil
}

// Error is the path from the act to its cause, without the hint.
func (e *Error) Error() string {
	switch {
	case e.Err == nil:
		return e.Message
	case e.Message == "":
		return e.Err.Error()
	}
	return e.Message + ": " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is matches a Kind.
func (e *Error) Is(target error) bool { return target == error(e.Kind) }

// Problem is one thing wrong with a document that a person wrote.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`   // from 1; 0 if the place is not known
	Column  int    `json:"column"` // from 1
	Path    string `json:"path"`   // services.web.instances.web-2.ship
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"` // what to write instead
}

// String is file:line:column: path: message (hint).
func (p Problem) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:%d: ", p.File, p.Line, p.Column)
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	if p.Hint != "" {
		b.WriteString(" (" + p.Hint + ")")
	}
	return b.String()
}

// Problems is all that is wrong with a set of documents, in the order in which
// a person reads them. As an error its kind is Invalid.
type Problems []Problem

// Error is one problem a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Is matches Invalid.
func (ps Problems) Is(target error) bool { return target == error(Invalid) }

// Err is nil if there are no problems.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// Entry is one line of the audit trail: who did what to what, when, and why.
type Entry struct {
	At     time.Time `json:"at"`
	By     string    `json:"by"`     // the authenticated person, or the forge
	Action string    `json:"action"` // push accepted, webhook refused, promotion asked, ...
	App    AppName   `json:"app,omitempty"`
	Object string    `json:"object,omitempty"` // production, run 12
	Detail string    `json:"detail,omitempty"`
}
