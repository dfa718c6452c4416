package builder

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/util/grpcerrors"
	"google.golang.org/grpc/codes"

	"batuta"
)

// explain turns what a daemon answered into an error for the person who
// pushed, of the kind that Build documents.
//
// A daemon gives most failures as nothing but text, Docker 20.10 all of them.
// So the kind follows from where the build stood (the step that failed), and
// the text decides only between a registry's answers.
func (b *Builder) explain(ctx context.Context, r Request, err error, p *progress) error {
	failed := p.failed()
	var forbidden *refusal
	switch code := grpcerrors.Code(err); {
	case ctx.Err() != nil:
		return fmt.Errorf("build image %s: %w", r.Image, ctx.Err())
	case errors.As(err, &forbidden):
		place, instruction := locate(r, err, &step{name: loadMetadata + forbidden.reference})
		return fmt.Errorf("%s: %s: %w", place, instruction, forbidden.err)
	case diskFull(err, failed):
		return &batuta.Error{Kind: batuta.Unavailable, Message: failed.title() + ": the disk is full", Err: err,
			Hint: "free space where BuildKit keeps its data"}
	case code == codes.Unavailable || errors.Is(err, batuta.Unavailable):
		return unavailable(err, "BuildKit at %s does not answer", b.config.Endpoint)
	case code == codes.Internal || code == codes.ResourceExhausted:
		return &batuta.Error{Kind: batuta.Internal, Message: "BuildKit broke", Err: err}
	}
	var push *pushError
	switch {
	case errors.As(err, &push) || failed.exports():
		return registryError(err, "push "+r.Repository, batuta.Unavailable)
	case failed.pulls():
		place, _ := locate(r, err, failed)
		return registryError(errors.New(failed.failure), place+": "+failed.title(), absent(failed.failure))
	case r.Recipe.Static != "":
		return &batuta.Error{Kind: batuta.Internal, Message: "build image " + string(r.Image), Err: err}
	}
	return faulty(r, err, failed)
}

// faulty is an error of the Dockerfile or of what it runs.
func faulty(r Request, err error, failed *step) error {
	place, instruction := locate(r, err, failed)
	if failed == nil {
		return invalid("", "%s: %s", place, plain(err.Error()))
	}
	var m strings.Builder
	fmt.Fprintf(&m, "%s: %s: %s", place, instruction, plain(failed.failure))
	for _, line := range failed.tail {
		m.WriteString("\n  " + line)
	}
	return invalid("", "%s", m.String())
}

// registryError is the answer of a registry, or that there was none.
func registryError(err error, act string, otherwise batuta.Kind) error {
	text := plain(err.Error())
	if full := noRoom.FindString(text); full != "" {
		return &batuta.Error{Kind: batuta.Conflict, Message: act + ": " + full,
			Hint: "make room on the disk of the server's data directory"}
	}
	e := &batuta.Error{Kind: otherwise, Message: act, Err: errors.New(text)}
	if refused.MatchString(text) {
		e.Kind, e.Hint = batuta.Denied, "check the credentials for this registry"
	}
	return e
}

// absent tells an image that is not there from a registry that is not.
func absent(text string) batuta.Kind {
	if strings.HasSuffix(text, ": not found") {
		return batuta.Invalid
	}
	return batuta.Unavailable
}

func diskFull(err error, failed *step) bool {
	text := err.Error()
	if failed != nil {
		text += strings.Join(failed.tail, "\n")
	}
	return strings.Contains(strings.ToLower(text), "no space left on device")
}

// What daemons and registries write.
var (
	refused  = regexp.MustCompile(`(?i)401 unauthorized|403 forbidden|^unauthorized|unauthorized:|denied[:,]|is denied|authorization failed|authentication required|no basic auth credentials`)
	noRoom   = regexp.MustCompile(`no room: [^\n"]+`) // package internal/registry
	exitCode = regexp.MustCompile(`exit code: (\d+)$`)
	noise    = regexp.MustCompile(`^(failed to solve( with frontend \S+)?|failed to create LLB definition|failed to compute cache key|failed to push \S+|failed to calculate checksum of ref \S+|dockerfile parse error (on )?line \d+): `)
	position = regexp.MustCompile(`^(?:failed to [^:]+: )*dockerfile parse error (?:on )?line (\d+): `)
)

// plain is a daemon's text without what only its developers understand.
func plain(text string) string {
	if m := exitCode.FindStringSubmatch(text); m != nil {
		return "exit code " + m[1]
	}
	for {
		rest := noise.ReplaceAllString(text, "")
		if rest == text {
			return text
		}
		text = rest
	}
}

// locate gives file:line of the Dockerfile (without the line if it is not
// known) and the instruction that stands there.
func locate(r Request, err error, failed *step) (place, instruction string) {
	place = r.Recipe.dockerfile()
	instruction = failed.title()
	for _, s := range errdefs.Sources(err) {
		if len(s.Ranges) > 0 {
			return fmt.Sprintf("%s:%d", place, s.Ranges[0].Start.Line), instruction
		}
	}
	if m := position.FindStringSubmatch(err.Error()); m != nil {
		return place + ":" + m[1], instruction
	}
	if line := findInstruction(r, instruction); line > 0 {
		return fmt.Sprintf("%s:%d", place, line), instruction
	}
	return place, instruction
}
