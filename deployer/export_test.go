package deployer

// Seal lets a test declare an instance without a document.
func Seal(i *Instance, key []byte) { i.seal(key) }
