package deployer

import (
	"fmt"
	"time"

	"batuta/internal/document"
)

// healthcheck is Docker's own: its test is a line for the container's shell,
// or a list that is run as it is.
type healthcheck struct {
	Test        healthTest    `yaml:"test"`
	Interval    time.Duration `yaml:"interval"`
	Timeout     time.Duration `yaml:"timeout"`
	StartPeriod time.Duration `yaml:"start_period"`
	Retries     int           `yaml:"retries"`
	Disable     bool          `yaml:"disable"` // the image's own too
}

func (h *healthcheck) UnmarshalDocument(n document.Node) error {
	type plain healthcheck
	if err := n.Decode((*plain)(h)); err != nil {
		return err
	}
	if h.Disable && h.Test != nil {
		n.Problem("the health check is disabled and has a test", "keep one")
	}
	if !h.Disable && len(h.Test) == 0 {
		n.Problem("the health check has no test", "write test: curl -f localhost/up, or disable: true")
	}
	if h.Retries < 0 {
		n.Problem("retries is negative", "")
	}
	for name, d := range map[string]time.Duration{"interval": h.Interval, "timeout": h.Timeout, "start_period": h.StartPeriod} {
		if d != 0 && d < time.Millisecond {
			n.Problem(name+" is under 1ms", "")
		}
	}
	return nil
}

func (h *healthcheck) resolve() *Healthcheck {
	switch {
	case h == nil:
		return nil
	case h.Disable:
		return &Healthcheck{Test: []string{"NONE"}}
	}
	return &Healthcheck{Test: h.Test, Interval: h.Interval, Timeout: h.Timeout, StartPeriod: h.StartPeriod, Retries: h.Retries}
}

// healthTest is the test in the Engine's words.
type healthTest []string

func (t *healthTest) UnmarshalDocument(n document.Node) error {
	if line, ok := n.Scalar(); ok {
		if line == "" {
			return invalid("the test is empty", "write disable: true for none")
		}
		*t = healthTest{"CMD-SHELL", line}
		return nil
	}
	var words []string
	if err := n.Decode(&words); err != nil {
		return err
	}
	if len(words) == 0 {
		return invalid("the test is empty", "write disable: true for none")
	}
	switch words[0] {
	case "NONE":
		return invalid("NONE is Docker's word for no test", "write disable: true in the place of test:")
	case "CMD", "CMD-SHELL":
		if len(words) == 1 {
			return invalid(fmt.Sprintf("%s is followed by no command", words[0]), "write test: curl -f localhost/up, or test: [curl, -f, localhost/up]")
		}
	default:
		words = append([]string{"CMD"}, words...)
	}
	*t = words
	return nil
}
