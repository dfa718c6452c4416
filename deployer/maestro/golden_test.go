package maestro_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"batuta"
	"batuta/deployer"
	"batuta/deployer/maestro"
)

var update = flag.Bool("update", false, "write the golden files anew")

// written is an instance with the values of its variables, which the Spec's own
// JSON leaves out.
type written struct {
	deployer.Instance
	Env    []string `json:"env,omitempty"`
	Config string   `json:"config,omitempty"`
}

// outcome is all that a document becomes.
type outcome struct {
	Name       string                                  `json:"name"`
	Scope      deployer.Scope                          `json:"scope"`
	Schema     int                                     `json:"schema"`
	Ships      []deployer.DocumentShip                 `json:"ships"`
	References []string                                `json:"references"`
	Registries []maestro.Registry                      `json:"registries,omitempty"`
	Audit      []maestro.Auditor                       `json:"audit,omitempty"`
	Waves      [][]batuta.ServiceName                  `json:"waves"`
	Services   map[batuta.ServiceName]deployer.Service `json:"services"`
	Instances  []written                               `json:"instances"`
	Warnings   []string                                `json:"warnings,omitempty"`
}

// TestGolden reads and resolves each document of testdata, and compares all
// that it becomes, or all that is wrong with it.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if filepath.Base(file) == "more.yaml" { // which kafka.yaml includes
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			golden, got := strings.TrimSuffix(file, ".yaml")+".json", become(t, file)
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func become(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d, err := maestro.Read(filepath.Base(file), data, maestro.Options{Dir: "testdata", Env: map[string]string{"HOME": "/home/ops", "VERSION": "1.2"}})
	if err != nil {
		return indented(t, map[string][]string{"problems": strings.Split(err.Error(), "\n")})
	}
	spec, err := d.Resolve(deployer.Input{Scope: d.Scope(), OwnShips: true, Unpinned: true})
	if err != nil {
		return indented(t, map[string][]string{"resolving": strings.Split(err.Error(), "\n")})
	}
	out := outcome{
		Name: d.Name(), Scope: d.Scope(), Schema: d.Schema(), Ships: d.Ships(), References: d.References(),
		Registries: d.Registries(), Audit: d.Audit(), Waves: spec.Waves, Services: spec.Services,
	}
	for _, i := range spec.Instances {
		w := written{Instance: i}
		for _, v := range i.Env {
			line := v.Name + "=" + v.Value
			if v.Unset {
				line = v.Name
			}
			w.Env = append(w.Env, line)
		}
		out.Instances = append(out.Instances, w)
	}
	for _, p := range spec.Warnings {
		out.Warnings = append(out.Warnings, p.String())
	}
	return indented(t, out)
}

func indented(t *testing.T, v any) []byte {
	t.Helper()
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return []byte(b.String())
}
