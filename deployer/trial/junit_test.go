package trial_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"batuta/deployer/trial"
)

func TestReportsNameWhatFailed(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]trial.Report{
		"surefire": {Cases: 3, Failed: []trial.Case{
			{Suite: "org.example.CartTest", Name: "takesVouchers", Message: "expected: <90> but was: <100>"},
			{Suite: "org.example.CartTest", Name: "connects", Message: "java.io.IOException: no database"},
		}},
		"pytest": {Cases: 3, Failed: []trial.Case{{Suite: "tests.test_cart", Name: "test_vouchers[10%]", Message: "assert 100 == 90"}}},
		"jest": {Cases: 2, Failed: []trial.Case{
			{Suite: "cart takes vouchers", Name: "cart takes vouchers", Message: "Error: expect(received).toBe(expected)\n\nExpected: 90\nReceived: 100"},
		}},
		"phpunit": {Cases: 2, Failed: []trial.Case{
			{Suite: "App.Tests.CartTest", Name: "testVouchers", Message: "App\\Tests\\CartTest::testVouchers\nFailed asserting that 100 matches expected 90."},
		}},
	} {
		text, err := os.ReadFile(filepath.Join("testdata", format+".xml"))
		if err != nil {
			t.Fatal(err)
		}
		var got trial.Report
		if err := trial.ReadReport(strings.NewReader(string(text)), &got); err != nil {
			t.Errorf("%s: %v", format, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", format, diff)
		}
	}
}

func TestReportsAreBounded(t *testing.T) {
	t.Parallel()
	long := `<testcase name="` + strings.Repeat("n", 5000) + `"><failure>` + strings.Repeat("é", 50_000) + `</failure></testcase>`
	var got trial.Report
	if err := trial.ReadReport(strings.NewReader("<testsuite name='s'>"+strings.Repeat(long, 150)+"</testsuite>"), &got); err != nil {
		t.Fatal(err)
	}
	if got.Cases != 150 || len(got.Failed) != 100 {
		t.Errorf("%d cases, %d of them named", got.Cases, len(got.Failed))
	}
	for _, c := range got.Failed {
		if len([]rune(c.Name)) != 500 || len([]rune(c.Message)) > 2000 {
			t.Fatalf("a case has a name of %d characters and a message of %d", len([]rune(c.Name)), len([]rune(c.Message)))
		}
	}
}

// TestReportsOfRealToolsAreRead reads what XML does not allow and tools write
// all the same, and other encodings.
func TestReportsOfRealToolsAreRead(t *testing.T) {
	t.Parallel()
	one := func(message string) string {
		return `<testsuite name="cart"><testcase name="vouchers"><failure message="` + message + `"/></testcase></testsuite>`
	}
	wide := func(order binary.AppendByteOrder, text string) string {
		var all []byte
		for _, unit := range utf16.Encode([]rune(text)) {
			all = order.AppendUint16(all, unit)
		}
		return string(all)
	}
	const declared = `<?xml version="1.0" encoding="%s"?>`
	for name, c := range map[string]struct{ text, message string }{
		"colours":                  {one("\x1b[31mtoo much\x1b[0m"), "too much"},
		"colours by number":        {one("&#x1B;[1;31mtoo much&#27;[0m"), "too much"},
		"other controls":           {one("a\x00b\x08c&#0;d&#x8;e"), "a\ufffdb\ufffdc\ufffdd\ufffde"},
		"numbers that are allowed": {one("&#9;&#xe9;&#128512;"), "\té😀"},
		"numbers beyond":           {one("&#99999999999;&#xd800;"), "\ufffd\ufffd"},
		"invalid UTF-8":            {one("caf\xe9"), "caf\ufffd"},
		"in CDATA":                 {`<testsuite name="cart"><testcase name="vouchers"><failure><![CDATA[1 <x ' &#27; ` + "\x1b[0m\x07" + `]]></failure></testcase></testsuite>`, "1 <x ' &#27; \ufffd"},
		"a byte order mark":        {"\xef\xbb\xbf" + fmt.Sprintf(declared, "UTF-8") + one("é"), "é"},
		"ISO-8859-1":               {fmt.Sprintf(declared, "ISO-8859-1") + one("caf\xe9"), "café"},
		"ISO-8859-15":              {fmt.Sprintf(declared, "ISO-8859-15") + one("\xa4\xe9"), "€é"},
		"windows-1252":             {fmt.Sprintf(declared, "windows-1252") + one("\x80 \x93x\x94"), "€ “x”"},
		"unknown here":             {fmt.Sprintf(declared, "Shift_JIS") + one("a\x83\x40b"), "a\ufffd@b"},
		"UTF-16, little end":       {"\xff\xfe" + wide(binary.LittleEndian, fmt.Sprintf(declared, "UTF-16")+one("é😀")), "é😀"},
		"UTF-16, big end":          {"\xfe\xff" + wide(binary.BigEndian, fmt.Sprintf(declared, "UTF-16")+one("é😀")), "é😀"},
		"UTF-16 without a mark":    {wide(binary.LittleEndian, fmt.Sprintf(declared, "UTF-16LE")+one("é")), "é"},
		"UTF-16 that is UTF-8":     {fmt.Sprintf(declared, "utf-16") + one("é"), "é"},
		"XML 1.1":                  {`<?xml version="1.1" encoding="UTF-8"?>` + one("é"), "é"},
	} {
		var got trial.Report
		if err := trial.ReadReport(strings.NewReader(c.text), &got); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		want := trial.Report{Cases: 1, Failed: []trial.Case{{Suite: "cart", Name: "vouchers", Message: c.message}}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestASuiteFailsAsAWhole(t *testing.T) {
	t.Parallel()
	var got trial.Report
	err := trial.ReadReport(strings.NewReader(`<testsuites><error message="no config"/><testsuite name="cart">
<testcase name="adds up"/><error message="no database"/><failure>left <b>things</b></failure>
<properties><error message="is no result"/></properties></testsuite></testsuites>`), &got)
	want := trial.Report{Cases: 4, Failed: []trial.Case{
		{Name: "(the suite as a whole)", Message: "no config"},
		{Suite: "cart", Name: "(the suite as a whole)", Message: "no database"},
		{Suite: "cart", Name: "(the suite as a whole)", Message: "left things"},
	}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestHostileReportsAreRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"entities":     `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><testsuite name="&b;"/>`,
		"outside":      `<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><testsuite><testcase name="x"><failure>&a;</failure></testcase></testsuite>`,
		"cut short":    `<testsuite><testcase name="x">`,
		"no report":    `<html/>`,
		"empty":        ``,
		"no xml":       "\x00\x01",
		"crossed ends": `<testsuite><testcase></testsuite></testcase>`,
		"too deep":     "<testsuite>" + strings.Repeat("<a>", 5_000_000),
		"one long tag": "<testsuite " + strings.Repeat("a='>' ", 3_000_000) + "/>",
	} {
		var got trial.Report
		if err := trial.ReadReport(strings.NewReader(text), &got); err == nil {
			t.Errorf("%s: read as %+v", name, got)
		}
	}
}

func FuzzReport(f *testing.F) {
	for _, format := range []string{"surefire", "pytest", "jest", "phpunit"} {
		text, err := os.ReadFile(filepath.Join("testdata", format+".xml"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add(`<testcase/></testsuite><failure/>`)
	f.Add("\xff\xfe<\x00a\x00\x00\xd8")
	f.Add(`<?xml version="1.1" encoding="ISO-8859-15"?><testsuite><error>&#27;[0m<![CDATA[<]]>`)
	f.Fuzz(func(t *testing.T, text string) {
		var got trial.Report
		_ = trial.ReadReport(strings.NewReader(text), &got) // whatever it says, it is read
		if len(got.Failed) > got.Cases || len(got.Failed) > 100 {
			t.Errorf("%d of %d cases failed", len(got.Failed), got.Cases)
		}
	})
}
