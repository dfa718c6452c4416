// Package examples is complete applications, one a folder. The tests deploy
// each of them; the demo pushes the static one.
package examples

import "embed"

// Files holds the applications, by folder.
//
//go:embed all:drupal all:node all:python all:ruby all:static
var Files embed.FS
