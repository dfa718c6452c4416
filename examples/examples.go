// Package examples is complete applications, one a folder. The tests deploy
// each of them; the demo pushes the static one.
package examples

import "embed"

// Files holds the applications, by folder.
//
//go:embed all:static all:node
var Files embed.FS
