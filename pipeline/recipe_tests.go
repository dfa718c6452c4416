package pipeline

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"batuta"
	"batuta/builder"
	"batuta/deployer/trial"
	"batuta/internal/document"
)

// The defaults and bounds of tests.
const (
	testTimeout     = 10 * time.Minute
	readyTimeout    = time.Minute
	mostTestRetries = 5
)

// readTests fills in the defaults of tests and checks them.
func readTests(doc *document.Document, at document.Path, tests []trial.Test, images map[batuta.ImageName]builder.Recipe) []trial.Test {
	seen := map[string]bool{}
	for i := range tests {
		t, here := &tests[i], at.At(fmt.Sprint(i))
		if err := batuta.CheckName(t.Name); err != nil {
			problem(doc, here.At("name"), err)
		} else if seen[t.Name] {
			doc.Problem(here.At("name"), t.Name+" stands twice", "")
		}
		seen[t.Name] = true
		if t.Image == "" && len(images) == 1 {
			t.Image = string(slices.Collect(maps.Keys(images))[0])
		}
		checkTestImage(doc, here.At("image"), t.Image, images)
		if t.Run.IsZero() {
			doc.Problem(here.At("run"), "run is missing", "write the command that tests: run: npm test")
		}
		if t.Timeout == 0 {
			t.Timeout = testTimeout
		}
		if t.Timeout > mostTimeout {
			doc.Problem(here.At("timeout"), fmt.Sprintf("%s is more than %s", t.Timeout, mostTimeout), "")
		}
		if t.Retries < 0 || t.Retries > mostTestRetries {
			doc.Problem(here.At("retries"), fmt.Sprintf("%d is not between 0 and %d", t.Retries, mostTestRetries), "")
		}
		for _, name := range slices.Sorted(maps.Keys(t.Services)) {
			t.Services[name] = readTestService(doc, here.At("services", name), name, t.Services[name], images)
		}
	}
	return tests
}

// checkTestImage wants an image that the app builds, or a reference.
func checkTestImage(doc *document.Document, at document.Path, image string, images map[batuta.ImageName]builder.Recipe) {
	_, ours := images[batuta.ImageName(image)]
	switch {
	case image == "":
		doc.Problem(at, "image is missing", "name one of images, or a reference such as node:22")
	case ours, strings.ContainsAny(image, ":/@"):
	default:
		doc.Problem(at, fmt.Sprintf("no image %q", image), cmp.Or(document.Suggest(image, texts(slices.Sorted(maps.Keys(images)))), "name one of images, or a reference with its tag, such as node:22"))
	}
}

func readTestService(doc *document.Document, at document.Path, name string, s trial.Service, images map[batuta.ImageName]builder.Recipe) trial.Service {
	if err := batuta.CheckLabel(name); err != nil {
		problem(doc, at, err)
	}
	checkTestImage(doc, at.At("image"), s.Image, images)
	if s.Ready == nil {
		return s
	}
	ways := 0
	for _, set := range []bool{s.Ready.TCP != 0, s.Ready.HTTP != "", !s.Ready.Run.IsZero()} {
		if set {
			ways++
		}
	}
	if ways != 1 {
		doc.Problem(at.At("ready"), fmt.Sprintf("%d ways to be ready", ways), "write one of tcp: 3306, http: :8080/health, run: COMMAND")
	}
	if port := s.Ready.TCP; port < 0 || port > 65535 {
		doc.Problem(at.At("ready", "tcp"), fmt.Sprintf("%d is not a port", port), "")
	}
	if h := s.Ready.HTTP; h != "" && !strings.HasPrefix(h, ":") {
		doc.Problem(at.At("ready", "http"), fmt.Sprintf("%q is not a port and path", h), "write :8080/health")
	}
	if s.Ready.Timeout == 0 {
		s.Ready.Timeout = readyTimeout
	}
	return s
}
