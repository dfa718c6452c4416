package pipeline

import (
	"context"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"batuta"
	"batuta/deployer/trial"
)

// tests runs all tests of the recipe at the same time. What does not pass
// makes no release.
func (j *journey) tests(ctx context.Context, r Recipe, images map[batuta.ImageName]batuta.Image) error {
	return together(len(r.Tests), func(i int) error {
		_, err := step(ctx, j, "test "+r.Tests[i].Name, repeatable, j.test(r.Tests[i], images))
		return err
	})
}

// test runs one test.
func (j *journey) test(t trial.Test, built map[batuta.ImageName]batuta.Image) func(context.Context, io.Writer) (trial.Report, error) {
	return func(ctx context.Context, log io.Writer) (trial.Report, error) {
		if j.Tester == nil {
			return trial.Report{}, &batuta.Error{Kind: batuta.Invalid, Message: "there is no Docker Engine to test on", Hint: "let the server deploy to a ship, or name one in server.yml"}
		}
		images, err := j.testImages(ctx, t, built)
		if err != nil {
			return trial.Report{}, err
		}
		if t, err = j.app.withSecrets(t); err != nil {
			return trial.Report{}, err
		}
		report, err := j.Tester.Test(ctx, trial.Request{
			App: j.app.Name, Run: j.run.ID, Test: t, Images: images,
			Artifacts: filepath.Join(j.Artifacts, fmt.Sprint(j.run.ID), t.Name),
		}, log)
		for i, c := range report.Failed {
			report.Failed[i] = trial.Case{Suite: j.app.redact(c.Suite), Name: j.app.redact(c.Name), Message: j.app.redact(c.Message)}
		}
		if err == nil && !report.Passed {
			err = unhealthy(t, report)
		}
		return report, err
	}
}

// testImages finds what the images of a test are: those that were built, and
// what references mean now.
func (j *journey) testImages(ctx context.Context, t trial.Test, built map[batuta.ImageName]batuta.Image) (map[string]batuta.Image, error) {
	wanted := []string{t.Image}
	for _, name := range slices.Sorted(maps.Keys(t.Services)) {
		wanted = append(wanted, t.Services[name].Image)
	}
	images := map[string]batuta.Image{}
	for _, name := range wanted {
		image, ours := built[batuta.ImageName(name)]
		if !ours {
			var err error
			if image, err = j.Pinner.Pin(ctx, j.app.Name, name); err != nil {
				return nil, fmt.Errorf("image %s: %w", name, err)
			}
		}
		if j.app.foreign(image) {
			return nil, &batuta.Error{Kind: batuta.Denied, Message: fmt.Sprintf("%s is not an image of %s", image.Repository, j.app.Name), Hint: "a test uses the images that its app builds, and those of registries outside"}
		}
		images[name] = image
	}
	return images, nil
}

var secretForm = regexp.MustCompile(`\$\{secret:([^}]*)\}`)

// withSecrets puts the app's secrets into the variables of a test and its
// services.
func (a App) withSecrets(t trial.Test) (trial.Test, error) {
	var missing []string
	fill := func(env map[string]string) map[string]string {
		filled := make(map[string]string, len(env))
		for name, value := range env {
			filled[name] = secretForm.ReplaceAllStringFunc(value, func(found string) string {
				id := secretForm.FindStringSubmatch(found)[1]
				secret, ok := a.Secrets[id]
				if !ok {
					missing = append(missing, id)
				}
				return secret
			})
		}
		return filled
	}
	t.Env, t.Services = fill(t.Env), maps.Clone(t.Services)
	for name, s := range t.Services {
		s.Env = fill(s.Env)
		t.Services[name] = s
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return t, &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("test %s asks for the secrets %s, which the server does not have", t.Name, strings.Join(slices.Compact(missing), ", ")), Hint: "add them under apps." + string(a.Name) + ".secrets in server.yml"}
	}
	return t, nil
}

// mostNamed is how many of the cases that failed an error names; the log has
// the others.
const mostNamed = 20

// unhealthy is the error of a test that did not pass, with the cases that
// failed where they are known.
func unhealthy(t trial.Test, r trial.Report) error {
	lines := []string{fmt.Sprintf("test %s: exit code %d", t.Name, r.ExitCode)}
	for _, c := range r.Failed[:min(len(r.Failed), mostNamed)] {
		why, _, _ := strings.Cut(c.Message, "\n")
		lines = append(lines, strings.TrimSuffix(fmt.Sprintf("%s: %s", c, why), ": "))
	}
	if more := len(r.Failed) - mostNamed; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return &batuta.Error{Kind: batuta.Unhealthy, Message: strings.Join(lines, "\n")}
}
