package client_test

import (
	"archive/tar"
	"errors"
	"io"
	"slices"
	"testing"

	"batuta"
	"batuta/internal/api"
	"batuta/internal/api/apitest"
)

func TestArtifactsAreListedAndBrought(t *testing.T) {
	t.Parallel()
	w := apitest.New(t, nil)
	c := connect(t, w.URL, "ana")
	all, err := c.Artifacts(t.Context(), 1)
	if want := []api.Artifact{{Test: "lint", Path: "report.txt", Size: 5}, {Test: "unit", Path: "coverage/index.html", Size: 4}}; err != nil || !slices.Equal(all, want) {
		t.Errorf("the artifacts are %v, %v", all, err)
	}
	if none, err := c.Artifacts(t.Context(), 2); err != nil || len(none) != 0 {
		t.Errorf("a run without artifacts: %v, %v", none, err)
	}
	bundle, err := c.Bundle(t.Context(), 1, "unit")
	if err != nil {
		t.Fatal(err)
	}
	defer bundle.Close()
	files := tar.NewReader(bundle)
	header, err := files.Next()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(files)
	if header.Name != "unit/coverage/index.html" || string(text) != "98 %" || err != nil {
		t.Errorf("%s holds %q, %v", header.Name, text, err)
	}
	if _, err := files.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("there is more than one file: %v", err)
	}
	for _, test := range []string{"nowhere", "../1"} {
		if _, err := c.Bundle(t.Context(), 1, test); !errors.Is(err, batuta.NotFound) && !errors.Is(err, batuta.Invalid) {
			t.Errorf("artifacts of %s: %v", test, err)
		}
	}
}
