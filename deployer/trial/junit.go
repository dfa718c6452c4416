package trial

import (
	"archive/tar"
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"batuta"
)

// The bounds of what is read of reports.
const (
	mostReport  = 20 << 20 // bytes of all reports of a test
	mostFailed  = 100      // cases that are named
	mostMessage = 2000     // characters of a case's message
	mostName    = 500      // characters of a case's name
)

// readReports reads the JUnit reports in the test's container: files, or
// directories of them. One that is not there, or cannot be read, is told in
// the log; what it says does not change whether the test has passed.
func (a *attempt) readReports(ctx context.Context, report *Report) error {
	room := int64(mostReport)
	for _, name := range a.request.Test.JUnit {
		content, err := a.engine.Archive(ctx, a.test, name)
		if err == nil {
			limited := &io.LimitedReader{R: content, N: room}
			err = readArchive(limited, report)
			room = limited.N
			_ = content.Close() // it was read
		}
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("junit %s: %w", name, err)
		case errors.Is(err, batuta.Unavailable):
			return fmt.Errorf("junit %s: %w", name, err)
		case err != nil:
			fmt.Fprintf(a.log, "junit %s: %v\n", name, err)
		}
	}
	for _, c := range report.Failed {
		fmt.Fprintln(a.log, "failed:", c)
	}
	return nil
}

// readArchive reads the reports in a tar.
func readArchive(content io.Reader, report *Report) error {
	for files := tar.NewReader(content); ; {
		header, err := files.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read the archive: %w", err)
		}
		if header.Typeflag != tar.TypeReg || strings.Contains(strings.Trim(header.Name, "/"), "/") && path.Ext(header.Name) != ".xml" {
			continue
		}
		if err := readReport(files, report); err != nil {
			return fmt.Errorf("%s: %w", path.Base(header.Name), err)
		}
	}
}

// readReport adds the cases of a JUnit report. The formats of Surefire,
// pytest, jest-junit and PHPUnit differ in the attributes they have and in how
// deep suites nest; each is read with what it has. Entities of the document's
// own are an error, so that none can grow.
func readReport(content io.Reader, report *Report) error {
	r := reader{report: report, xml: xml.NewDecoder(content)}
	for {
		token, err := r.xml.Token()
		switch {
		case errors.Is(err, io.EOF) && r.seen:
			return nil
		case errors.Is(err, io.EOF):
			return errors.New("it is no report: it has no testsuite")
		case err != nil:
			return err
		}
		r.take(token)
	}
}

// reader is where the reading of a report stands.
type reader struct {
	report *Report
	xml    *xml.Decoder
	seen   bool
	suites []string
	now    *Case // the case that is being read
	failed bool
	inside bool // in its failure
	text   strings.Builder
}

func (r *reader) take(token xml.Token) {
	switch t := token.(type) {
	case xml.StartElement:
		r.begin(t)
	case xml.EndElement:
		r.end(t.Name.Local)
	case xml.CharData:
		if r.inside && r.text.Len() < 4*mostMessage {
			r.text.Write(t)
		}
	}
}

func (r *reader) begin(t xml.StartElement) {
	switch t.Name.Local {
	case "testsuites":
		r.seen = true
	case "testsuite":
		r.seen = true
		r.suites = append(r.suites, attribute(t, "name"))
	case "testcase":
		r.now, r.failed = &Case{Suite: cmp.Or(attribute(t, "classname"), attribute(t, "class"), r.suite()), Name: attribute(t, "name")}, false
		r.report.Cases++
	case "failure", "error":
		if r.now == nil || r.failed {
			return
		}
		r.failed, r.inside = true, true
		r.text.Reset()
		r.now.Message = attribute(t, "message")
	}
}

func (r *reader) end(name string) {
	switch name {
	case "testsuite":
		r.suites = r.suites[:max(len(r.suites)-1, 0)]
	case "failure", "error":
		if r.inside {
			r.now.Message = cut(cmp.Or(r.now.Message, strings.TrimSpace(r.text.String())), mostMessage)
		}
		r.inside = false
	case "testcase":
		if r.now != nil && r.failed && len(r.report.Failed) < mostFailed {
			r.now.Suite, r.now.Name = cut(r.now.Suite, mostName), cut(r.now.Name, mostName)
			r.report.Failed = append(r.report.Failed, *r.now)
		}
		r.now, r.inside = nil, false
	}
}

// suite is the innermost that has a name.
func (r *reader) suite() string {
	for _, name := range slices.Backward(r.suites) {
		if name != "" {
			return name
		}
	}
	return ""
}

func attribute(t xml.StartElement, name string) string {
	for _, a := range t.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// cut is the first n characters.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	all := []rune(text)
	return string(all[:min(len(all), n)])
}
