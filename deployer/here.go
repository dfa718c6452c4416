package deployer

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"batuta"
)

const (
	maxBody      = 1 << 20 // of an answer, to be matched
	maxRedirects = 30      // as Python's requests
	commandTail  = 200     // bytes of what a command printed that its error keeps
)

// command runs a check's command where Batuta runs. It sees the environment of
// this process and the container's variables, or these as JSON on its stdin,
// for when they are more than a process may be given.
func (a awaited) command(ctx context.Context, c Check) error {
	if len(c.Command) == 0 {
		return errors.New("the check has no command")
	}
	cmd := exec.CommandContext(ctx, c.Command[0], c.Command[1:]...)
	cmd.WaitDelay = time.Second // what it started may hold its output open
	var printed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &printed
	vars := map[string]string{}
	cmd.Env = os.Environ()
	for _, v := range a.env {
		if v.Unset {
			continue
		}
		vars[v.Name] = v.Value
		if !c.Stdin {
			cmd.Env = append(cmd.Env, v.Name+"="+v.Value)
		}
	}
	if c.Stdin {
		text, err := json.Marshal(vars)
		if err != nil {
			return err
		}
		cmd.Stdin = bytes.NewReader(text)
	}
	err := cmd.Run()
	said := strings.TrimSpace(printed.String())
	if _, exited := errors.AsType[*exec.ExitError](err); exited && said != "" {
		return fmt.Errorf("%w: %s", err, a.blank(said[max(0, len(said)-commandTail):]))
	}
	return err
}

// variables are what a container was given, as its label keeps it: without the
// secrets.
func (f fingerprint) variables() []Variable {
	var out []Variable
	for name, value := range f.Env {
		out = append(out, Variable{Name: name, Value: value})
	}
	slices.SortFunc(out, func(a, b Variable) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// outside makes an attempt at a check over the network, from here.
func outside(ctx context.Context, c Check) error {
	switch c.Type {
	case CheckTCP:
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(c.Outside, strconv.Itoa(c.Port)))
		if err != nil {
			return err
		}
		return conn.Close()
	case CheckHTTP:
		return get(ctx, c)
	}
	return &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("a check of type %s cannot be made from outside", c.Type)}
}

func get(ctx context.Context, c Check) error {
	url := fmt.Sprintf("%s://%s%s", cmp.Or(c.Scheme, "http"), net.JoinHostPort(c.Outside, strconv.Itoa(c.Port)), cmp.Or(c.Path, "/"))
	req, err := http.NewRequestWithContext(ctx, strings.ToUpper(cmp.Or(c.Method, http.MethodGet)), url, nil)
	if err != nil {
		return err
	}
	for name, value := range c.Headers {
		req.Header.Set(name, value)
	}
	req.Host = c.Host
	client := http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: c.Insecure}, DisableKeepAlives: true}, //nolint:gosec // the document says so
		CheckRedirect: func(_ *http.Request, via []*http.Request) error {
			if !c.Follow || len(via) > maxRedirects {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
	answer, err := client.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	switch {
	case !c.Passes(answer.StatusCode):
		return errors.New(answer.Status)
	case c.Match == "":
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxBody))
	if err != nil {
		return err
	}
	match, err := regexp.Compile(c.Match)
	if err == nil && !match.Match(body) {
		err = fmt.Errorf("the body does not match %s", c.Match)
	}
	return err
}
