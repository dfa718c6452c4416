package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"batuta"
)

// program is one call of the command, with everything that it takes from its
// process, so that a test can call it without one.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	now            func() time.Time

	flags   flags
	started bool // the command line was understood
}

// flags is what can be given to every command.
type flags struct {
	url  string // the server to ask
	file string // the environment document to put into effect without one

	strict bool // its warnings are errors
}

// run executes a command line and gives the exit code.
func (p *program) run(ctx context.Context, args []string) int {
	root := p.root()
	root.SetArgs(args)
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case !p.started && !errors.Is(err, batuta.Invalid):
		err = &batuta.Error{Kind: batuta.Invalid, Message: err.Error(), Hint: "`batuta --help` lists the commands"}
	case ctx.Err() != nil:
		err = interrupted{err}
	}
	p.complain(err)
	return exitCode(err)
}

// exitCodes is the part of the help that tells what exit codes mean.
const exitCodes = `Exit codes:
  0    it worked
  1    the run or the deployment failed, or was not approved; or a fault of Batuta's own
  2    wrong usage, or an invalid document
  3    there is no such thing
  4    not with this token, or not within what server.yml grants
  5    what runs is not, or no longer, as assumed
  6    the server, a ship or a registry does not answer
  130  interrupted`

// exitCode is the one place where errors become exit codes.
func exitCode(err error) int {
	switch {
	case errors.As(err, new(interrupted)):
		return 130
	case errors.As(err, new(verbFailed)):
		return 1
	}
	for _, c := range []struct {
		kind batuta.Kind
		code int
	}{{batuta.Invalid, 2}, {batuta.NotFound, 3}, {batuta.Denied, 4}, {batuta.Conflict, 5}, {batuta.Unavailable, 6}} {
		if errors.Is(err, c.kind) {
			return c.code
		}
	}
	return 1
}

// interrupted is a command that a signal ended.
type interrupted struct{ error }

// Unwrap gives what the command made of the signal.
func (i interrupted) Unwrap() error { return i.error }

// complain tells the person what went wrong, and what to do about it.
func (p *program) complain(err error) {
	if ps, ok := errors.AsType[batuta.Problems](err); ok {
		fmt.Fprintln(p.stderr, ps)
		return
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(p.stderr, "batuta: interrupted")
		return
	}
	fmt.Fprintln(p.stderr, "batuta:", strings.ReplaceAll(err.Error(), "\n", "\n  "))
	if e, ok := errors.AsType[*batuta.Error](err); ok && e.Hint != "" {
		fmt.Fprintln(p.stderr, "  "+strings.ReplaceAll(e.Hint, "\n", "\n  "))
	}
}
