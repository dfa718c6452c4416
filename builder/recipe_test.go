package builder_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/crypto/ssh"

	"batuta"
	"batuta/builder"
	"batuta/internal/lab"
)

// onBuildkitd is a bench with what an Engine's BuildKit cannot do.
func onBuildkitd(t *testing.T) bench {
	t.Helper()
	lab.Bases(t, lab.Busybox)
	return bench{endpoint: lab.BuildKit(t), registry: newRegistry(t, nil)}
}

// onDocker is a bench of the machine's own Docker Engine.
func onDocker(t *testing.T) bench {
	t.Helper()
	return bench{endpoint: "docker+" + lab.Docker(t, lab.Busybox), registry: newRegistry(t, nil)}
}

// made builds what must succeed.
func made(t *testing.T, b *builder.Builder, r builder.Request) (builder.Result, *output) {
	t.Helper()
	var log output
	result, err := b.Build(t.Context(), r, &log)
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	return result, &log
}

func TestSeveralPlatformsAreAnIndex(t *testing.T) {
	t.Parallel()
	b := onBuildkitd(t)
	r := b.request(t, builder.Recipe{Platforms: []string{"linux/amd64", "linux/arm64"}}, map[string]string{
		"Dockerfile": "FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /\n", "amd64": "a", "arm64": "b",
	})
	result, _ := made(t, b.builder(t), r)
	reference, err := name.NewDigest(result.Image.String())
	must(t, err)
	index, err := remote.Index(reference)
	must(t, err)
	manifest, err := index.IndexManifest()
	must(t, err)
	var got []string
	for _, m := range manifest.Manifests {
		got = append(got, m.Platform.String())
	}
	if diff := cmp.Diff(r.Recipe.Platforms, got); diff != "" {
		t.Error(diff)
	}
	for _, platform := range r.Recipe.Platforms {
		if !strings.Contains(string(result.Provenance), `"`+platform+`"`) {
			t.Errorf("the provenance lacks %s: %.200s", platform, result.Provenance)
		}
	}
}

func TestSSHKeySignsAndStaysHere(t *testing.T) {
	user := sshUser(t)
	public, pemKey := sshKey(t)
	onEach(t, func(t *testing.T, b bench) {
		r := b.request(t, builder.Recipe{SSH: []string{"forge"}, NoCache: true}, map[string]string{
			"Dockerfile": "FROM busybox\nCOPY --chmod=755 sshuser /\nRUN --mount=type=ssh,id=forge /sshuser\nRUN --mount=type=ssh,id=other test ! -e \"$SSH_AUTH_SOCK\"\n",
			"sshuser":    user,
		})
		r.SSH = map[string][]byte{"forge": pemKey, "other": pemKey}
		image, log := build(t, b.builder(t), r)
		if want := "signed by " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public))); !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
		secret := strings.Split(string(pemKey), "\n")[1]
		for file, text := range content(t, image) {
			if strings.Contains(text, secret) {
				t.Errorf("%s has the key", file)
			}
		}
		if strings.Contains(log.String(), secret) {
			t.Error("the log has the key")
		}
	})
}

func TestSSHKeyIsRefused(t *testing.T) {
	t.Parallel()
	b := onBuildkitd(t)
	for name, keys := range map[string]map[string][]byte{
		`SSH key "forge" has no value`:   nil,
		`SSH key "forge" cannot be read`: {"forge": []byte("hunter2")},
	} {
		r := b.request(t, builder.Recipe{SSH: []string{"forge"}}, map[string]string{"Dockerfile": "FROM busybox\n"})
		r.SSH = keys
		if got := buildFails(t, b.builder(t), r, batuta.Invalid); !strings.Contains(got, name) || strings.Contains(got, "hunter2") {
			t.Errorf("got %q, want %q", got, name)
		}
	}
}

// sshUser compiles the program that stands for ssh.
func sshUser(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sshuser")
	compile := exec.CommandContext(t.Context(), "go", "build", "-o", file, "./testdata/sshuser")
	compile.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	program, err := os.ReadFile(file)
	must(t, err)
	return string(program)
}

// sshKey makes a key pair.
func sshKey(t *testing.T) (ssh.PublicKey, []byte) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	must(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	must(t, err)
	key, err := ssh.NewPublicKey(public)
	must(t, err)
	return key, bytes.TrimSpace(pem.EncodeToMemory(block))
}

func TestNamedContexts(t *testing.T) {
	t.Parallel()
	b := onBuildkitd(t)
	built := b.builder(t)
	assets, _ := made(t, built, b.request(t, builder.Recipe{}, map[string]string{"Dockerfile": "FROM scratch\nCOPY style.css /\n", "style.css": "red"}))
	r := b.request(t, builder.Recipe{Contexts: map[string]string{
		"shared": "libs/shared", "assets": "image:assets", "tools": "docker-image://busybox:latest",
	}}, map[string]string{
		"Dockerfile":      "FROM tools\nCOPY --from=shared lib /\nCOPY --from=assets style.css /\nRUN cat /lib\n",
		"libs/shared/lib": "shared",
	})
	r.Images = map[batuta.ImageName]batuta.Image{"assets": assets.Image}
	result, log := made(t, built, r)
	image, err := crane.Pull(result.Image.String(), crane.Insecure)
	must(t, err)
	files := content(t, image)
	if files["lib"] != "shared" || files["style.css"] != "red" {
		t.Errorf("lib = %q, style.css = %q", files["lib"], files["style.css"])
	}
	want := builder.Base{Reference: assets.Image.Repository, Digest: assets.Image.Digest}
	if len(result.Bases) != 2 || result.Bases[0] != want || result.Bases[1].Reference != "docker.io/library/busybox:latest" || result.Bases[1].Digest == "" {
		t.Errorf("the bases are %+v\n%s", result.Bases, log)
	}
	for message, change := range map[string]func(*builder.Request){
		`this app has no image "assets"`:                     func(r *builder.Request) { r.Images = nil },
		`contexts.shared: there is no directory "libs/none"`: func(r *builder.Request) { r.Recipe.Contexts = map[string]string{"shared": "libs/none"} },
		"contexts.shared: cannot use ../..":                  func(r *builder.Request) { r.Recipe.Contexts = map[string]string{"shared": "../.."} },
	} {
		r := r
		change(&r)
		if got := buildFails(t, built, r, batuta.Invalid); !strings.Contains(got, message) {
			t.Errorf("got %q, want %q", got, message)
		}
	}
}

func TestEngineSaysWhatItCannot(t *testing.T) {
	t.Parallel()
	b := onDocker(t)
	for message, recipe := range map[string]builder.Recipe{
		"image web is for 2 platforms, and Docker's own BuildKit makes it for one": {Platforms: []string{"linux/amd64", "linux/arm64"}},
		"image web has contexts, which the BuildKit of Docker 20.10":               {Contexts: map[string]string{"x": "."}},
	} {
		r := b.request(t, recipe, map[string]string{"Dockerfile": "FROM scratch\nCOPY . /\n"})
		if got := buildFails(t, b.builder(t), r, batuta.Invalid); !strings.Contains(got, message) {
			t.Errorf("got %q, want %q", got, message)
		}
	}
	r := b.request(t, builder.Recipe{Cache: builder.Cache{To: builder.CacheMax}}, map[string]string{"Dockerfile": "FROM busybox\nRUN date >/date\n"})
	_, log := made(t, b.builder(t), r)
	if !strings.Contains(log.String(), "the cache is kept inline") {
		t.Errorf("it says\n%s", log)
	}
	if _, err := crane.Digest(r.Repository+":cache", crane.Insecure); err != nil {
		t.Error(err)
	}
}

func TestRecipeOfNoPlatformOrCacheIsRefused(t *testing.T) {
	b, err := builder.New(builder.Config{})
	must(t, err)
	defer b.Close()
	for message, recipe := range map[string]builder.Recipe{
		`"arm" is no platform`:             {Platforms: []string{"linux/amd64", "arm"}},
		`"most" is no way to keep a cache`: {Cache: builder.Cache{To: "most"}},
	} {
		r := bench{registry: "127.0.0.1:1"}.request(t, recipe, map[string]string{"Dockerfile": "FROM scratch\n"})
		if got := buildFails(t, b, r, batuta.Invalid); !strings.Contains(got, message) {
			t.Errorf("got %q, want %q", got, message)
		}
	}
}
