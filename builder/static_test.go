package builder_test

import (
	"archive/tar"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"batuta/builder"
	"batuta/internal/lab"
)

var site = map[string]string{
	"public/index.html":      "<h1>ahoy</h1>",
	"public/css/site.css":    "h1 {}",
	"public/css/.git/config": "never",
	"batuta.yml":             "not served",
}

func TestStaticImage(t *testing.T) {
	onEach(t, func(t *testing.T, b bench) {
		r := b.request(t, builder.Recipe{Static: "public"}, site)
		must(t, os.Symlink("css/site.css", filepath.Join(r.Source, "public", "latest.css")))
		must(t, os.Chmod(filepath.Join(r.Source, "public", "index.html"), 0o600))
		image, _ := build(t, b.builder(t), r)

		var names []string
		eachEntry(t, image, func(h *tar.Header, _ io.Reader) {
			names = append(names, h.Name)
			if !h.ModTime.Equal(time.Unix(0, 0)) || h.Uid != 0 || h.Gid != 0 {
				t.Errorf("%s is of %s and belongs to %d:%d", h.Name, h.ModTime, h.Uid, h.Gid)
			}
			if want := permissions(h); h.Mode&0o777 != want {
				t.Errorf("%s has mode %o, want %o", h.Name, h.Mode, want)
			}
		})
		slices.Sort(names)
		want := []string{"batuta", "srv/", "srv/css/", "srv/css/site.css", "srv/index.html", "srv/latest.css"}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Error(diff)
		}
		if got := content(t, image)["srv/index.html"]; got != site["public/index.html"] {
			t.Errorf("index.html is %q", got)
		}
		file, err := image.ConfigFile()
		must(t, err)
		c := file.Config
		got := []any{c.Entrypoint, c.User, c.WorkingDir, c.ExposedPorts, c.Labels["org.opencontainers.image.revision"], file.OS}
		wantConfig := []any{
			[]string{"/batuta", "files", "--root", "/srv", "--listen", ":8080"}, "65534:65534", "/srv",
			map[string]struct{}{"8080/tcp": {}}, string(r.Revision), "linux",
		}
		if diff := cmp.Diff(wantConfig, got); diff != "" {
			t.Error(diff)
		}
	})
}

func permissions(h *tar.Header) int64 {
	switch {
	case h.Typeflag == tar.TypeSymlink:
		return 0o777
	case h.Typeflag == tar.TypeDir, h.Name == "batuta":
		return 0o755
	}
	return 0o644
}

func TestStaticImageOfOneRevisionIsOneDigest(t *testing.T) {
	onEach(t, func(t *testing.T, b bench) {
		r := b.request(t, builder.Recipe{Static: "public"}, site)
		first, _ := build(t, b.builder(t), r)
		r.Source = tree(t, site)
		old := time.Now().Add(-time.Hour)
		must(t, os.Chtimes(filepath.Join(r.Source, "public/index.html"), old, old))
		must(t, os.Chmod(filepath.Join(r.Source, "public/css"), 0o700))
		second, _ := build(t, b.builder(t), r)
		if one, two := digest(t, first), digest(t, second); one != two {
			t.Errorf("built %s and %s", one, two)
		}
	})
}

// Two engines have nothing in their caches in common.
func TestStaticImageIsOneDigestOnTwoEngines(t *testing.T) {
	t.Parallel()
	one := bench{endpoint: "docker+" + lab.Docker(t), registry: newRegistry(t, nil)}
	r := one.request(t, builder.Recipe{Static: "public"}, site)
	here, _ := build(t, one.builder(t), r)

	// The ship has another loopback address, so it pushes across the bridge.
	two := bench{endpoint: "docker+" + lab.OwnShips(t, 1)[0].Endpoint}
	r.Repository = bridgeRegistry(t) + "/" + string(r.App) + "/web"
	there, _ := build(t, two.builder(t), r)
	if one, two := digest(t, here), digest(t, there); one != two {
		t.Errorf("built %s and %s", one, two)
	}
}

func TestChangedFileChangesOneLayer(t *testing.T) {
	onEach(t, func(t *testing.T, b bench) {
		r := b.request(t, builder.Recipe{Static: "public"}, site)
		builder := b.builder(t)
		first, _ := build(t, builder, r)
		must(t, os.WriteFile(filepath.Join(r.Source, "public/index.html"), []byte("<h1>AHOY</h1>"), 0o644))
		second, _ := build(t, builder, r)
		one, err := first.Layers()
		must(t, err)
		two, err := second.Layers()
		must(t, err)
		if len(one) != 2 || len(two) != 2 {
			t.Fatalf("%d and %d layers, want 2 each", len(one), len(two))
		}
		for i, same := range []bool{true, false} {
			a, err := one[i].Digest()
			must(t, err)
			b, err := two[i].Digest()
			must(t, err)
			if (a == b) != same {
				t.Errorf("layer %d: %s and %s", i, a, b)
			}
		}
		if got := content(t, second)["srv/index.html"]; got != "<h1>AHOY</h1>" {
			t.Errorf("index.html is %q", got)
		}
	})
}
