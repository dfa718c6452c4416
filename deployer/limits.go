package deployer

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"batuta/internal/document"
)

// size is a number of bytes: 512m, 1.5g, 65536. The units are powers of 1024.
type size int64

var sizeForm = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)([kmgt]?)(i?b)?$`)

func (s *size) UnmarshalDocument(n document.Node) error {
	line, _ := n.Scalar()
	var ok bool
	if *s, ok = parseSize(line); !ok {
		return invalid(fmt.Sprintf("%q is not a size", line), "write a number and a unit: 64k, 512m, 1.5g")
	}
	return nil
}

func parseSize(text string) (size, bool) {
	m := sizeForm.FindStringSubmatch(strings.ToLower(text))
	if m == nil {
		return 0, false
	}
	number, err := strconv.ParseFloat(m[1], 64)
	bytes := number * map[string]float64{"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}[m[2]]
	return size(bytes), err == nil && bytes >= 1 && bytes < math.MaxInt64
}

// sizeText is a number of bytes as a person writes it.
func sizeText(bytes int64) string {
	switch {
	case bytes == 0:
		return "none"
	case bytes < 0:
		return "unlimited"
	}
	for i, unit := range []string{"t", "g", "m", "k"} {
		if factor := int64(1) << (40 - 10*i); bytes%factor == 0 {
			return strconv.FormatInt(bytes/factor, 10) + unit
		}
	}
	return strconv.FormatInt(bytes, 10)
}

// swap is memory and swap together, or -1 for as much as there is.
type swap int64

func (s *swap) UnmarshalDocument(n document.Node) error {
	if line, _ := n.Scalar(); line == "-1" {
		*s = -1
		return nil
	}
	return (*size)(s).UnmarshalDocument(n)
}

// limits bound what a container may use. What is nil or zero does not.
type limits struct {
	CPUs      float64 `yaml:"cpus"`
	CPUShares int64   `yaml:"cpu_shares"`
	Memory    size    `yaml:"memory"`
	Swap      swap    `yaml:"swap"`
	PIDs      int64   `yaml:"pids"`
}

// The least and the most that Docker takes, or the kernel below it.
const (
	leastMemory = 6 << 20
	leastShares = 2
	mostShares  = 1 << 18
	leastCPUs   = 0.01
	mostCPUs    = 8192
	mostPIDs    = 1 << 22
)

func (l *limits) UnmarshalDocument(n document.Node) error {
	type plain limits
	err := n.Decode((*plain)(l)) // what could be read is looked at all the same
	if l.CPUs != 0 && (l.CPUs < leastCPUs || l.CPUs > mostCPUs) {
		n.Problem(fmt.Sprintf("cpus is %g", l.CPUs), fmt.Sprintf("write a number of cores, %g to %d: 0.5, 2", leastCPUs, mostCPUs))
	}
	if l.CPUShares != 0 && l.CPUShares < leastShares {
		n.Problem(fmt.Sprintf("cpu_shares %d is too few", l.CPUShares), fmt.Sprintf("at least %d; 1024 is the weight of a container that says nothing", leastShares))
	}
	if l.CPUShares > mostShares {
		n.Problem(fmt.Sprintf("cpu_shares %d are too many", l.CPUShares), fmt.Sprintf("at most %d", mostShares))
	}
	if l.Memory != 0 && l.Memory < leastMemory {
		n.Problem(fmt.Sprintf("memory %s is too little", sizeText(int64(l.Memory))), "Docker wants at least 6m")
	}
	if l.PIDs < 0 {
		n.Problem("pids is negative", "leave it out for no bound")
	}
	if l.PIDs > mostPIDs {
		n.Problem(fmt.Sprintf("pids %d is more than Linux has", l.PIDs), fmt.Sprintf("at most %d; leave it out for no bound", mostPIDs))
	}
	return err
}

// under merges by key.
func (l limits) under(own limits) limits {
	return limits{
		CPUs: either(own.CPUs, l.CPUs), CPUShares: either(own.CPUShares, l.CPUShares),
		Memory: either(own.Memory, l.Memory), Swap: either(own.Swap, l.Swap), PIDs: either(own.PIDs, l.PIDs),
	}
}

// resolve checks what only both sides together show.
func (l limits) resolve() (Limits, error) {
	out := Limits{CPUShares: l.CPUShares, CPUs: l.CPUs, Memory: int64(l.Memory), Swap: int64(l.Swap), PIDs: l.PIDs}
	switch {
	case out.Swap != 0 && out.Memory == 0:
		return out, invalid("swap without memory bounds nothing", "write memory: too; swap is both together")
	case out.Swap > 0 && out.Swap < out.Memory:
		return out, invalid(fmt.Sprintf("swap %s is less than memory %s", sizeText(out.Swap), sizeText(out.Memory)), "swap is memory and swap together; -1 for no bound")
	}
	return out, nil
}

// ulimit is N, for both, or {soft: N, hard: N}. -1 is no bound.
type ulimit struct{ soft, hard int64 }

func (u *ulimit) UnmarshalDocument(n document.Node) error {
	if _, ok := n.Scalar(); ok {
		err := n.Decode(&u.soft)
		u.hard = u.soft
		return err
	}
	var long struct {
		Soft *int64 `yaml:"soft"`
		Hard *int64 `yaml:"hard"`
	}
	if err := n.Decode(&long); err != nil {
		return err
	}
	if long.Soft == nil || long.Hard == nil {
		return invalid("the ulimit lacks a side", "write {soft: 1024, hard: 2048}, or one number for both")
	}
	u.soft, u.hard = *long.Soft, *long.Hard
	if u.soft > u.hard && u.hard >= 0 {
		return invalid(fmt.Sprintf("soft %d is above hard %d", u.soft, u.hard), "")
	}
	return nil
}
