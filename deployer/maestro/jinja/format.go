package jinja

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// format is str.format: {}, {0}, {name}, {name.attr[key]!r:>10}.
func (r *runtime) format(s string, args []any, named map[string]any) string {
	var b strings.Builder
	next := 0
	for s != "" {
		n := strings.IndexAny(s, "{}")
		if n < 0 {
			b.WriteString(s)
			break
		}
		b.WriteString(s[:n])
		if n+1 < len(s) && s[n+1] == s[n] {
			b.WriteByte(s[n])
			s = s[n+2:]
			continue
		}
		end := strings.IndexByte(s[n:], '}')
		if s[n] == '}' || end < 0 {
			fail("a single %q in a format", s[n:n+1])
		}
		field, spec, _ := strings.Cut(s[n+1:n+end], ":")
		field, conversion, _ := strings.Cut(field, "!")
		v := r.field(field, &next, args, named)
		switch conversion {
		case "r":
			v = repr(v)
		case "s":
			v = str(v)
		}
		b.WriteString(specified(v, spec))
		if b.Len() > maxOutput {
			fail("a text has more than %d bytes", maxOutput)
		}
		s = s[n+end+1:]
	}
	return b.String()
}

var fieldPart = regexp.MustCompile(`\.\w+|\[[^\]]*\]`)

// field finds what a format's field names.
func (r *runtime) field(field string, next *int, args []any, named map[string]any) any {
	first := field
	if n := strings.IndexAny(field, ".["); n >= 0 {
		first = field[:n]
	}
	var v any
	if first == "" {
		first = strconv.Itoa(*next)
		*next++
	}
	if n, err := strconv.Atoi(first); err == nil {
		if n < 0 || n >= len(args) {
			fail("a format wants more than %d values", len(args))
		}
		v = args[n]
	} else {
		var ok bool
		if v, ok = named[first]; !ok {
			fail("a format wants %q", first)
		}
	}
	for _, part := range fieldPart.FindAllString(strings.TrimPrefix(field, first), -1) {
		if name, ok := strings.CutPrefix(part, "."); ok {
			v = r.attribute(v, name)
			continue
		}
		key := part[1 : len(part)-1]
		if n, err := strconv.Atoi(key); err == nil {
			v = r.item(v, n)
		} else {
			v = r.item(v, key)
		}
	}
	return v
}

var specForm = regexp.MustCompile(`^(?:(.)?([<>=^]))?([-+ ])?(#)?(0)?(\d{1,6})?(,)?(?:\.(\d{1,3}))?([bcdeEfFgGnosxX%])?$`)

// specified writes a value as a format's specification says: fill, align,
// sign, width, precision and type.
func specified(v any, spec string) string {
	m := specForm.FindStringSubmatch(spec)
	if m == nil {
		fail("%q is not a format", spec)
	}
	fill, align, sign, kind := m[1], m[2], m[3], m[9]
	width, _ := strconv.Atoi(m[6])
	out, isNumber := written(v, m[8], kind, m[4] != "", m[7] != "")
	prefix := ""
	if isNumber {
		if strings.HasPrefix(out, "-") {
			prefix, out = "-", out[1:]
		} else if sign == "+" || sign == " " {
			prefix = sign
		}
		if m[5] != "" && align == "" {
			fill, align = "0", "="
		}
	}
	if align == "" {
		align = "<"
		if isNumber {
			align = ">"
		}
	}
	if fill == "" {
		fill = " "
	}
	c, _ := utf8.DecodeRuneInString(fill)
	if align == "=" {
		return prefix + pad(out, width-len(prefix), '>', c)
	}
	return pad(prefix+out, width, rune(align[0]), c)
}

// written is a value by its type, and whether it is a number.
func written(v any, precision, kind string, alternate, thousands bool) (string, bool) {
	digits, _ := strconv.Atoi(precision)
	n, isInt := integer(v)
	if _, isBool := v.(bool); isBool && kind == "" {
		return str(v), false
	}
	switch {
	case isInt && strings.Contains("bdoxXcn", kind) || isInt && kind == "":
		return wholeText(n, kind, alternate, thousands), true
	case kind != "" && strings.Contains("eEfFgG%", kind) || kind == "" && isFloat(v) && precision != "":
		f, ok := number(v)
		if !ok {
			fail("%s cannot be written as a number", typeName(v))
		}
		if precision == "" {
			digits = 6
		}
		if kind == "%" {
			return strconv.FormatFloat(f*100, 'f', digits, 64) + "%", true
		}
		if kind == "" {
			kind = "g"
		}
		return grouped(fmt.Sprintf("%."+strconv.Itoa(digits)+kind, f), thousands), true
	case isFloat(v):
		return str(v), true
	case kind != "" && kind != "s":
		fail("%s cannot be written as %q", typeName(v), kind)
	}
	s := str(v)
	if runes := []rune(s); precision != "" && len(runes) > digits {
		s = string(runes[:digits])
	}
	return s, false
}

func isFloat(v any) bool { _, ok := v.(float64); return ok }

func wholeText(n int, kind string, alternate, thousands bool) string {
	base := map[string]int{"b": 2, "o": 8, "x": 16, "X": 16}[kind]
	if kind == "c" {
		return string(rune(n))
	}
	if base == 0 {
		return grouped(strconv.Itoa(n), thousands)
	}
	out := strconv.FormatInt(int64(n), base)
	if alternate {
		sign := strings.TrimSuffix(out, strings.TrimPrefix(out, "-"))
		out = sign + "0" + kind + strings.TrimPrefix(out, "-")
	}
	if kind == "X" {
		out = strings.ToUpper(out)
	}
	return out
}

// grouped puts a comma after each three digits of the whole part.
func grouped(s string, thousands bool) string {
	if !thousands {
		return s
	}
	whole, rest, _ := strings.Cut(s, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	var b strings.Builder
	for i, c := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	if rest != "" {
		rest = "." + rest
	}
	return sign + b.String() + rest
}

var percentForm = regexp.MustCompile(`%(?:\((\w+)\))?([-+ #0]*)(\d{1,6})?(?:\.(\d{1,3}))?[hlL]?([diouxXeEfFgGcrsa%])`)

// percent is Python's text % values.
func percent(s string, values any) string {
	list, isTuple := values.(tuple)
	if !isTuple {
		list = tuple{values}
	}
	next := 0
	var b strings.Builder
	at := 0
	for _, m := range percentForm.FindAllStringSubmatchIndex(s, -1) {
		part := func(n int) string {
			if m[2*n] < 0 {
				return ""
			}
			return s[m[2*n]:m[2*n+1]]
		}
		b.WriteString(s[at:m[0]])
		at = m[1]
		kind := part(5)
		if kind == "%" {
			b.WriteByte('%')
			continue
		}
		v := picked(part(1), values, list, &next)
		b.WriteString(percentValue(v, kind, part(2), part(3), part(4)))
		if b.Len() > maxOutput {
			fail("a text has more than %d bytes", maxOutput)
		}
	}
	b.WriteString(s[at:])
	if _, isDict := values.(*dict); next < len(list) && !isDict {
		fail("not all values have a place in the text")
	}
	return b.String()
}

func picked(name string, values any, list tuple, next *int) any {
	if name != "" {
		d, ok := values.(*dict)
		if !ok {
			fail("a text with %%(%s) wants a mapping", name)
		}
		v, ok := d.get(name)
		if !ok {
			fail("there is no %q for the text", name)
		}
		return v
	}
	if *next >= len(list) {
		fail("there are not enough values for the text")
	}
	*next++
	return list[*next-1]
}

func percentValue(v any, kind, flags, width, precision string) string {
	align, zero, sign := '>', false, ""
	for _, c := range flags {
		switch c {
		case '-':
			align = '<'
		case '0':
			zero = true
		case '+', ' ':
			sign = string(c)
		}
	}
	var out string
	switch kind {
	case "s", "r", "a", "c":
		if kind != "s" && kind != "c" {
			v = repr(v)
		}
		out, _ = written(str(v), precision, "s", false, false)
		zero, sign = false, ""
	case "d", "i", "u":
		f, ok := number(v)
		if !ok {
			fail("%s is no number for %%%s", typeName(v), kind)
		}
		out = strconv.Itoa(int(math.Trunc(f)))
	default:
		if n, ok := integer(v); ok && strings.Contains("oxX", kind) {
			out = wholeText(n, kind, strings.Contains(flags, "#"), false)
		} else {
			out, _ = written(v, precision, kind, false, false)
		}
	}
	if sign != "" && !strings.HasPrefix(out, "-") {
		out = sign + out
	}
	n, _ := strconv.Atoi(width)
	if zero && align == '>' {
		digits := strings.TrimLeft(out, "+- ")
		return out[:len(out)-len(digits)] + pad(digits, n-(len(out)-len(digits)), '>', '0')
	}
	return pad(out, n, align, ' ')
}
