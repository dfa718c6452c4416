package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestEveryKeyIsDocumented finds each key that a published schema has on the
// page that tells of it, as `key` or at the beginning of a line of an example.
func TestEveryKeyIsDocumented(t *testing.T) {
	t.Parallel()
	for schema, page := range map[string]string{"environment": "environments", "batuta": "pipelines", "server": "server"} {
		text, err := os.ReadFile("../../docs/schema/" + schema + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var parsed any
		if err := json.Unmarshal(text, &parsed); err != nil {
			t.Fatal(err)
		}
		documented, err := os.ReadFile("../../docs/" + page + ".md")
		if err != nil {
			t.Fatal(err)
		}
		keys := map[string]bool{}
		collectKeys(parsed, keys)
		if len(keys) < 5 {
			t.Fatalf("docs/schema/%s.json has %d keys", schema, len(keys))
		}
		for key := range keys {
			if !mentions(string(documented), key) {
				t.Errorf("docs/%s.md does not tell of %s", page, key)
			}
		}
	}
}

// mentions tells whether a page has a key in code: `key`, `a.key`, {key, …} or
// key: value.
func mentions(page, key string) bool {
	for _, form := range []string{"`" + key + "`", "." + key + "`", "." + key + ".", "{" + key, " " + key + ":", ", " + key, "`" + key + ".", "`" + key + ":"} {
		if strings.Contains(page, form) {
			return true
		}
	}
	return false
}

// collectKeys gathers the names of all properties of a schema.
func collectKeys(node any, keys map[string]bool) {
	switch n := node.(type) {
	case map[string]any:
		if properties, ok := n["properties"].(map[string]any); ok {
			for key := range properties {
				keys[key] = true
			}
		}
		for _, value := range n {
			collectKeys(value, keys)
		}
	case []any:
		for _, value := range n {
			collectKeys(value, keys)
		}
	}
}
