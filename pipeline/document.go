package pipeline

import (
	"batuta"
	"batuta/deployer"
)

// environment is an environment document of either format.
type environment interface {
	// Validate reports everything that can be wrong without knowing the ships.
	Validate(images []batuta.ImageName) error
	// References lists the image references that need a pin.
	References() []string
	// Resolve makes it concrete; it repeats the problems of reading it.
	Resolve(in deployer.Input) (deployer.Spec, error)
}

var _ environment = (*deployer.Document)(nil)

// readEnvironment reads a document. What is wrong with it Validate and Resolve
// tell.
func readEnvironment(file string, text []byte) environment {
	doc, _ := deployer.Parse(file, text)
	return doc
}
