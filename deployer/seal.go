package deployer

// Seal sets the instance's Spec and Config from all the rest of it. Whoever
// makes an instance without Document.Resolve calls it last. The key hides the
// values of secrets.
func (i *Instance) Seal(key []byte) { i.seal(key) }
