package pipeline_test

import (
	"strings"
	"testing"

	"batuta/pipeline"
)

// What reads well and would fail in a run, or never do anything, is told before.
func TestWhatCannotWorkIsRefused(t *testing.T) {
	t.Parallel()
	const images = "images: {web: {}}\n"
	for text, want := range map[string]string{
		images + "on: {push: {paths: [./src/**]}}":                                            `4:21: on.push.paths.0: "./src/**" fits no path (write src/**)`,
		images + "on: {push: {paths: [/src/**]}}":                                             `"/src/**" fits no path (write src/**)`,
		images + "on: {push: {paths: [src/]}}":                                                `"src/" fits no path (write src/**)`,
		images + `on: {push: {paths: ["! docs/**"]}}`:                                         `"! docs/**" fits no path (write !docs/**)`,
		images + "on: {push: {branches: [refs/heads/main]}}":                                  `"refs/heads/main" fits no branch (write main)`,
		images + "on: {cron: {schedule: '@every 0s'}}":                                        `0s is less than a minute`,
		images + "on: {cron: {schedule: '@every -5m'}}":                                       `-5m is less than a minute`,
		images + "on: {cron: {schedule: '0 4 * * *', zone: Local}}":                           `no time zone "Local"`,
		images + "timeout: 0s":                                                                `timeout: 0s is not between`,
		"images: {web: {target: a b}}":                                                        `"a b" is not a stage of a Dockerfile`,
		"images: {web: {platforms: [linux/arm65]}}":                                           `"linux/arm65" is not a platform`,
		"images: {web: {platforms: [linux/amd64, linux/amd64]}}":                              `linux/amd64 stands twice`,
		"images: {web: {cache: {from: ['No Such']}}}":                                         `"No Such" is not an image's reference`,
		"images: {web: {secrets: [a b]}}":                                                     `"a b" cannot be the name of a secret`,
		"images: {web: {contexts: {x: 'https://example.edu/x.git'}}}":                         `is not a context (write a path relative`,
		"images: {web: {contexts: {x: 'docker-image://A B'}}}":                                `"A B" is not an image's reference`,
		"images: {web: {args: {A: '${secret:npm}'}}}":                                         `a secret is not put into build arguments`,
		images + "test: [{name: u, run: x, dir: ..}]":                                         `".." is not a whole path in the image`,
		images + "test: [{name: u, run: x, env: {A: '${secret:npm'}}]":                        `"${secret:npm" has no } at its end`,
		images + "test: [{name: u, run: x, artifacts: [../x]}]":                               `"../x" leads out of the directory`,
		images + "test: [{name: u, run: x, artifacts: ['*.xml']}]":                            `"*.xml" is a pattern`,
		images + "test: [{name: u, run: x, services: {test: {image: a:1}}}]":                  `a service cannot be called test`,
		images + "test: [{name: u, run: x, timeout: 0s}]":                                     `0s is not between`,
		images + "test: [{name: u, run: x, services: {db: {image: 'a:1', ready: {tcp: 0}}}}]": `0 is not a port`,
	} {
		if !strings.Contains(text, "promote") {
			text = "app: shop\npromote: [qa]\n" + text + "\n"
		}
		if _, err := pipeline.ParseRecipe("batuta.yml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\nis read with %v; want %s", text, err, want)
		}
	}
	for stages, want := range map[string]string{
		"[qa, qa]":         "qa stands twice (a release goes to an environment once: remove one)",
		"[qa, {soak: 1h}]": "an environment without a name (write qa, or {to: production} and its rules)",
		"[qa, {to: production, approvers: ['a b']}]": `"a b"`,
		"[qa, {to: production, approvers: ['']}]":    "approvers.0",
	} {
		text := "app: shop\n" + images + "promote: " + stages + "\n"
		if _, err := pipeline.ParseRecipe("batuta.yml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is read with %v; want %s", stages, err, want)
		}
	}
	good := "app: shop\npromote: [qa, {to: production, windows: ['Fri 22:00-02:00 Europe/Berlin'], approvers: [ana]}]\n" +
		"images: {web: {target: build, platforms: [linux/amd64, linux/arm/v7], cache: {from: ['ghcr.io/acme/portal:cache']}}}\n" +
		"on: {push: {paths: ['src/**', '!**/*.md'], branches: [main, 'release/*']}, cron: '@every 1m'}\n" +
		"test: [{name: u, run: x, env: {A: 'x-${secret:npm}'}, dir: /app, artifacts: [coverage, /tmp/x.xml]}]\n"
	if _, err := pipeline.ParseRecipe("batuta.yml", []byte(good)); err != nil {
		t.Error(err)
	}
}
