package docker

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/filters"

	"batuta"
	"batuta/deployer"
)

// The labels of all that Batuta makes on a ship.
const (
	labelApp         = "batuta.app"
	labelEnvironment = "batuta.environment"
	labelService     = "batuta.service"
	labelInstance    = "batuta.instance"
	labelRelease     = "batuta.release"
	labelConfig      = "batuta.config"
	labelSpec        = "batuta.spec"     // deployer.Instance.Spec
	labelRequires    = "batuta.requires" // deployer.Instance.Requires, with spaces between; none if it requires nothing
	labelImage       = "batuta.image"    // repository@digest: Docker forgets it when the image's name goes
	labelPool        = "batuta.pool"     // of a network: the range that its addresses are from
	labelRole        = "batuta.role"     // of what Batuta makes for itself: probe, pool, lock, note
	labelHolder      = "batuta.holder"   // of a lock: who has it
	labelTTL         = "batuta.ttl"      // of a lock: how long after it was made it ends
	labelChange      = "batuta.change"   // of a note: deployer.Note.Change
	labelLeft        = "batuta.left"     // of a note: deployer.Note.Left
	labelSeats       = "batuta.seats"    // of a note: deployer.Note.Seats

	labelPrefix = "batuta."
)

// The values of the label batuta.role.
const (
	roleProbe = "probe"
	rolePool  = "pool"
	roleLock  = "lock"
	roleNote  = "note"
)

// scopeLabels mark what belongs to a scope: its networks and volumes.
func scopeLabels(s deployer.Scope) map[string]string {
	return map[string]string{labelApp: string(s.App), labelEnvironment: string(s.Environment)}
}

// instanceLabels are an instance's own labels and Batuta's. A label that looks
// like one of Batuta's and is not would deceive whoever asks for those.
func instanceLabels(s deployer.Scope, r batuta.ReleaseNumber, i deployer.Instance) map[string]string {
	labels := map[string]string{}
	for key, value := range i.Labels {
		if !strings.HasPrefix(key, labelPrefix) {
			labels[key] = value
		}
	}
	maps.Copy(labels, scopeLabels(s))
	labels[labelService] = string(i.Service)
	labels[labelInstance] = string(i.Name)
	labels[labelRelease] = strconv.Itoa(int(r))
	labels[labelConfig] = i.Config
	labels[labelSpec] = i.Spec
	for _, service := range i.Requires {
		labels[labelRequires] = strings.TrimSpace(labels[labelRequires] + " " + string(service))
	}
	if i.Image != (batuta.Image{}) {
		labels[labelImage] = i.Image.String()
	}
	return labels
}

// required reads the label batuta.requires.
func required(label string) []batuta.ServiceName {
	var out []batuta.ServiceName
	for name := range strings.FieldsSeq(label) {
		out = append(out, batuta.ServiceName(name))
	}
	return out
}

// inScope selects what has the scope's labels.
func inScope(s deployer.Scope) filters.Args {
	args := filters.NewArgs()
	for key, value := range scopeLabels(s) {
		args.Add("label", key+"="+value)
	}
	return args
}

// hasLabels tells whether what carries the labels have is marked by want.
func hasLabels(have, want map[string]string) bool {
	for key, value := range want {
		if got, ok := have[key]; !ok || got != value {
			return false
		}
	}
	return true
}

// imageOf reads repository@digest.
func imageOf(reference string) batuta.Image {
	repository, digest, _ := strings.Cut(reference, "@")
	return batuta.Image{Repository: repository, Digest: batuta.Digest(digest)}
}

// names are two names that an object may get: one to read, and one for when
// that is taken by another of ours, as app a-b with environment c and app a
// with environment b-c would have one name.
func names(readable string, identity ...string) [2]string {
	sum := sha256.Sum256([]byte(strings.Join(identity, "\x00")))
	return [2]string{readable, readable + "-" + hex.EncodeToString(sum[:4])}
}

func networkNames(s deployer.Scope) [2]string {
	return names(joined("batuta", string(s.App), string(s.Environment)), string(s.App), string(s.Environment))
}

// containerNames are the names that an instance's container may get, in the
// order in which they are tried.
func containerNames(s deployer.Scope, i deployer.Instance) []string {
	config := i.Config[:min(8, len(i.Config))]
	made := names(joined(string(s.App), string(s.Environment), string(i.Name), config),
		string(s.App), string(s.Environment), string(i.Name), i.Config)
	if i.Called != "" && i.Called != made[0] {
		return append([]string{i.Called}, made[:]...)
	}
	return made[:]
}

// joined leaves out what is empty: a deployment without a server has no app.
func joined(parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, "-")
}
