package audit

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"batuta/deployer/maestro"
)

// slackURL is where messages are posted.
const slackURL = "https://slack.com/api/chat.postMessage"

const (
	timeout  = 3 * time.Second
	maxReply = 1 << 16
)

// appendTo adds a line to a file: 2015-06-30 12:00:00,123 INFO: message.
func appendTo(file string, m moment) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644) //nolint:gosec // as other logs
	if err != nil {
		return err
	}
	level := "INFO"
	switch {
	case m.stage == failed:
		level = "ERROR"
	case m.single:
		level = "DEBUG"
	}
	at := strings.Replace(m.at.Format("2006-01-02 15:04:05.000"), ".", ",", 1)
	_, err = fmt.Fprintf(f, "%s %s: %s\n", at, level, m.message(m.what()))
	return cmp.Or(err, f.Close())
}

// request calls a web hook with the payload that the document describes.
func request(ctx context.Context, a maestro.Auditor, m moment) error {
	names := strings.NewReplacer("{what}", m.what(), "{action}", m.action, "{who}", m.who, "{message}", m.message(m.what()))
	body, err := json.Marshal(filled(a.Payload, names))
	if err != nil {
		return err
	}
	return call(ctx, cmp.Or(a.Method, http.MethodPost), a.Endpoint, body, a.Headers, cmp.Or(a.Timeout, timeout), nil)
}

// filled puts the names into the texts of a payload, at any depth.
func filled(payload any, names *strings.Replacer) any {
	switch p := payload.(type) {
	case string:
		return names.Replace(p)
	case []any:
		out := make([]any, len(p))
		for n, v := range p {
			out[n] = filled(v, names)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for key, v := range p {
			out[key] = filled(v, names)
		}
		return out
	}
	return payload
}

// execute runs a script with what was done on its stdin.
func execute(ctx context.Context, a maestro.Auditor, m moment) error {
	type place struct {
		Ship    string `json:"ship"`
		Service string `json:"service"`
	}
	places := map[string]place{}
	for _, t := range m.targets {
		places[t.Name] = place{t.Ship, t.Service}
	}
	text, err := json.Marshal(places)
	if err != nil {
		return err
	}
	var args []string
	for word := range strings.FieldsSeq(a.Args) { // first the words, so that a list of names stays one
		args = append(args, strings.NewReplacer("{action}", m.action, "{what}", m.what(), "{who}", m.who).Replace(word))
	}
	cmd := exec.CommandContext(ctx, a.Script, args...)
	cmd.Stdin = bytes.NewReader(text)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("run %s: %w: %s", a.Script, err, bytes.TrimSpace(out))
	}
	return nil
}

// post writes a message into a channel.
func post(ctx context.Context, a maestro.Auditor, m moment) error {
	return postTo(ctx, slackURL, a, m)
}

func postTo(ctx context.Context, url string, a maestro.Auditor, m moment) error {
	text := m.message(m.compact())
	attachment := map[string]any{
		"fallback": text, "text": text,
		"color": map[stage]string{begins: "#1dc7d3", succeeded: "good", failed: "danger"}[m.stage],
	}
	var fields []map[string]any
	if len(m.targets) >= 5 {
		fields = append(fields, map[string]any{"title": "Targets", "value": m.what()})
	}
	if m.why != nil {
		fields = append(fields, map[string]any{"title": "Error", "value": firstLine(m.why), "short": true})
	}
	if fields != nil {
		attachment["fields"] = fields
	}
	body, err := json.Marshal(map[string]any{
		"channel": a.Channel, "username": cmp.Or(a.Name, "batuta"), "icon_url": a.Icon, "attachments": []any{attachment},
	})
	if err != nil {
		return err
	}
	var answer struct {
		OK    bool   `json:"ok"`
		Error string `json:"error"`
	}
	if err := call(ctx, http.MethodPost, url, body, map[string]string{"Authorization": "Bearer " + a.Token}, timeout, &answer); err != nil {
		return err
	}
	if !answer.OK {
		return fmt.Errorf("slack says %s", cmp.Or(answer.Error, "nothing"))
	}
	return nil
}

// call makes a request, and reads its answer into what, unless that is nil.
func call(ctx context.Context, method, url string, body []byte, headers map[string]string, patience time.Duration, what any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s %s: %s", method, url, answer.Status)
	}
	if what == nil {
		return nil
	}
	return json.NewDecoder(io.LimitReader(answer.Body, maxReply)).Decode(what)
}
