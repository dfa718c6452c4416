package pipeline

import (
	"batuta"
	"batuta/deployer"
	"batuta/deployer/maestro"
)

// Document is an environment document of either format.
type Document interface {
	// Validate reports everything that can be wrong without knowing the ships.
	Validate(images []batuta.ImageName) error
	// References lists the image references that need a pin.
	References() []string
	// Resolve makes it concrete; it repeats the problems of reading it. What
	// a person should look at is in the Spec.
	Resolve(in deployer.Input) (deployer.Spec, error)
}

var (
	_ Document = (*deployer.Document)(nil)
	_ Document = (*maestro.Document)(nil)
)

// ReadDocument reads an environment document: ours, or else one of
// MaestroNG's, which sees nothing of where it is read, neither variables nor
// files. What is wrong with it Validate and Resolve tell.
func ReadDocument(file string, text []byte) Document {
	if deployer.Ours(text) {
		doc, _ := deployer.Parse(file, text)
		return doc
	}
	doc, _ := maestro.Read(file, text, maestro.Options{})
	return doc
}

// Warnings is what a document itself warns of, without knowing the ships.
func Warnings(doc Document) batuta.Problems {
	if d, ok := doc.(interface{ Warnings() batuta.Problems }); ok {
		return d.Warnings()
	}
	return nil
}
