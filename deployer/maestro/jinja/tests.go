package jinja

import "strings"

type test = func(r *runtime, v any, args []any) bool

// tests are what may follow is.
func tests() map[string]test {
	compared := func(operator string) test {
		return func(r *runtime, v any, args []any) bool { return r.holds(v, operator, argument(args, 0)) }
	}
	return map[string]test{
		"defined":   func(_ *runtime, v any, _ []any) bool { _, missing := v.(undefined); return !missing },
		"undefined": func(_ *runtime, v any, _ []any) bool { _, missing := v.(undefined); return missing },
		"escaped":   func(_ *runtime, v any, _ []any) bool { _, ok := v.(markup); return ok },
		"filter":    func(_ *runtime, v any, _ []any) bool { name, _ := v.(string); return filters()[name] != nil },
		"test":      func(_ *runtime, v any, _ []any) bool { name, _ := v.(string); return tests()[name] != nil },
		"none":      func(_ *runtime, v any, _ []any) bool { return v == nil },
		"boolean":   func(_ *runtime, v any, _ []any) bool { _, ok := v.(bool); return ok },
		"true":      func(_ *runtime, v any, _ []any) bool { return v == true },
		"false":     func(_ *runtime, v any, _ []any) bool { return v == false },
		"string":    func(_ *runtime, v any, _ []any) bool { _, ok := v.(string); return ok },
		"integer":   func(_ *runtime, v any, _ []any) bool { _, ok := v.(int); return ok },
		"float":     func(_ *runtime, v any, _ []any) bool { return isFloat(v) },
		"number":    func(_ *runtime, v any, _ []any) bool { _, ok := number(v); return ok },
		"mapping":   func(_ *runtime, v any, _ []any) bool { _, ok := v.(*dict); return ok },
		"iterable":  func(_ *runtime, v any, _ []any) bool { return isIterable(v) },
		"sequence":  func(_ *runtime, v any, _ []any) bool { return isIterable(v) },
		"callable":  isCallable,
		"odd":       func(_ *runtime, v any, _ []any) bool { n, _ := integer(v); return n%2 != 0 },
		"even":      func(_ *runtime, v any, _ []any) bool { n, ok := integer(v); return ok && n%2 == 0 },
		"upper":     func(_ *runtime, v any, _ []any) bool { return strings.ToUpper(str(v)) == str(v) },
		"lower":     func(_ *runtime, v any, _ []any) bool { return strings.ToLower(str(v)) == str(v) },
		"divisibleby": func(r *runtime, v any, args []any) bool {
			return r.operate(v, "%", argument(args, 0)) == 0
		},
		"sameas": func(_ *runtime, v any, args []any) bool {
			if list, ok := v.(tuple); ok {
				other, ok := argument(args, 0).(tuple)
				return ok && len(list) == 0 && len(other) == 0
			}
			if _, ok := argument(args, 0).(tuple); ok {
				return false
			}
			_, isFunction := v.(function)
			return !isFunction && v == argument(args, 0)
		},
		"in": compared("in"), "eq": compared("=="), "equalto": compared("=="), "==": compared("=="), "ne": compared("!="), "!=": compared("!="),
		"lt": compared("<"), "lessthan": compared("<"), "<": compared("<"), "le": compared("<="), "<=": compared("<="),
		"gt": compared(">"), "greaterthan": compared(">"), ">": compared(">"), "ge": compared(">="), ">=": compared(">="),
	}
}

func isIterable(v any) bool {
	switch v.(type) {
	case *array, tuple, *dict, string, undefined:
		return true
	}
	return false
}

func isCallable(_ *runtime, v any, _ []any) bool {
	o, ok := v.(*object)
	_, isFunction := v.(function)
	return isFunction || ok && o.call != nil
}
