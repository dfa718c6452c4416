package pipeline

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/invopop/jsonschema"

	"batuta"
	"batuta/deployer/trial"
	"batuta/internal/schema"
)

// TestSchema holds docs/schema/batuta.json against the types, and against the
// recipes of the examples and others that are right and wrong.
func TestSchema(t *testing.T) {
	t.Parallel()
	published := schema.Published(t, "..", schema.File{
		Name: "batuta", Title: "batuta.yml", Description: "What becomes of a push: docs/pipelines.md",
		Type: recipeFile{}, Required: []string{"app"}, Own: recipeForms(),
	})
	examples, err := filepath.Glob("../examples/*/batuta.yml")
	if err != nil || len(examples) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	right := []string{wholeRecipe, "app: portal\npromote: [qa]\non: {cron: '@daily'}\n", "app: portal\npromote: [qa]\non: {cron: {schedule: '@daily'}}\n"}
	for _, path := range examples {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		right = append(right, string(text))
	}
	for _, text := range right {
		if err := schema.Check(published, []byte(text)); err != nil {
			t.Errorf("%s\nis refused by the schema: %v", text, err)
		}
		if _, err := ParseRecipe(RecipeFile, []byte(text)); err != nil {
			t.Errorf("%s\nis refused: %v", text, err)
		}
	}
	for _, text := range []string{
		"promote: [qa]\n", "app: portal\npromote: qa\n", "app: portal\npromote: [qa]\nimages: {web: {contxt: .}}\n",
		"app: portal\npromote: [qa]\non: {push: [main]}\n", "app: portal\npromote: [{environment: qa}]\n", "app: portal\npromote: [qa]\nconcurrency: none\n",
		"app: portal\npromote: [qa]\ntest: [{name: a, image: b, run: {c: d}}]\n", "[]\n",
	} {
		if err := schema.Check(published, []byte(text)); err == nil {
			t.Errorf("%s\nis taken", text)
		}
	}
}

// recipeForms are the schemas of what reads itself.
func recipeForms() map[reflect.Type]*jsonschema.Schema {
	text, names := schema.Text(""), schema.List(schema.Text(""))
	cron := schema.OneOf(text, schema.Object(
		schema.Key{Name: "schedule", Of: text, Required: true}, schema.Key{Name: "zone", Of: text},
		schema.Key{Name: "ref", Of: schema.Scalar()}, schema.Key{Name: "missed", Of: schema.Word("once", "skip")},
	))
	return map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[trial.Command](): schema.OneOf(text, schema.List(schema.Scalar())),
		reflect.TypeFor[batuta.Topic]():  schema.Word(texts(batuta.Topics())...),
		reflect.TypeFor[Concurrency]():   schema.Word("supersede", "queue", "cancel"),
		reflect.TypeFor[imageCache]():    schema.Object(schema.Key{Name: "from", Of: names}, schema.Key{Name: "to", Of: schema.Word("inline", "max", "none")}),
		reflect.TypeFor[cronFile]():      schema.OneOf(cron, schema.List(cron)),
		reflect.TypeFor[stageFile](): schema.OneOf(schema.Scalar(), schema.Object(
			schema.Key{Name: "to", Of: schema.Scalar(), Required: true}, schema.Key{Name: "soak", Of: schema.Duration()},
			schema.Key{Name: "approvers", Of: names}, schema.Key{Name: "approvals", Of: schema.Whole(0, 20)},
			schema.Key{Name: "windows", Of: names}, schema.Key{Name: "freeze", Of: names},
		)),
	}
}
