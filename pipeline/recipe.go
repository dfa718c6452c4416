package pipeline

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"batuta"
	"batuta/builder"
	"batuta/deployer/trial"
	"batuta/internal/document"
)

// RecipeFile is where an app says what becomes of a push.
const RecipeFile = "batuta.yml"

// Recipe is what batuta.yml says, with every default filled in: what starts a
// run, what to build and to test, and the order of the environments.
type Recipe struct {
	App         batuta.AppName                          `json:"app"`
	Images      map[batuta.ImageName]builder.Recipe     `json:"images"`
	Tests       []trial.Test                            `json:"test,omitempty"`
	On          Triggers                                `json:"on"`
	Promote     []batuta.EnvironmentName                `json:"promote"`
	Stages      map[batuta.EnvironmentName]batuta.Stage `json:"stages,omitempty"` // of the environments that have rules
	Notify      []batuta.NotifyRule                     `json:"notify,omitempty"` // who is told of what, beside those whom server.yml says
	Concurrency Concurrency                             `json:"concurrency"`
	Timeout     time.Duration                           `json:"timeout"`           // of the run, waiting for its environment not counted
	Retries     *int                                    `json:"retries,omitempty"` // of a step after something outside did not answer; nil: the server's
	Include     *Include                                `json:"include,omitempty"` // where what the file does not say came from
}

// Concurrency is what becomes of older runs of the same app and ref when a
// push comes.
type Concurrency string

// What becomes of older runs.
const (
	SupersedeOlder Concurrency = "supersede" // those that wait are superseded, one that runs goes on: the default
	QueueAll       Concurrency = "queue"     // every push runs, in their order
	CancelOlder    Concurrency = "cancel"    // those that wait are superseded, one that runs is cancelled
)

// The bounds of a run's time.
const (
	defaultTimeout = time.Hour
	leastTimeout   = time.Second
	mostTimeout    = 24 * time.Hour
	mostRetries    = 10
)

// recipeFile is batuta.yml as people write it.
type recipeFile struct {
	Include     *Include               `yaml:"include,omitempty"`
	App         string                 `yaml:"app"`
	Images      map[string]imageRecipe `yaml:"images,omitempty"`
	Test        []trial.Test           `yaml:"test,omitempty"`
	On          triggersFile           `yaml:"on"`
	Order       []stageFile            `yaml:"promote"`
	Notify      []batuta.NotifyRule    `yaml:"notify,omitempty"`
	Concurrency Concurrency            `yaml:"concurrency"`
	Timeout     time.Duration          `yaml:"timeout"`
	Retries     *int                   `yaml:"retries,omitempty"`
}

// ParseRecipe reads a batuta.yml. All that is wrong with it comes back as
// batuta.Problems.
//
// What it includes is not at hand here: it is left out, and so is what can
// only be judged with it.
func ParseRecipe(file string, data []byte) (Recipe, error) { return parseRecipe(file, data, setting{}) }

// setting is what a recipe is judged by beside itself, as far as it is at hand.
type setting struct {
	app    *App      // whose it is, as server.yml has it
	tree   fs.FS     // where its documents are
	shared *template // what it includes; nil also if it includes nothing
}

// floors are the rules of server.yml for promotions.
func (in setting) floors() map[batuta.EnvironmentName]batuta.Stage {
	if in.app == nil {
		return nil
	}
	return in.app.Floors
}

// parseRecipe reads the recipe of an app.
func parseRecipe(file string, data []byte, in setting) (Recipe, error) {
	var written recipeFile
	doc := document.Read(file, data, &written)
	top := document.Path{}
	if in.shared != nil {
		if err := written.include(doc, in); err != nil {
			return Recipe{App: batuta.AppName(written.App)}, append(doc.Problems(), asProblems(err)...).Err()
		}
	}
	r := Recipe{App: batuta.AppName(written.App), Images: map[batuta.ImageName]builder.Recipe{}, Retries: written.Retries, Include: written.Include}
	open := written.Include != nil && in.shared == nil // what it includes is missing
	if err := batuta.CheckLabel(written.App); err != nil {
		problem(doc, top.At("app"), err)
	} else if in.app != nil && r.App != in.app.Name {
		doc.Problem(top.At("app"), fmt.Sprintf("this is the repository of %s, not of %s", in.app.Name, r.App), "give the app the same name here and in server.yml")
	}
	for _, name := range slices.Sorted(maps.Keys(written.Images)) {
		r.Images[batuta.ImageName(name)] = readImage(doc, top.At("images", name), name, written.Images)
	}
	checkImageOrder(doc, top.At("images"), r.Images)
	if !open {
		r.Tests = readTests(doc, top.At("test"), written.Test, r.Images)
	}
	r.On = readTriggers(doc, top.At("on"), written.On)
	if !open || len(written.Order) > 0 {
		r.Promote, r.Stages = readOrder(doc, top.At("promote"), written.Order, in.floors())
	}
	if !doc.Has(top.At("notify")) { // what a template says was judged with it
		in.tree = nil
	}
	r.Notify = readNotify(doc, top.At("notify"), written.Notify, r.Promote, in)
	written.Include.check(doc, top.At("include"))
	r.readBounds(doc, written)
	return r, doc.Err()
}

// readBounds reads how the app's runs stand to each other, and what they may
// take.
func (r *Recipe) readBounds(doc *document.Document, written recipeFile) {
	r.Concurrency, r.Timeout = written.Concurrency, written.Timeout
	r.complete()
	switch r.Concurrency {
	case SupersedeOlder, QueueAll, CancelOlder:
	default:
		doc.Problem(document.Path{"concurrency"}, fmt.Sprintf("%q is no way to treat older runs", r.Concurrency), "write supersede, queue or cancel")
	}
	checkTime(doc, document.Path{"timeout"}, written.Timeout, "write 30m, 2h")
	if n := r.Retries; n != nil && (*n < 0 || *n > mostRetries) {
		doc.Problem(document.Path{"retries"}, fmt.Sprintf("%d is not between 0 and %d", *n, mostRetries), "write 2")
	}
}

// complete fills in what is not said. A run that an older binary began has a
// recipe that was saved before there were these keys.
func (r *Recipe) complete() {
	r.Concurrency = cmp.Or(r.Concurrency, SupersedeOlder)
	r.Timeout = cmp.Or(r.Timeout, defaultTimeout)
}

// problem places an error that a check of the vocabulary found.
func problem(doc *document.Document, at document.Path, err error) {
	hint := ""
	if e, ok := errors.AsType[*batuta.Error](err); ok {
		hint = e.Hint
	}
	doc.Problem(at, err.Error(), hint)
}
