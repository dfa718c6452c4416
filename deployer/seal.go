package deployer

// Seal sets the instance's Spec and Config from all the rest of it. Whoever
// makes an instance without Document.Resolve calls it last. The key hides the
// values of secrets.
func (i *Instance) Seal(key []byte) { i.seal(key) }

// Allows tells whether a cleaned absolute path of a ship may be mounted.
func (p Policy) Allows(source string) bool { return p.allows(source) }
