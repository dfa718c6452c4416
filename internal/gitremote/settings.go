package gitremote

import (
	"fmt"
	"os"
	"path/filepath"
)

// settings are what every git process of the remote runs under; they are
// written at each start, so that a new version's settings hold for old
// repositories. No hook ever runs. Every change of a ref is logged with the
// person who made it, and reaches the disk before the pusher hears of it.
// Git tidies up within the push that makes it necessary, not in a process
// that nobody waits for. What old, harmless histories break is only warned of.
const settings = `[core]
	hooksPath = /dev/null
	logAllRefUpdates = always
	fsync = all
	fsyncMethod = batch
[safe]
	directory = *
[http]
	receivepack = true
	uploadpack = true
	getanyfile = false
[uploadpack]
	allowReachableSHA1InWant = true
[transfer]
	fsckObjects = true
[receive]
	advertisePushOptions = false
	autogc = true
	denyDeleteCurrent = ignore
	maxInputSize = %d
[receive "fsck"]
	badTimezone = warn
	missingSpaceBeforeDate = warn
	zeroPaddedFilemode = warn
[gc]
	autoDetach = false
[init]
	defaultBranch = main
`

// writeSettings puts the settings where git looks for its user's own, with
// dir as home.
func writeSettings(dir string, maxBytes int64) error {
	path := filepath.Join(dir, ".gitconfig")
	if err := os.WriteFile(path+".new", fmt.Appendf(nil, settings, maxBytes), 0o640); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
