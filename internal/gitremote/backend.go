package gitremote

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// protocolForm is what a Git-Protocol header may hold: version=2.
var protocolForm = regexp.MustCompile(`^[a-z0-9=:.-]{1,100}$`)

// runBackend has git http-backend answer the request, as a CGI program
// (RFC 3875). lock, if not nil, stays open in git and all it starts. When the
// client goes away or the server stops, git and all it started are told to
// end.
func (r *Remote) runBackend(w http.ResponseWriter, req *http.Request, c call, lock *os.File) error {
	var complaints tail
	out := &cgiResponse{w: w}
	cmd := exec.CommandContext(req.Context(), r.backend)
	cmd.Env = append(r.backendEnv(req, c), r.env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = req.Body, out, &complaints
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	if lock != nil {
		cmd.ExtraFiles = []*os.File{lock}
	}
	err := cmd.Run()
	if !out.begun {
		http.Error(w, "git did not answer", http.StatusInternalServerError)
	}
	if err != nil {
		return fmt.Errorf("git http-backend: %w: %s", err, bytes.TrimSpace(complaints.last))
	}
	return nil
}

// backendEnv is the request in the words of CGI.
func (r *Remote) backendEnv(req *http.Request, c call) []string {
	address, _, err := net.SplitHostPort(req.RemoteAddr)
	if err != nil {
		address = req.RemoteAddr
	}
	env := []string{
		"GIT_PROJECT_ROOT=" + r.config.Dir,
		"GIT_HTTP_EXPORT_ALL=1",
		"REQUEST_METHOD=" + req.Method,
		"PATH_INFO=" + c.pathInfo(),
		"CONTENT_TYPE=" + req.Header.Get("Content-Type"),
		"HTTP_CONTENT_ENCODING=" + req.Header.Get("Content-Encoding"),
		"REMOTE_USER=" + c.person, // git writes it into the ref's log
		"REMOTE_ADDR=" + address,
	}
	if c.advertise {
		env = append(env, "QUERY_STRING=service="+c.service)
	}
	// Told the length of a push, http-backend waits for all of it, with all of a
	// processor, even when the server that sent it was killed; and holds the
	// lock meanwhile, for which the next server would wait for ever.
	if req.ContentLength >= 0 && c.service != receivePack {
		env = append(env, "CONTENT_LENGTH="+strconv.FormatInt(req.ContentLength, 10))
	}
	if p := req.Header.Get("Git-Protocol"); protocolForm.MatchString(p) {
		env = append(env, "GIT_PROTOCOL="+p)
	}
	return env
}

// cgiResponse turns what a CGI program writes into an HTTP response: first
// its header, then everything as it comes.
type cgiResponse struct {
	w      http.ResponseWriter
	header []byte // until it is complete
	begun  bool   // the header was passed on
}

// Write takes the next bytes of the program.
func (c *cgiResponse) Write(p []byte) (int, error) {
	if c.begun {
		return c.w.Write(p)
	}
	c.header = append(c.header, p...)
	head, body, complete := bytes.Cut(c.header, []byte("\r\n\r\n"))
	if !complete {
		if len(c.header) > 64<<10 {
			return 0, fmt.Errorf("header of %d bytes without an end", len(c.header))
		}
		return len(p), nil
	}
	if err := c.begin(head); err != nil {
		return 0, err
	}
	if _, err := c.w.Write(body); err != nil {
		return 0, err
	}
	return len(p), nil
}

// begin passes the header on.
func (c *cgiResponse) begin(head []byte) error {
	fields, err := textproto.NewReader(bufio.NewReader(io.MultiReader(bytes.NewReader(head), strings.NewReader("\r\n\r\n")))).ReadMIMEHeader()
	if err != nil {
		return fmt.Errorf("read header: %w", err)
	}
	status := http.StatusOK
	if s := fields.Get("Status"); s != "" {
		code, _, _ := strings.Cut(s, " ")
		if status, err = strconv.Atoi(code); err != nil || status < 200 || status > 599 {
			return fmt.Errorf("read header: status %q", s)
		}
	}
	fields.Del("Status")
	maps.Copy(c.w.Header(), fields)
	c.w.WriteHeader(status)
	c.begun, c.header = true, nil
	return nil
}

// tail keeps the last 2 KiB of what is written to it.
type tail struct{ last []byte }

// Write takes more.
func (t *tail) Write(p []byte) (int, error) {
	t.last = append(t.last, p...)
	t.last = t.last[max(0, len(t.last)-2048):]
	return len(p), nil
}
