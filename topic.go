package batuta

// Topic is what something that people should know is about.
type Topic string

// The topics.
const (
	OnFailed    Topic = "failed"    // a run failed
	OnRecovery  Topic = "recovery"  // a run succeeded, and the one before it had failed
	OnApproval  Topic = "approval"  // something waits for a person to say yes
	OnPromotion Topic = "promotion" // a promotion is live
	OnLive      Topic = "live"      // a release is live
	OnDrift     Topic = "drift"     // an environment is not as its live release wants it, or is again
	OnLost      Topic = "lost"      // a ship does not answer, or does again
)

// Topics lists all of them.
func Topics() []Topic {
	return []Topic{OnFailed, OnRecovery, OnApproval, OnPromotion, OnLive, OnDrift, OnLost}
}

// NotifyRule is an entry of notify in batuta.yml: what of the app is told to
// one of those whom server.yml names.
type NotifyRule struct {
	To           string            `json:"to" yaml:"to"`                                         // the name in server.yml
	On           []Topic           `json:"on" yaml:"on"`                                         // at least one
	Environments []EnvironmentName `json:"environments,omitempty" yaml:"environments,omitempty"` // of these alone; empty: of all
	Branches     []string          `json:"branches,omitempty" yaml:"branches,omitempty"`         // of pushes, of the branches that these patterns choose alone; empty: of all
}
