# Everything a person or a machine does with this repository. `make help` lists it.

# A checkout without its history, or owned by somebody else, builds too.
export GOFLAGS := $(strip $(GOFLAGS) -buildvcs=false)

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
PKG     ?= ./...
LAB     := go run ./internal/lab/cmd/lab

.DEFAULT_GOAL := help
.PHONY: help build test chaos lint bench demo setup lab-down clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## compile bin/batuta, one static binary
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/batuta ./cmd/batuta

test: setup ## run all tests, with the race detector, on real Docker hosts (PKG=./deployer/... for some)
	$(LAB) run go test -race -timeout 20m $(PKG)

chaos: setup ## break a server and its parts 200 times while pushes come in (ARGS="-chaos.seed 1" plays the same again)
	$(LAB) run go test -race -timeout 60m ./cmd/batuta -run '^TestChaos$$' -v -args -chaos.kills 200 $(ARGS)

lint: ## check the form of the code
	@test -z "$$(gofmt -l .)" || { echo "not formatted:"; gofmt -l .; exit 1; }
	go vet ./...
	go tool -modfile=.ci/lint/go.mod golangci-lint run

bench: setup ## measure, and print ratios
	go run ./internal/bench $(ARGS)

demo: ## build, and show a push becoming QA and production (ARGS=--once ends by itself)
	.ci/setup demo
	$(MAKE) build
	$$(docker version >/dev/null 2>&1 || echo sudo) bin/batuta demo $(ARGS)

setup: ## install what the tests need
	.ci/setup test

lab-down: ## take down the lab that tests left running for the next ones, or that a killed test left
	$(LAB) down

clean: ## remove what was built
	rm -rf bin
