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
	mostReport  = 20 << 20  // bytes of all reports of a test
	mostArchive = 500 << 20 // bytes of what lies with them
	mostDeep    = 100       // elements within each other
	mostFailed  = 100       // cases that are named
	mostMessage = 2000      // characters of a case's message
	mostName    = 500       // characters of a case's name
	mostFaults  = 20        // reports of which the log says why they cannot be read
)

// What is too large to be read.
var (
	errReports = fmt.Errorf("there are more than %d MB of reports; what comes after is not read", mostReport>>20)
	errArchive = fmt.Errorf("the directory has more than %d MB, the reports behind them are not read: name the directory of the reports", mostArchive>>20)
)

// readReports reads the JUnit reports in the test's container: files, or
// directories of them. One that is not there, or cannot be read, is told in
// the log, and the others are read all the same; what they say does not change
// whether the test has passed.
func (a *attempt) readReports(ctx context.Context, report *Report) error {
	s := sheaf{room: mostReport, report: report}
	for _, name := range a.request.Test.JUnit {
		content, err := a.engine.Archive(ctx, a.test, name)
		if err == nil {
			limited := &io.LimitedReader{R: content, N: mostArchive}
			if err = s.read(limited); err != nil && limited.N == 0 {
				err = errArchive
			}
			_ = content.Close() // it was read
		}
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("junit %s: %w", name, err)
		case errors.Is(err, batuta.Unavailable):
			return fmt.Errorf("junit %s: %w", name, err)
		case err != nil:
			s.fault(name, err)
		}
	}
	for _, fault := range s.faults[:min(len(s.faults), mostFaults)] {
		fmt.Fprintf(a.log, "junit %s\n", fault)
	}
	if more := len(s.faults) - mostFaults; more > 0 {
		fmt.Fprintf(a.log, "junit: and %d more\n", more)
	}
	for _, c := range report.Failed {
		fmt.Fprintln(a.log, "failed:", c)
	}
	return nil
}

// sheaf is the reports of a test.
type sheaf struct {
	room   int64 // bytes that may still be read
	report *Report
	faults []string // why some cannot be read
}

func (s *sheaf) fault(name string, err error) {
	s.faults = append(s.faults, fmt.Sprintf("%s: %v", name, err))
}

// read reads the reports in a tar. What is wrong with one of them hides none of
// the others; the error is of the tar, or there was too much.
func (s *sheaf) read(content io.Reader) error {
	for files := tar.NewReader(content); ; {
		header, err := files.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read the archive: %w", err)
		}
		within := strings.Contains(strings.Trim(header.Name, "/"), "/")
		if header.Typeflag != tar.TypeReg || within && !strings.EqualFold(path.Ext(header.Name), ".xml") {
			continue
		}
		if header.Size > s.room {
			return errReports
		}
		s.room -= header.Size
		if err := readReport(files, s.report); err != nil {
			s.fault(strings.Trim(header.Name, "/"), err)
		}
	}
}

// readReport adds the cases of a JUnit report, up to where it cannot be read.
// The formats of Surefire, pytest, jest-junit and PHPUnit differ in the
// attributes they have and in how deep suites nest; each is read with what it
// has. Entities of the document's own are an error, so that none can grow.
func readReport(content io.Reader, report *Report) error {
	r := reader{report: report, xml: xml.NewDecoder(xmlText(content))}
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
		if len(r.within) > mostDeep {
			return fmt.Errorf("it has more than %d elements within each other", mostDeep)
		}
	}
}

// reader is where the reading of a report stands.
type reader struct {
	report *Report
	xml    *xml.Decoder
	seen   bool
	within []string // the elements that have begun, from the outermost
	suites []string
	now    *Case // the case that is being read, or the suite that failed as a whole
	failed bool
	inside bool // in its failure
	text   strings.Builder
}

func (r *reader) take(token xml.Token) {
	switch t := token.(type) {
	case xml.StartElement:
		r.begin(t)
		r.within = append(r.within, t.Name.Local)
	case xml.EndElement:
		r.within = r.within[:max(len(r.within)-1, 0)]
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
		if r.now == nil && r.inSuite() {
			r.now, r.failed = &Case{Suite: r.suite(), Name: wholeSuite}, false
			r.report.Cases++
		}
		if r.now == nil || r.failed {
			return
		}
		r.failed, r.inside = true, true
		r.text.Reset()
		r.now.Message = attribute(t, "message")
	}
}

// wholeSuite is the name of what failed outside of any case, such as what
// prepares them.
const wholeSuite = "(the suite as a whole)"

// inSuite tells whether what begins is directly in a suite.
func (r *reader) inSuite() bool {
	parent := ""
	if n := len(r.within); n > 0 {
		parent = r.within[n-1]
	}
	return parent == "testsuite" || parent == "testsuites"
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
		if r.inSuite() {
			r.close()
		}
	case "testcase":
		r.close()
	}
}

// close adds the case that was read.
func (r *reader) close() {
	if r.now != nil && r.failed && len(r.report.Failed) < mostFailed {
		r.now.Suite, r.now.Name = cut(r.now.Suite, mostName), cut(r.now.Name, mostName)
		r.report.Failed = append(r.report.Failed, *r.now)
	}
	r.now, r.inside = nil, false
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
