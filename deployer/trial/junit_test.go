package trial_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

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
	f.Fuzz(func(t *testing.T, text string) {
		var got trial.Report
		_ = trial.ReadReport(strings.NewReader(text), &got) // whatever it says, it is read
		if len(got.Failed) > got.Cases || len(got.Failed) > 100 {
			t.Errorf("%d of %d cases failed", len(got.Failed), got.Cases)
		}
	})
}
