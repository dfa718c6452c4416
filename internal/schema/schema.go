// Package schema makes the JSON schemas of the files that people write from
// the very Go types that read them, so that an editor completes and checks
// what Batuta will take. It is for tests alone: the published schemas are in
// docs/schema, and a test of each room that reads files holds them against its
// types.
package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"batuta/internal/document"
)

var update = flag.Bool("update-schema", false, "write docs/schema anew")

// File is one kind of file.
type File struct {
	Name        string   // of the schema in docs/schema, without .json
	Title       string   // what it is
	Description string   // where it is documented
	Type        any      // a value of the type that it is read into
	Required    []string // keys at the top that must be there

	// Own are the schemas of the types that read themselves. One that is
	// missing is an error.
	Own map[reflect.Type]*jsonschema.Schema
}

// Published gives the schema that docs/schema has, after it has made sure that
// the types would give the same; with -update-schema it is written anew. Root
// is where the repository is, seen from the test.
func Published(t *testing.T, root string, f File) *validator.Schema {
	t.Helper()
	text, err := f.generate()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, "docs", "schema", f.Name+".json")
	if *update {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(have), string(text)); d != "" {
		t.Errorf("%s is not what the types say (-published +types; write it anew with -update-schema):\n%s", path, d)
	}
	return compile(t, path, have)
}

func compile(t *testing.T, path string, text []byte) *validator.Schema {
	t.Helper()
	parsed, err := validator.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := validator.NewCompiler()
	if err := c.AddResource(path, parsed); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile(path)
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// Check tells what is wrong with a YAML text by the schema; nil if nothing is.
func Check(s *validator.Schema, text []byte) error {
	var value any
	if err := yaml.Unmarshal(text, &value); err != nil {
		return err
	}
	plain, err := json.Marshal(value)
	if err != nil {
		return err
	}
	parsed, err := validator.UnmarshalJSON(bytes.NewReader(plain))
	if err != nil {
		return err
	}
	return s.Validate(parsed)
}

// generate gives the text of the schema.
func (f File) generate() ([]byte, error) {
	var missing []error
	r := jsonschema.Reflector{
		Anonymous: true, FieldNameTag: "yaml", RequiredFromJSONSchemaTags: true, ExpandedStruct: true,
		Mapper: func(t reflect.Type) *jsonschema.Schema {
			s, err := f.of(t)
			missing = append(missing, err)
			return s
		},
	}
	s := r.ReflectFromType(reflect.TypeOf(f.Type))
	if err := errors.Join(missing...); err != nil {
		return nil, err
	}
	s.Title, s.Description, s.Required = f.Title, f.Description, f.Required
	text, err := json.MarshalIndent(s, "", "  ")
	return append(text, '\n'), err
}

var (
	readsItself = reflect.TypeFor[document.Unmarshaler]()
	duration    = reflect.TypeFor[time.Duration]()
)

// of is the schema of a type that the reflector would not read as package
// document does; nil leaves it to the reflector.
func (f File) of(t reflect.Type) (*jsonschema.Schema, error) {
	if own, ok := f.Own[t]; ok {
		return own, nil
	}
	switch {
	case reflect.PointerTo(t).Implements(readsItself):
		return nil, fmt.Errorf("%s reads itself: say in File.Own what it takes", t)
	case t == duration:
		return Duration(), nil
	case t.Kind() == reflect.String:
		return Scalar(), nil
	case t.Kind() == reflect.Interface:
		return nil, fmt.Errorf("%s may be anything", t)
	}
	return nil, nil
}

// Scalar is a text: any scalar, which is taken as written.
func Scalar() *jsonschema.Schema {
	return OneOf(&jsonschema.Schema{Type: "string"}, &jsonschema.Schema{Type: "number"}, &jsonschema.Schema{Type: "boolean"})
}

// Text is a text of a form, a regular expression.
func Text(pattern string) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: pattern}
}

// Word is one of these words.
func Word(words ...string) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, w := range words {
		s.Enum = append(s.Enum, w)
	}
	return s
}

// Duration is a number and a unit, several times: 1m30s.
func Duration() *jsonschema.Schema {
	return OneOf(Text(`^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`), &jsonschema.Schema{Const: 0})
}

// Whole is a whole number from least to most.
func Whole(least, most int) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "integer", Minimum: json.Number(fmt.Sprint(least)), Maximum: json.Number(fmt.Sprint(most))}
}

// List is a list of what the schema takes.
func List(of *jsonschema.Schema) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "array", Items: of}
}

// Map is a mapping from any key to what the schema takes.
func Map(of *jsonschema.Schema) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "object", AdditionalProperties: of}
}

// Key is one key of Object.
type Key struct {
	Name     string
	Of       *jsonschema.Schema
	Required bool
}

// Object is a mapping of these keys and no others.
func Object(keys ...Key) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "object", Properties: jsonschema.NewProperties(), AdditionalProperties: jsonschema.FalseSchema}
	for _, k := range keys {
		s.Properties.Set(k.Name, k.Of)
		if k.Required {
			s.Required = append(s.Required, k.Name)
		}
	}
	return s
}

// OneOf takes what any of the schemas takes.
func OneOf(schemas ...*jsonschema.Schema) *jsonschema.Schema {
	return &jsonschema.Schema{AnyOf: slices.Clone(schemas)}
}
