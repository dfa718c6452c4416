package jinja

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

type filter func(r *runtime, args []any, named map[string]any) any

// filters are all of Jinja2's. The first argument is what is filtered.
func filters() map[string]filter {
	return map[string]filter{
		"abs": filterAbs, "attr": filterAttr, "batch": filterBatch, "center": filterCenter, "e": filterEscape, "escape": filterEscape,
		"filesizeformat": filterFileSize, "forceescape": filterForceEscape, "groupby": filterGroupBy, "pprint": filterPrint, "random": filterRandom,
		"slice": filterSlice, "striptags": filterStripTags, "truncate": filterTruncate, "urlize": filterURLs, "wordcount": filterWordCount,
		"wordwrap": filterWordWrap, "xmlattr": filterXMLAttr,
		"capitalize": filterText(capitalize), "count": filterLength, "d": filterDefault,
		"default": filterDefault, "dictsort": filterDictSort, "first": filterFirst, "float": filterFloat, "format": filterFormat,
		"indent": filterIndent, "int": filterInt, "items": filterItems, "join": filterJoin, "last": filterLast, "length": filterLength,
		"list": filterList, "lower": filterText(strings.ToLower), "map": filterMap, "max": filterEnd(1), "min": filterEnd(-1),
		"reject": filterSelect(false, false), "rejectattr": filterSelect(false, true), "replace": filterReplace, "reverse": filterReverse,
		"round": filterRound, "safe": filterSafe, "select": filterSelect(true, false), "selectattr": filterSelect(true, true),
		"sort": filterSort, "string": filterText(func(s string) string { return s }), "sum": filterSum, "title": filterText(titled),
		"tojson": filterJSON, "trim": filterTrim, "unique": filterUnique, "upper": filterText(strings.ToUpper), "urlencode": filterURL,
	}
}

func filterDefault(_ *runtime, args []any, named map[string]any) any {
	given := take(args, named, "value", "default_value", "boolean")
	_, isUndefined := given["value"].(undefined)
	if isUndefined || truth(given["boolean"]) && !truth(given["value"]) {
		if v, ok := given["default_value"]; ok {
			return v
		}
		return ""
	}
	return given["value"]
}

func filterJoin(r *runtime, args []any, named map[string]any) any {
	given := take(args, named, "value", "d", "attribute")
	var parts []string
	for _, item := range r.iterate(given["value"]) {
		if a, ok := given["attribute"]; ok {
			item = r.path(item, a)
		}
		parts = append(parts, str(item))
	}
	sep, _ := given["d"].(string)
	return joined(parts, sep)
}

// path follows a.b.0 from a value.
func (r *runtime) path(v, path any) any {
	if n, ok := integer(path); ok {
		return r.item(v, n)
	}
	for part := range strings.SplitSeq(str(path), ".") {
		if n, err := strconv.Atoi(part); err == nil {
			v = r.item(v, n)
		} else {
			v = r.item(v, part)
		}
	}
	return v
}

func filterInt(_ *runtime, args []any, named map[string]any) any {
	given := take(args, named, "value", "default", "base")
	base := 10
	if b, ok := integer(given["base"]); ok && given["base"] != nil {
		base = b
	}
	switch v := given["value"].(type) {
	case string:
		s := strings.ReplaceAll(strings.TrimSpace(v), "_", "")
		if n, err := strconv.ParseInt(strings.TrimPrefix(s, "+"), base, strconv.IntSize); err == nil {
			return int(n)
		}
		if f, err := strconv.ParseFloat(s, 64); err == nil && math.Abs(f) < 1<<62 {
			return int(f)
		}
	default:
		if f, ok := number(v); ok && math.Abs(f) < 1<<62 {
			return int(f)
		}
	}
	if v, ok := given["default"]; ok {
		return v
	}
	return 0
}

func filterFloat(_ *runtime, args []any, named map[string]any) any {
	given := take(args, named, "value", "default")
	if f, ok := number(given["value"]); ok {
		return f
	}
	if s, ok := given["value"].(string); ok {
		if f, err := strconv.ParseFloat(strings.TrimSpace(s), 64); err == nil {
			return f
		}
	}
	if v, ok := given["default"]; ok {
		return v
	}
	return 0.0
}

func filterLength(r *runtime, args []any, _ map[string]any) any {
	switch v := args[0].(type) {
	case string:
		return utf8.RuneCountInString(v)
	case *dict:
		return len(v.keys)
	}
	return len(r.iterate(args[0]))
}

func filterSort(r *runtime, args []any, named map[string]any) any {
	given := take(args, named, "value", "reverse", "case_sensitive", "attribute")
	list := slices.Clone(r.iterate(given["value"]))
	key := func(v any) any {
		if a, ok := given["attribute"]; ok {
			v = r.path(v, a)
		}
		if s, ok := v.(string); ok && !truth(given["case_sensitive"]) {
			return strings.ToLower(s)
		}
		return v
	}
	sign := 1
	if truth(given["reverse"]) {
		sign = -1
	}
	slices.SortStableFunc(list, func(a, b any) int { return sign * r.compare(key(a), key(b)) })
	return &array{list}
}

func filterDictSort(r *runtime, args []any, named map[string]any) any {
	given := take(args, named, "value", "case_sensitive", "by", "reverse")
	d, ok := given["value"].(*dict)
	if !ok {
		fail("dictsort wants a mapping, not %s", typeName(given["value"]))
	}
	by := 0
	if given["by"] == "value" {
		by = 1
	}
	return filterSort(r, nil, map[string]any{"value": d.pairs(), "attribute": by, "case_sensitive": given["case_sensitive"], "reverse": given["reverse"]})
}

func filterReverse(r *runtime, args []any, _ map[string]any) any {
	list := slices.Clone(r.iterate(args[0]))
	slices.Reverse(list)
	if _, ok := args[0].(string); ok {
		var b strings.Builder
		for _, c := range list {
			b.WriteString(c.(string))
		}
		return b.String()
	}
	return &array{list}
}

func filterUnique(r *runtime, args []any, _ map[string]any) any {
	out := &array{}
	seen := map[any]bool{}
	for _, item := range r.iterate(args[0]) {
		key := hashable(item)
		if s, ok := key.(string); ok {
			key = strings.ToLower(s)
		}
		if !seen[key] {
			seen[key] = true
			out.items = append(out.items, item)
		}
	}
	return out
}

func filterSum(r *runtime, args []any, named map[string]any) any {
	given := take(args, named, "value", "attribute", "start")
	sum := given["start"]
	if sum == nil {
		sum = 0
	}
	for _, item := range r.iterate(given["value"]) {
		if a, ok := given["attribute"]; ok && a != nil {
			item = r.path(item, a)
		}
		sum = r.operate(sum, "+", item)
	}
	return sum
}

// filterEnd gives the greatest or the smallest.
func filterEnd(sign int) filter {
	return func(r *runtime, args []any, _ map[string]any) any {
		list := r.iterate(args[0])
		if len(list) == 0 {
			return undefined{"there is nothing"}
		}
		return slices.MaxFunc(list, func(a, b any) int { return sign * r.compare(a, b) })
	}
}

func filterRound(_ *runtime, args []any, named map[string]any) any {
	given := take(args, named, "value", "precision", "method")
	f, ok := number(given["value"])
	if !ok {
		fail("%s cannot be rounded", typeName(given["value"]))
	}
	digits, _ := integer(given["precision"])
	scale := math.Pow(10, float64(digits))
	switch given["method"] {
	case "ceil":
		return math.Ceil(f*scale) / scale
	case "floor":
		return math.Floor(f*scale) / scale
	}
	return math.RoundToEven(f*scale) / scale
}

func filterIndent(_ *runtime, args []any, named map[string]any) any {
	given := take(args, named, "value", "width", "first", "blank")
	indent := "    "
	if s, ok := given["width"].(string); ok {
		indent = s
	} else if n, ok := integer(given["width"]); ok {
		indent = pad("", n, '>', ' ')
	}
	lines := strings.Split(str(given["value"]), "\n")
	if len(lines) > 0 && len(indent) > maxOutput/len(lines) {
		fail("a text has more than %d bytes", maxOutput)
	}
	for i, line := range lines {
		if (i > 0 || truth(given["first"])) && (line != "" || truth(given["blank"])) {
			lines[i] = indent + line
		}
	}
	return joined(lines, "\n")
}

// filterJSON writes as Python's json does, with what HTML minds escaped.
func filterJSON(_ *runtime, args []any, _ map[string]any) any {
	var b strings.Builder
	writeJSON(&b, args[0], 0)
	return markup(bounded(b.String()))
}

func writeJSON(b *strings.Builder, v any, depth int) {
	if depth > maxDepth || b.Len() > maxOutput {
		fail("a value is too big or too deep to be written")
	}
	switch v := bare(v).(type) {
	case *dict:
		names := map[string]any{}
		for _, key := range v.keys {
			names[str(key)], _ = v.get(key)
		}
		b.WriteString("{")
		for i, name := range slices.Sorted(maps.Keys(names)) {
			if i > 0 {
				b.WriteString(", ")
			}
			writeJSON(b, name, depth)
			b.WriteString(": ")
			writeJSON(b, names[name], depth+1)
		}
		b.WriteString("}")
	case *array, tuple:
		list, _ := items(v)
		b.WriteString("[")
		for i, item := range list {
			if i > 0 {
				b.WriteString(", ")
			}
			writeJSON(b, item, depth+1)
		}
		b.WriteString("]")
	case undefined, nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case string:
		b.WriteString(jsonText(v))
	default:
		b.WriteString(str(v))
	}
}

func jsonText(s string) string {
	text, _ := json.Marshal(s) // a text can always be written
	var b strings.Builder
	for _, c := range string(text) {
		switch {
		case c == '\'':
			b.WriteString(`\u0027`)
		case c < 0x80:
			b.WriteRune(c)
		default:
			for _, unit := range utf16.Encode([]rune{c}) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
		}
	}
	return b.String()
}

func filterURL(_ *runtime, args []any, _ map[string]any) any {
	return strings.NewReplacer("+", "%20", "%2F", "/").Replace(url.QueryEscape(str(args[0])))
}

// apply puts a value through a filter.
func (r *runtime) apply(name string, args []any, named map[string]any) any {
	if !slices.Contains(forMarkup, name) {
		args = allBare(args)
	}
	return filters()[name](r, args, named)
}
