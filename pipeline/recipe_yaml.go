package pipeline

import (
	"bytes"

	"gopkg.in/yaml.v3"

	"batuta"
	"batuta/builder"
)

// YAML is the recipe as a batuta.yml that says everything, what was left to
// the defaults included. ParseRecipe reads the same recipe from it.
func (r Recipe) YAML() ([]byte, error) {
	var text bytes.Buffer
	out := yaml.NewEncoder(&text)
	out.SetIndent(2)
	if err := out.Encode(r.written()); err != nil {
		return nil, err
	}
	// YAML 1.1 took the word on for a truth, so the encoder quotes it; people
	// do not.
	return bytes.Replace(text.Bytes(), []byte("\n\"on\":"), []byte("\non:"), 1), out.Close()
}

// written is the recipe in the form that people write.
func (r Recipe) written() recipeFile {
	w := recipeFile{
		App: string(r.App), Images: map[string]imageRecipe{}, Test: r.Tests,
		On:     triggersFile{Push: r.On.Push, PullRequest: r.On.PullRequest, Cron: r.On.Cron, Registry: r.On.Registry, Poll: r.On.Poll},
		Notify: r.Notify, Concurrency: r.Concurrency, Timeout: r.Timeout, Retries: r.Retries,
	}
	for name, image := range r.Images {
		w.Images[string(name)] = writtenImage(image)
	}
	for _, env := range r.Promote {
		w.Order = append(w.Order, writtenStage(env, r.Stages[env]))
	}
	return w
}

func writtenImage(r builder.Recipe) imageRecipe {
	r = imageDefaults(r) // a run of an earlier version may have left them out
	return imageRecipe{
		Context: r.Context, Dockerfile: r.Dockerfile, Target: r.Target, Platforms: r.Platforms, Args: r.Args,
		Secrets: r.Secrets, SSH: r.SSH, Contexts: r.Contexts, Cache: imageCache{From: r.Cache.From, To: r.Cache.To},
		NoCache: r.NoCache, Static: r.Static,
	}
}

func writtenStage(env batuta.EnvironmentName, s batuta.Stage) stageFile {
	return stageFile{To: string(env), Stage: s}
}
