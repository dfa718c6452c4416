package jinja

import (
	"math"
	"slices"
	"strings"
)

// operate is an arithmetic operator of Python's, and Jinja's ~.
func (r *runtime) operate(a any, operator string, b any) any {
	if v, ok := joinMarkup(a, b); ok && operator == "+" {
		return v
	}
	if m, ok := a.(markup); ok && operator == "%" {
		return markup(percent(string(m), escapeTexts(b)))
	}
	a, b = bare(a), bare(b)
	for _, v := range []any{a, b} {
		if u, ok := v.(undefined); ok && operator != "~" {
			fail("%q is undefined", u.name)
		}
	}
	switch operator {
	case "~":
		return bounded(str(a) + str(b))
	case "%":
		if s, ok := a.(string); ok {
			return percent(s, b)
		}
	case "*":
		if v, ok := repeat(a, b); ok {
			return v
		}
		if v, ok := repeat(b, a); ok {
			return v
		}
	case "+":
		if v, ok := concatenate(a, b); ok {
			return v
		}
	}
	x, isInt := integer(a)
	y, isOther := integer(b)
	if isInt && isOther && operator != "/" && (operator != "**" || y >= 0) {
		return whole(x, operator, y)
	}
	f, isNumber := number(a)
	g, isOther := number(b)
	if !isNumber || !isOther {
		fail("%s %s %s is not possible", typeName(a), operator, typeName(b))
	}
	return broken(f, operator, g)
}

func bounded(s string) string {
	if len(s) > maxOutput {
		fail("a text has more than %d bytes", maxOutput)
	}
	return s
}

func repeat(what, times any) (any, bool) {
	n, ok := integer(times)
	if !ok {
		return nil, false
	}
	n = max(n, 0)
	if s, ok := what.(string); ok {
		if n > 0 && len(s) > maxOutput/n {
			fail("a text has more than %d bytes", maxOutput)
		}
		return strings.Repeat(s, n), true
	}
	list, ok := items(what)
	if !ok {
		return nil, false
	}
	if n > 0 && len(list) > maxItems/n {
		fail("a list has more than %d items", maxItems)
	}
	list = slices.Repeat(list, n)
	if _, isTuple := what.(tuple); isTuple {
		return tuple(list), true
	}
	return &array{list}, true
}

func concatenate(a, b any) (any, bool) {
	switch a := a.(type) {
	case string:
		if b, ok := b.(string); ok {
			return bounded(a + b), true
		}
	case *array:
		if b, ok := b.(*array); ok {
			return &array{grown(slices.Concat(a.items, b.items))}, true
		}
	case tuple:
		if b, ok := b.(tuple); ok {
			return tuple(grown(slices.Concat(a, b))), true
		}
	}
	return nil, false
}

func grown(list []any) []any {
	if len(list) > maxItems {
		fail("a list has more than %d items", maxItems)
	}
	return list
}

func whole(x int, operator string, y int) any {
	switch operator {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "**":
		n := math.Pow(float64(x), float64(y))
		if math.Abs(n) > 1<<62 {
			fail("%d ** %d is too big", x, y)
		}
		out := 1
		for range min(y, 64+y%2) { // beyond, x is -1, 0 or 1
			out *= x
		}
		return out
	}
	if y == 0 {
		fail("division by zero")
	}
	quotient, rest := x/y, x%y
	if rest != 0 && (rest < 0) != (y < 0) {
		quotient, rest = quotient-1, rest+y
	}
	if operator == "//" {
		return quotient
	}
	return rest
}

func broken(f float64, operator string, g float64) any {
	switch operator {
	case "+":
		return f + g
	case "-":
		return f - g
	case "*":
		return f * g
	case "**":
		return math.Pow(f, g)
	}
	if g == 0 {
		fail("division by zero")
	}
	switch operator {
	case "/":
		return f / g
	case "//":
		return math.Floor(f / g)
	}
	return f - g*math.Floor(f/g)
}
