package main

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"batuta"
)

// errNotApproved ends a command whose question got another answer than yes.
var errNotApproved = &batuta.Error{Message: "not approved; nothing was done"}

// approve asks a question that only y or yes answers with yes.
func (p *program) approve(ctx context.Context, question string) error {
	if !isTerminal(p.stdin) {
		return &batuta.Error{Kind: batuta.Invalid, Message: "this needs your word, and there is no terminal to ask on", Hint: "--yes approves the plan without asking"}
	}
	fmt.Fprintf(p.stderr, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() { // reads until the process ends, if nobody answers
		line, _ := bufio.NewReader(p.stdin).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(p.stderr)
		return context.Cause(ctx)
	case word := <-answer:
		if word == "y" || word == "yes" {
			return nil
		}
		return errNotApproved
	}
}
