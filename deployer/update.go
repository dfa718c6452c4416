package deployer

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"batuta/internal/document"
)

// update is how a service's instances are replaced. What is nil is taken from
// the document's own update, or else is Update's zero value.
type update struct {
	AtOnce    *amount        `yaml:"at_once"`
	Order     string         `yaml:"order"` // start_first or stop_first
	Wait      *time.Duration `yaml:"wait"`
	Canary    *amount        `yaml:"canary"`
	Tolerate  *amount        `yaml:"tolerate"`
	Watch     *time.Duration `yaml:"watch"`
	OnFailure string         `yaml:"on_failure"` // rollback or pause
}

// The words of update, and its bounds.
const (
	startFirst = "start_first"
	stopFirst  = "stop_first"
	rollback   = "rollback"
	pauses     = "pause"
	maxWatch   = time.Hour
)

func (u *update) UnmarshalDocument(n document.Node) error {
	type plain update
	if err := n.Decode((*plain)(u)); err != nil {
		return err
	}
	if u.Order != "" && u.Order != startFirst && u.Order != stopFirst {
		n.Problem(fmt.Sprintf("%q is not an order", u.Order), "write start_first or stop_first")
	}
	if u.OnFailure != "" && u.OnFailure != rollback && u.OnFailure != pauses {
		n.Problem(fmt.Sprintf("%q is not what can be done on failure", u.OnFailure), "write rollback or pause")
	}
	if u.AtOnce != nil && Amount(*u.AtOnce) == (Amount{}) {
		n.Problem("at_once is 0: nothing would ever be replaced", "write 1 or more, or leave it out for all")
	}
	if or(u.Wait, 0) > maxWatch || or(u.Watch, 0) > maxWatch {
		n.Problem("wait and watch are at most "+maxWatch.String(), "")
	}
	return nil
}

// under merges by key.
func (u update) under(own update) update {
	return update{
		AtOnce: either(own.AtOnce, u.AtOnce), Order: either(own.Order, u.Order), Wait: either(own.Wait, u.Wait),
		Canary: either(own.Canary, u.Canary), Tolerate: either(own.Tolerate, u.Tolerate),
		Watch: either(own.Watch, u.Watch), OnFailure: either(own.OnFailure, u.OnFailure),
	}
}

func (u update) resolve() Update {
	return Update{
		AtOnce: Amount(or(u.AtOnce, amount{})), Canary: Amount(or(u.Canary, amount{})), Tolerate: Amount(or(u.Tolerate, amount{})),
		StopFirst: u.Order == stopFirst, Wait: or(u.Wait, 0), Watch: or(u.Watch, 0), Pause: u.OnFailure == pauses,
	}
}

// amount is a number of instances, 2, or a part of them, 25%.
type amount Amount

func (a *amount) UnmarshalDocument(n document.Node) error {
	line, _ := n.Scalar()
	digits, percent := strings.CutSuffix(line, "%")
	number, err := strconv.Atoi(digits)
	switch {
	case err != nil || number < 0:
		return invalid(fmt.Sprintf("%q is not an amount", line), "write a number of instances, 2, or a part of them, 25%")
	case percent && (number == 0 || number > 100):
		return invalid(fmt.Sprintf("%q is not a part", line), "1% to 100%")
	case percent:
		a.Percent = number
	default:
		a.N = number
	}
	return nil
}
