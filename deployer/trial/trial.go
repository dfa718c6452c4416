// Package trial runs the tests of an app: commands in an image that was just
// built, or in another, each with the services that it needs beside it, on one
// Docker Engine and in a network of its own that goes with it. It is the third
// stop of a push: package builder made the image, and only what passes becomes
// a release.
package trial

import (
	"fmt"
	"time"

	"batuta"
	"batuta/internal/document"
)

// Test is one entry of test in batuta.yml.
type Test struct {
	Name      string             `json:"name" yaml:"name"`                               // unique in the file
	Image     string             `json:"image" yaml:"image"`                             // one that the app builds, or a reference; empty: the only one that the app builds
	Run       Command            `json:"run" yaml:"run"`                                 // with exit code 0 it has passed
	Env       map[string]string  `json:"env,omitempty" yaml:"env,omitempty"`             // ${secret:NAME} is the app's secret
	Dir       string             `json:"dir,omitempty" yaml:"dir,omitempty"`             // where it runs; empty: where the image says
	User      string             `json:"user,omitempty" yaml:"user,omitempty"`           // empty: whom the image says
	Services  map[string]Service `json:"services,omitempty" yaml:"services,omitempty"`   // by the name under which the test finds them
	Timeout   time.Duration      `json:"timeout" yaml:"timeout"`                         // of one attempt, its services included; default 10m
	Retries   int                `json:"retries,omitempty" yaml:"retries"`               // further attempts after one that failed, 0 to 5
	Artifacts []string           `json:"artifacts,omitempty" yaml:"artifacts,omitempty"` // files and directories of the container that are kept; relative to dir
	JUnit     []string           `json:"junit,omitempty" yaml:"junit,omitempty"`         // files with JUnit's XML, relative to dir: which cases failed
}

// Service is something a test needs beside it.
type Service struct {
	Image   string            `json:"image" yaml:"image"` // as Test.Image
	Env     map[string]string `json:"env,omitempty" yaml:"env,omitempty"`
	Command Command           `json:"command,omitzero" yaml:"command,omitempty"` // empty: the image's own
	Ready   *Ready            `json:"ready,omitempty" yaml:"ready,omitempty"`    // nil: it is ready when it runs
}

// Ready is what a service has to answer before the test begins: exactly one
// of TCP, HTTP and Run.
type Ready struct {
	TCP     int           `json:"tcp,omitempty" yaml:"tcp,omitempty"`   // a port that takes connections
	HTTP    string        `json:"http,omitempty" yaml:"http,omitempty"` // :8080/health answers with 200 to 399
	Run     Command       `json:"run,omitzero" yaml:"run,omitempty"`    // a command in the service's container that ends with 0
	Timeout time.Duration `json:"timeout" yaml:"timeout"`               // default 1m
}

// Command is what a container runs: a line for its shell, or the words of a
// program.
type Command struct {
	Shell string   `json:"shell,omitempty"` // run by /bin/sh -c
	Words []string `json:"words,omitempty"`
}

var _ document.Unmarshaler = (*Command)(nil)

// UnmarshalDocument reads a line, or a list of words.
func (c *Command) UnmarshalDocument(n document.Node) error {
	if n.IsList() {
		return n.Decode(&c.Words)
	}
	return n.Decode(&c.Shell)
}

// MarshalYAML writes it as UnmarshalDocument reads it.
func (c Command) MarshalYAML() (any, error) {
	if len(c.Words) > 0 {
		return c.Words, nil
	}
	return c.Shell, nil
}

// IsZero tells whether there is none.
func (c Command) IsZero() bool { return c.Shell == "" && len(c.Words) == 0 }

// Argv is what the kernel is given.
func (c Command) Argv() []string {
	if c.Shell != "" {
		return []string{"/bin/sh", "-c", c.Shell}
	}
	return c.Words
}

// Report is how a test ended.
type Report struct {
	Passed   bool          `json:"passed"`
	ExitCode int           `json:"exit_code"`
	Attempts int           `json:"attempts"`
	Took     time.Duration `json:"took"`
	Cases    int           `json:"cases,omitempty"`  // that JUnit's XML tells of
	Failed   []Case        `json:"failed,omitempty"` // those that failed, at most 100
	Kept     []Artifact    `json:"kept,omitempty"`
}

// Case is one case of a JUnit report that failed.
type Case struct {
	Suite   string `json:"suite,omitempty"`
	Name    string `json:"name"`
	Message string `json:"message,omitempty"` // at most 2,000 characters
}

// String is suite: name.
func (c Case) String() string {
	if c.Suite == "" {
		return c.Name
	}
	return fmt.Sprintf("%s: %s", c.Suite, c.Name)
}

// Artifact is a file that was kept.
type Artifact struct {
	Path string `json:"path"` // in the container, as batuta.yml names it or below
	Size int64  `json:"size"` // bytes
}

// Request is one test to be run.
type Request struct {
	App  batuta.AppName
	Run  batuta.RunID
	Test Test // its variables with their values, secrets too

	// Images has what each image that the test names is, by that name.
	Images map[string]batuta.Image

	// Artifacts is the directory that what is to be kept goes to; it may not
	// be there yet.
	Artifacts string
}
