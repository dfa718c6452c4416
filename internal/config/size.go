package config

import (
	"fmt"
	"math"
	"regexp"
	"strconv"

	"batuta"
	"batuta/internal/document"
)

// Size is a number of bytes, written with a unit: 500MB, 1.5GiB, 64kB.
type Size int64

const megabyte Size = 1e6

var sizeForm = regexp.MustCompile(`^(\d+(?:\.\d+)?) ?([kKMGT]i?)?B$`)

// factor is what a prefix multiplies with: powers of 1000, and of 1024 with i.
var factor = map[string]float64{
	"": 1, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12,
	"ki": 1 << 10, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40,
}

// ParseSize reads a size; its errors are Invalid. Zero is not a size.
func ParseSize(text string) (Size, error) {
	if m := sizeForm.FindStringSubmatch(text); m != nil {
		n, err := strconv.ParseFloat(m[1], 64)
		if bytes := n * factor[m[2]]; err == nil && bytes >= 1 && bytes < math.MaxInt64 {
			return Size(bytes), nil
		}
	}
	return 0, &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("%q is not a size", text), Hint: "write a number and a unit: 500MB, 1GiB"}
}

// UnmarshalDocument reads a size as ParseSize does.
func (s *Size) UnmarshalDocument(n document.Node) error {
	text, _ := n.Scalar()
	var err error
	*s, err = ParseSize(text)
	return err
}
