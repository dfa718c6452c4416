package jinja

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// printWidth is how long a line of Python's pprint may be.
const printWidth = 80

func filterPrint(r *runtime, args []any, _ map[string]any) any {
	var b strings.Builder
	printer{r, &b}.value(arranged(r, args[0], 0), 0, 0, 1)
	return bounded(b.String())
}

// arranged is a value with the keys of its mappings in order.
func arranged(r *runtime, v any, depth int) any {
	if depth > maxDepth {
		fail("a value is too big or too deep to be written")
	}
	r.spend(1)
	each := func(list []any) []any {
		out := make([]any, len(list))
		for i, item := range list {
			out[i] = arranged(r, item, depth+1)
		}
		return out
	}
	switch v := bare(v).(type) {
	case *array:
		return &array{each(v.items)}
	case tuple:
		return tuple(each(v))
	case *dict:
		out := newDict()
		keys := slices.Clone(v.keys)
		slices.SortStableFunc(keys, func(a, b any) int { return compareKeys(r, a, b) })
		for _, key := range keys {
			item, _ := v.get(key)
			out.set(key, arranged(r, item, depth+1))
		}
		return out
	}
	return v
}

// compareKeys orders what Python can compare, and else by the kinds.
func compareKeys(r *runtime, a, b any) int {
	_, number1 := number(a)
	_, number2 := number(b)
	_, text1 := a.(string)
	_, text2 := b.(string)
	if number1 && number2 || text1 && text2 {
		return r.compare(a, b)
	}
	return strings.Compare(pythonType(a), pythonType(b))
}

func pythonType(v any) string {
	switch v.(type) {
	case nil:
		return "<class 'NoneType'>"
	case bool:
		return "<class 'bool'>"
	case int:
		return "<class 'int'>"
	case float64:
		return "<class 'float'>"
	case string:
		return "<class 'str'>"
	}
	return "<class 'tuple'>"
}

// printer writes values over several lines where one is too short.
type printer struct {
	r *runtime
	*strings.Builder
}

func (p printer) value(v any, indent, allowance, level int) {
	text := repr(v)
	p.r.spend(len(text)/100 + 1)
	if p.Len()+indent > maxOutput {
		fail("a value is too big or too deep to be written")
	}
	if width(text) <= printWidth-indent-allowance {
		p.WriteString(text)
		return
	}
	switch v := v.(type) {
	case *array:
		p.items("[", v.items, "]", indent, allowance, level)
	case tuple:
		end := ")"
		if len(v) == 1 {
			end = ",)"
		}
		p.items("(", v, end, indent, allowance, level)
	case *dict:
		p.WriteString("{")
		for i, key := range v.keys {
			name := repr(key) + ": "
			p.between(i, indent+1)
			p.WriteString(name)
			item, _ := v.get(key)
			p.value(item, indent+1+width(name), after1(i, len(v.keys), allowance), level+1)
		}
		p.WriteString("}")
	case string:
		p.text(v, indent, allowance, level)
	default:
		p.WriteString(text)
	}
}

func width(s string) int { return utf8.RuneCountInString(s) }

// after1 is what must still fit behind an item: a comma, or all that ends.
func after1(i, n, allowance int) int {
	if i == n-1 {
		return allowance + 1
	}
	return 1
}

func (p printer) between(i, indent int) {
	if i > 0 {
		p.WriteString(",\n" + strings.Repeat(" ", indent))
	}
}

func (p printer) items(begin string, list []any, end string, indent, allowance, level int) {
	p.WriteString(begin)
	for i, item := range list {
		p.between(i, indent+1)
		p.value(item, indent+1, after1(i, len(list), allowance+len(end)-1), level+1)
	}
	p.WriteString(end)
}

// text breaks a text at its lines, and those between words.
func (p printer) text(s string, indent, allowance, level int) {
	if level == 1 {
		indent, allowance = indent+1, allowance+1
	}
	var chunks []string
	lines := strings.SplitAfter(s, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	for i, line := range lines {
		room, last := printWidth-indent, 0
		if i == len(lines)-1 {
			last = allowance
		}
		if quoted := Quote(line); width(quoted) <= room-last {
			chunks = append(chunks, quoted)
		} else {
			chunks = append(chunks, fill(line, room, last)...)
		}
	}
	if len(chunks) == 1 {
		p.WriteString(chunks[0])
		return
	}
	out := strings.Join(chunks, "\n"+strings.Repeat(" ", indent))
	if level == 1 {
		out = "(" + out + ")"
	}
	p.WriteString(out)
}

// fill puts as many words into each part as there is room for; the last one
// leaves some of it.
func fill(line string, room, last int) []string {
	var chunks []string
	current := ""
	for line != "" {
		end := strings.IndexFunc(line, unicode.IsSpace)
		if end < 0 {
			end = len(line)
		}
		end += len(line[end:]) - len(strings.TrimLeftFunc(line[end:], unicode.IsSpace))
		part := line[:end]
		if line = line[end:]; line == "" {
			room -= last
		}
		if width(Quote(current+part)) <= room {
			current += part
			continue
		}
		if current != "" {
			chunks = append(chunks, Quote(current))
		}
		current = part
	}
	if current != "" {
		chunks = append(chunks, Quote(current))
	}
	return chunks
}
