package builder_test

import (
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"batuta/builder"
	"batuta/internal/lab"
)

// scanner is an image that lists what another contains, by BuildKit's rules:
// https://github.com/moby/buildkit/blob/master/docs/attestations/sbom-protocol.md
const scanner = `FROM busybox
COPY --chmod=755 <<'END' /scan
#!/bin/sh
echo '{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"https://spdx.dev/Document","predicate":{"name":"all of it"}}' >$BUILDKIT_SCAN_DESTINATION/sbom.spdx.json
END
CMD ["/scan"]
`

func TestSBOMGoesWithTheImage(t *testing.T) {
	t.Parallel()
	b := onBuildkitd(t)
	built := b.builder(t)
	scans, _ := made(t, built, b.request(t, builder.Recipe{}, map[string]string{"Dockerfile": scanner}))
	b.registry = bridgeRegistry(t)
	r := b.request(t, builder.Recipe{}, map[string]string{"Dockerfile": "FROM busybox\nCOPY page /\n", "page": "ahoy"})
	r.SBOM = scans.Image.String()
	result, _ := made(t, built, r)
	reference, err := name.NewDigest(result.Image.String(), name.Insecure)
	must(t, err)
	index, err := remote.Index(reference)
	must(t, err)
	manifest, err := index.IndexManifest()
	must(t, err)
	if n := len(manifest.Manifests); n != 2 || manifest.Manifests[1].Annotations["vnd.docker.reference.type"] != "attestation-manifest" {
		t.Errorf("the index has %+v", manifest.Manifests)
	}
	ship := lab.Ships(t, 1)[0]
	client := engineAt(t, ship.Endpoint)
	pull(t, client, result.Image.String())
	t.Cleanup(func() { removeImages(t, ship.Endpoint, r.Repository) })
}
