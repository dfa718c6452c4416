package pipeline

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
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
			doc.Problem(here.At("name"), t.Name+" stands twice", "give one of the two another name")
		}
		seen[t.Name] = true
		if t.Image == "" && len(images) == 1 {
			t.Image = string(slices.Collect(maps.Keys(images))[0])
		}
		checkTestImage(doc, here.At("image"), t.Image, images)
		checkTest(doc, here, *t)
		t.Timeout = cmp.Or(t.Timeout, testTimeout)
		for _, name := range slices.Sorted(maps.Keys(t.Services)) {
			t.Services[name] = readTestService(doc, here.At("services", name), name, t.Services[name], images)
		}
	}
	return tests
}

// checkTest finds fault with what a test says of itself alone.
func checkTest(doc *document.Document, at document.Path, t trial.Test) {
	if t.Run.IsZero() || t.Run.Argv()[0] == "" {
		doc.Problem(at.At("run"), "run is missing", "write the command that tests: run: npm test")
	}
	checkNoSecret(doc, at.At("run"), "a command", "write it into env, as NAME: ${secret:NAME}, and $NAME here", t.Run.Argv()...)
	checkEnv(doc, at.At("env"), t.Env)
	if t.Dir != "" && !path.IsAbs(t.Dir) {
		doc.Problem(at.At("dir"), fmt.Sprintf("%q is not a whole path in the image", t.Dir), "write it from the top: /app")
	}
	if t.User != "" && !userForm.MatchString(t.User) {
		doc.Problem(at.At("user"), fmt.Sprintf("%q is not a user", t.User), "write a name or a number, and a group if need be: node, 1000:1000")
	}
	checkTime(doc, at.At("timeout"), t.Timeout, "write 5m, 1h")
	if t.Retries < 0 || t.Retries > mostTestRetries {
		doc.Problem(at.At("retries"), fmt.Sprintf("%d is not between 0 and %d", t.Retries, mostTestRetries), "write 1")
	}
	checkKept(doc, at.At("artifacts"), t.Artifacts)
	checkKept(doc, at.At("junit"), t.JUnit)
}

// checkTestImage wants an image that the app builds, or a reference.
func checkTestImage(doc *document.Document, at document.Path, image string, images map[batuta.ImageName]builder.Recipe) {
	_, ours := images[batuta.ImageName(image)]
	switch {
	case image == "":
		doc.Problem(at, "image is missing", "name one of images, or a reference such as node:22")
	case ours:
	case strings.ContainsAny(image, ":/@"):
		checkReference(doc, at, image)
	default:
		doc.Problem(at, fmt.Sprintf("no image %q", image), cmp.Or(document.Suggest(image, texts(slices.Sorted(maps.Keys(images)))), "name one of images, or a reference with its tag, such as node:22"))
	}
}

func readTestService(doc *document.Document, at document.Path, name string, s trial.Service, images map[batuta.ImageName]builder.Recipe) trial.Service {
	if err := batuta.CheckLabel(name); err != nil {
		problem(doc, at, err)
	} else if name == trial.Alias {
		doc.Problem(at, fmt.Sprintf("a service cannot be called %s, which is the name of the test itself in its network", name), "give it another name: db")
	}
	checkTestImage(doc, at.At("image"), s.Image, images)
	checkEnv(doc, at.At("env"), s.Env)
	checkNoSecret(doc, at.At("command"), "a command", "write it into env, as NAME: ${secret:NAME}, and $NAME here", s.Command.Argv()...)
	if s.Ready == nil {
		return s
	}
	checkReady(doc, at.At("ready"), *s.Ready)
	s.Ready.Timeout = cmp.Or(s.Ready.Timeout, readyTimeout)
	return s
}

// checkReady wants one way to be ready.
func checkReady(doc *document.Document, at document.Path, r trial.Ready) {
	_, tcp := doc.Scalar(at.At("tcp")) // 0, too, is said
	ways := 0
	for _, set := range []bool{tcp || r.TCP != 0, r.HTTP != "", !r.Run.IsZero()} {
		if set {
			ways++
		}
	}
	if ways != 1 {
		doc.Problem(at, fmt.Sprintf("%d ways to be ready", ways), "write one of tcp: 3306, http: :8080/health, run: COMMAND")
	}
	if (tcp || r.TCP != 0) && (r.TCP < 1 || r.TCP > 65535) {
		doc.Problem(at.At("tcp"), fmt.Sprintf("%d is not a port", r.TCP), "write one from 1 to 65535: 3306")
	}
	if r.HTTP != "" && !isPortAndPath(r.HTTP) {
		doc.Problem(at.At("http"), fmt.Sprintf("%q is not a port and path", r.HTTP), "write :8080/health")
	}
	checkTime(doc, at.At("timeout"), r.Timeout, "write 30s, 2m")
}

// isPortAndPath tells whether a text is :8080, or :8080/health.
func isPortAndPath(text string) bool {
	port, _, _ := strings.Cut(text, "/")
	number, is := strings.CutPrefix(port, ":")
	n, err := strconv.ParseUint(number, 10, 16)
	return is && err == nil && n > 0 && !strings.ContainsAny(text, " \t\n")
}
