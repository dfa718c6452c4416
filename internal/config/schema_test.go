package config

import (
	"reflect"
	"testing"

	"github.com/invopop/jsonschema"

	"batuta"
	"batuta/internal/schema"
)

// TestSchema holds docs/schema/server.json against the types, and against
// files that are right and wrong.
func TestSchema(t *testing.T) {
	t.Parallel()
	published := schema.Published(t, "../..", schema.File{
		Name: "server", Title: "server.yml", Description: "What a Batuta server has and grants: docs/server.md", Type: Config{},
		Own: map[reflect.Type]*jsonschema.Schema{
			reflect.TypeFor[Secret](): schema.OneOf(schema.Scalar(),
				schema.Object(schema.Key{Name: "env", Of: schema.Text(""), Required: true}),
				schema.Object(schema.Key{Name: "file", Of: schema.Text(""), Required: true})),
			reflect.TypeFor[Reach]():        schema.OneOf(schema.List(schema.Text("")), schema.Map(schema.Scalar())),
			reflect.TypeFor[Right]():        schema.Word(rights...),
			reflect.TypeFor[batuta.Topic](): schema.Word(words(batuta.Topics())...),
			reflect.TypeFor[ForgeName]():    schema.Word(forges...),
			reflect.TypeFor[Network]():      schema.Text(`^[0-9a-fA-F:.]+(/[0-9]+)?$`),
			reflect.TypeFor[Rate]():         schema.OneOf(schema.Text(rateForm.String()), &jsonschema.Schema{Const: 0}),
			reflect.TypeFor[Size]():         schema.OneOf(schema.Text(sizeForm.String()), &jsonschema.Schema{Type: "integer"}),
		},
	})
	for _, text := range []string{
		"ships: {here: {endpoint: unix:///var/run/docker.sock}}\napps: {portal: {}}\n",
		"listen: 0.0.0.0:8480\nurl: https://batuta.example.edu\nruns: {at_once: 4}\nships: {node1: {endpoint: tcp://10.0.0.1:2376, labels: {role: web, rack: 7}}}\n" +
			"apps: {portal: {webhook_secrets: [{env: HOOK}], environments: {qa: {ships: [node1]}, production: {ships: {role: web}}}, allow: {paths: [/srv]}}}\n" +
			"people: {ana: {token: {file: ana.token}, may: deploy, apps: [portal]}}\nsource: {max_size: 1GiB}\nnotify: [{url: https://chat.example.edu/in, secret: {env: CHAT}, on: [drift, lost]}]\n",
	} {
		if err := schema.Check(published, []byte(text)); err != nil {
			t.Errorf("%s\nis refused: %v", text, err)
		}
	}
	for _, text := range []string{
		"lissten: x\n", "ships: [a]\n", "people: {ana: {may: everything}}\n", "apps: {portal: {webhook_secrets: [{nev: X}]}}\n",
		"notify: [{url: https://chat.example.edu/in, on: [everything]}]\n", "runs: {at_once: many}\n", "source: {max_size: big}\n",
	} {
		if err := schema.Check(published, []byte(text)); err == nil {
			t.Errorf("%s\nis taken", text)
		}
	}
}
