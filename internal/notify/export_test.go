package notify

import "time"

// WithPatience sets for how long an attempt keeps others.
func (c *Chat) WithPatience(d time.Duration) *Chat {
	c.hang = d
	return c
}
