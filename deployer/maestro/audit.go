package maestro

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"batuta/internal/document"
)

// AuditType is how an auditor is told.
type AuditType string

// The types of auditors.
const (
	AuditLog   AuditType = "log"   // everything, as lines of a file
	AuditHTTP  AuditType = "http"  // what is about to be done, as a request
	AuditExec  AuditType = "exec"  // what was done, as a command
	AuditSlack AuditType = "slack" // everything, as messages in a channel
)

// Auditor is somebody who is told what is done, as the document says.
type Auditor struct {
	Type         AuditType
	Debug        bool // level: debug; each container, not only the whole
	IgnoreErrors bool // that it cannot be told does not stop what is done

	File string // of AuditLog

	Endpoint string            // of AuditHTTP
	Method   string            // of AuditHTTP: GET or POST
	Payload  any               // of AuditHTTP: JSON, with {what}, {action}, {who} and {message} in its texts
	Headers  map[string]string // of AuditHTTP
	Timeout  time.Duration     // of AuditHTTP

	Script string // of AuditExec
	Args   string // of AuditExec, with {what}, {action} and {who}; words are split at spaces

	Channel, Token, Name, Icon string // of AuditSlack
}

const auditTimeout = 3 * time.Second

var auditKeys = map[AuditType][]string{
	AuditLog:   {"file"},
	AuditHTTP:  {"endpoint", "payload", "headers", "method", "timeout"},
	AuditExec:  {"script", "args"},
	AuditSlack: {"channel", "token", "name", "icon"},
}

func (r *reader) auditors(v *value) []Auditor {
	var out []Auditor
	for _, w := range r.list(v) {
		if w.kind != dict {
			r.problem(w, "want an auditor, have "+w.kind.String(), "write {type: log, file: PATH}")
			continue
		}
		a := Auditor{Type: AuditType(r.needed(w, "type", "write type: log, http, exec or slack"))}
		keys, known := auditKeys[a.Type]
		switch {
		case a.Type == "":
			continue
		case a.Type == "hipchat":
			r.problem(w.get("type"), "HipChat is gone since 2019", "remove it, or use slack or http")
			continue
		case !known:
			r.problem(w.get("type"), fmt.Sprintf("no auditor of type %q", a.Type), document.Suggest(string(a.Type), []string{"exec", "http", "log", "slack"}))
			continue
		}
		r.known(w, slices.Concat([]string{"type", "level", "ignore_errors"}, keys), nil)
		r.auditor(&a, w)
		out = append(out, a)
	}
	return out
}

func (r *reader) auditor(a *Auditor, v *value) {
	switch level := r.text(v.get("level")); level {
	case "", "info":
	case "debug":
		a.Debug = true
	default:
		r.problem(v.get("level"), fmt.Sprintf("no level %q", level), "write info or debug")
	}
	if ignore := v.get("ignore_errors"); ignore != nil {
		a.IgnoreErrors = r.flag(ignore) && ignore.kind == boolean // MaestroNG asks for True itself
	}
	switch a.Type {
	case AuditLog:
		a.File = r.needed(v, "file", "write file: and a path")
	case AuditHTTP:
		r.webhook(a, v)
	case AuditExec:
		a.Script, a.Args = r.needed(v, "script", "write script: and a command"), r.text(v.get("args"))
	case AuditSlack:
		a.Channel, a.Token = r.needed(v, "channel", `write channel: "#NAME"`), r.needed(v, "token", "write token: and the bot's token")
		a.Name, a.Icon = r.text(v.get("name")), r.text(v.get("icon"))
	}
}

func (r *reader) webhook(a *Auditor, v *value) {
	a.Endpoint = r.needed(v, "endpoint", "write endpoint: and a URL")
	a.Timeout = r.seconds(v.get("timeout"), auditTimeout)
	a.Payload = v.get("payload").plain()
	a.Headers = map[string]string{}
	r.each(v.get("headers"), func(name string, _, w *value) { a.Headers[name] = r.text(w) })
	switch a.Method = strings.ToUpper(r.text(v.get("method"))); a.Method {
	case "":
		a.Method = "POST"
	case "GET", "POST":
	default:
		r.problem(v.get("method"), fmt.Sprintf("method %s is not GET or POST", a.Method), "")
	}
}
