package docker

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"batuta"
	"batuta/deployer"
)

// bindsOf gives source:target:mode, for directories of the ship, which Docker
// makes if they are missing, and for named volumes alike.
func bindsOf(volumes []deployer.Volume) []string {
	var out []string
	for _, v := range volumes {
		out = append(out, v.Source+":"+v.Target+":"+modeOf(v))
	}
	return out
}

// modeOf says rw or ro once, whatever the options say.
func modeOf(v deployer.Volume) string {
	words := strings.FieldsFunc(v.Options, func(r rune) bool { return r == ',' })
	words = slices.DeleteFunc(words, func(word string) bool { return word == "rw" || word == "ro" })
	mode := "rw"
	if v.ReadOnly {
		mode = "ro"
	}
	return strings.Join(append([]string{mode}, words...), ",")
}

// mountPoints are the paths of the container at which something is mounted.
// Docker mounts an anonymous volume, which goes with the container, where
// nothing else is: at the directories of secret files, too.
func mountPoints(i deployer.Instance) (map[string]struct{}, error) {
	out := map[string]struct{}{}
	for _, v := range i.Volumes {
		out[v.Target] = struct{}{}
	}
	for _, dir := range secretDirs(i.Secrets) {
		_, taken := out[dir]
		_, inMemory := i.Tmpfs[dir]
		if taken || inMemory || dir == "/" || !path.IsAbs(dir) {
			return nil, &batuta.Error{
				Kind: batuta.Invalid, Message: fmt.Sprintf("no secret file can be put into %s of the container", dir),
				Hint: "give it an absolute path whose directory is its own, such as /run/secrets/name",
			}
		}
		out[dir] = struct{}{}
	}
	for _, target := range i.AnonymousVolumes {
		out[target] = struct{}{}
	}
	return out, nil
}
