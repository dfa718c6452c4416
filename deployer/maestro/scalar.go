package maestro

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"batuta/deployer/maestro/jinja"
)

// The forms in which PyYAML finds something else than a text in a plain
// scalar: https://yaml.org/type/ as resolver.py of PyYAML reads it.
var (
	boolForm  = regexp.MustCompile(`^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$`)
	nullForm  = regexp.MustCompile(`^(?:~|null|Null|NULL|)$`)
	floatForm = regexp.MustCompile(`^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?` +
		`|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?` +
		`|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*` +
		`|[-+]?\.(?:inf|Inf|INF)` +
		`|\.(?:nan|NaN|NAN))$`)
	intForm = regexp.MustCompile(`^(?:[-+]?0b[0-1_]+` +
		`|[-+]?0[0-7_]+` +
		`|[-+]?(?:0|[1-9][0-9_]*)` +
		`|[-+]?0x[0-9a-fA-F_]+` +
		`|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$`)
	dateForm   = regexp.MustCompile(`^(\d{4})-(\d\d)-(\d\d)$`)
	momentForm = regexp.MustCompile(`^(\d{4})-(\d\d?)-(\d\d?)(?:[Tt]|[ \t]+)(\d\d?):(\d\d):(\d\d)(?:\.(\d*))?(?:[ \t]*(Z|([-+])(\d\d?)(?::(\d\d))?))?$`)
)

// implicit is the kind that PyYAML gives a plain scalar.
func implicit(s string) kind {
	switch {
	case boolForm.MatchString(s):
		return boolean
	case floatForm.MatchString(s):
		return float
	case intForm.MatchString(s):
		return integer
	case nullForm.MatchString(s):
		return null
	case dateForm.MatchString(s), momentForm.MatchString(s):
		return moment
	}
	return text
}

// construct sets what Python makes of the written scalar, as the kind.
func (v *value) construct(k kind) error {
	v.kind = k
	var err error
	switch k {
	case null:
	case boolean:
		v.str, err = pythonBool(v.written)
	case integer:
		v.str, err = pythonInt(v.written)
	case float:
		v.str, err = pythonFloat(v.written)
	case moment:
		v.str, v.repr, err = pythonMoment(v.written)
		return err
	default:
		v.str, v.repr = v.written, jinja.Quote(v.written)
		return nil
	}
	v.repr = v.str
	return err
}

func pythonBool(s string) (string, error) {
	switch strings.ToLower(s) {
	case "yes", "true", "on":
		return "True", nil
	case "no", "false", "off":
		return "False", nil
	}
	return "", fmt.Errorf("%q is no truth value", s)
}

// pythonInt reads an integer: signs, underscores, 0b, 0x, octal with a plain
// 0, and base 60 with colons.
func pythonInt(s string) (string, error) {
	digits := strings.ReplaceAll(s, "_", "")
	sign := ""
	if strings.HasPrefix(digits, "-") || strings.HasPrefix(digits, "+") {
		sign, digits = strings.TrimPrefix(digits[:1], "+"), digits[1:]
	}
	n, ok := new(big.Int), true
	switch {
	case strings.HasPrefix(digits, "0b"):
		n, ok = n.SetString(digits[2:], 2)
	case strings.HasPrefix(digits, "0x"):
		n, ok = n.SetString(digits[2:], 16)
	case strings.Contains(digits, ":"):
		for part := range strings.SplitSeq(digits, ":") {
			digit, err := strconv.ParseInt(part, 10, 64)
			ok = ok && err == nil
			n.Add(n.Mul(n, big.NewInt(60)), big.NewInt(digit))
		}
	case strings.HasPrefix(digits, "0"):
		n, ok = n.SetString(digits, 8)
	default:
		n, ok = n.SetString(digits, 10)
	}
	if !ok || n == nil {
		return "", fmt.Errorf("%q is no whole number", s)
	}
	if n.Sign() == 0 {
		return "0", nil
	}
	return sign + n.String(), nil
}

func pythonFloat(s string) (string, error) {
	digits := strings.ToLower(strings.ReplaceAll(s, "_", ""))
	sign := 1.0
	if strings.HasPrefix(digits, "-") || strings.HasPrefix(digits, "+") {
		if digits[0] == '-' {
			sign = -1
		}
		digits = digits[1:]
	}
	switch {
	case digits == ".inf":
		return jinja.Float(sign * math.Inf(1)), nil
	case digits == ".nan":
		return "nan", nil
	case strings.Contains(digits, ":"):
		n := 0.0
		for part := range strings.SplitSeq(digits, ":") {
			digit, err := strconv.ParseFloat(part, 64)
			if err != nil {
				return "", fmt.Errorf("%q is no number", s)
			}
			n = n*60 + digit
		}
		return jinja.Float(sign * n), nil
	}
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return "", fmt.Errorf("%q is no number", s)
	}
	return jinja.Float(sign * n), nil
}

// pythonMoment reads a date, or a date and a time, which PyYAML keeps with its
// zone.
func pythonMoment(s string) (str, repr string, err error) {
	if m := dateForm.FindStringSubmatch(s); m != nil {
		t, err := time.Parse(time.DateOnly, s)
		return s, fmt.Sprintf("datetime.date(%d, %d, %d)", t.Year(), t.Month(), t.Day()), err
	}
	m := momentForm.FindStringSubmatch(s)
	if m == nil {
		return "", "", fmt.Errorf("%q is no date", s)
	}
	n := make([]int, len(m))
	for i := range m {
		n[i], _ = strconv.Atoi(m[i])
	}
	micro, _ := strconv.Atoi((m[7] + "000000")[:6])
	day := fmt.Sprintf("%04d-%02d-%02d %02d:%02d:%02d", n[1], n[2], n[3], n[4], n[5], n[6])
	if _, err := time.Parse(time.DateTime, day); err != nil {
		return "", "", err
	}
	repr = fmt.Sprintf("datetime.datetime(%d, %d, %d, %d, %d", n[1], n[2], n[3], n[4], n[5])
	if n[6] != 0 || micro != 0 {
		repr += fmt.Sprintf(", %d", n[6])
	}
	if micro != 0 {
		day += fmt.Sprintf(".%06d", micro)
		repr += fmt.Sprintf(", %d", micro)
	}
	zone, zoneRepr := pythonZone(m[8], m[9], n[10], n[11])
	return day + zone, repr + zoneRepr + ")", nil
}

func pythonZone(written, sign string, hours, minutes int) (str, repr string) {
	if written == "" {
		return "", ""
	}
	seconds := (hours*60 + minutes) * 60
	if seconds == 0 {
		return "+00:00", ", tzinfo=datetime.timezone.utc"
	}
	delta := fmt.Sprintf("seconds=%d", seconds)
	if sign == "-" {
		delta = fmt.Sprintf("days=-1, seconds=%d", 86400-seconds)
	}
	return fmt.Sprintf("%s%02d:%02d", sign, hours, minutes), ", tzinfo=datetime.timezone(datetime.timedelta(" + delta + "))"
}

// pythonBinary is the text of a !!binary scalar.
func pythonBinary(s string) (string, error) {
	clean := strings.Join(strings.Fields(s), "")
	out, err := base64.StdEncoding.DecodeString(clean)
	return string(out), err
}
