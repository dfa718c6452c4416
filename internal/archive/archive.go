// Package archive packs what a server keeps into one file, and unpacks it on
// another machine: a tar, compressed by zstd, whose last entry is a manifest
// with the SHA-256 of all the others. Package store gives it a copy of the
// database; package cmd/batuta says what else goes in, and in which order.
package archive

import (
	"time"

	"batuta"
)

// Manifest is what an archive says of itself.
type Manifest struct {
	Format int       `json:"format"` // of the archive; this package reads and writes 1
	Binary string    `json:"binary"` // version that made it
	Made   time.Time `json:"made"`
	Images bool      `json:"images"` // whether the registry's images are in it
	Files  []File    `json:"files"`  // in their order in the archive
}

// File is one file of an archive.
type File struct {
	Name   string `json:"name"` // path in the data directory, with slashes
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
}

const (
	format       = 1
	manifestName = "manifest.json"
	maxManifest  = 1 << 30 // bytes
)

// broken is an archive that is not what was written.
func broken(path, why string) error {
	return &batuta.Error{Kind: batuta.Invalid, Message: path + " is damaged: " + why, Hint: "nothing was restored; take another copy of it"}
}
