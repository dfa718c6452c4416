package maestro

import (
	"errors"
	"strings"
)

// shlex splits a line into words as Python's shlex.split does: quotes, and
// backslashes, of which double quotes know only those before " and \. Nothing
// is expanded, and # is a character like any other.
func shlex(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord := false
	var quote rune
	runes := []rune(line)
	for n := 0; n < len(runes); n++ {
		c := runes[n]
		switch {
		case quote == '\'' && c != '\'':
			word.WriteRune(c)
		case quote != 0 && c == quote:
			quote = 0
		case c == '\\':
			if n++; n == len(runes) {
				return words, errors.New("the line ends in a backslash")
			}
			if quote == '"' && runes[n] != '"' && runes[n] != '\\' {
				word.WriteRune('\\')
			}
			word.WriteRune(runes[n])
			inWord = true
		case quote != 0:
			word.WriteRune(c)
		case c == '\'' || c == '"':
			quote, inWord = c, true
		case strings.ContainsRune(" \t\r\n", c):
			if inWord {
				words = append(words, word.String())
			}
			word.Reset()
			inWord = false
		default:
			word.WriteRune(c)
			inWord = true
		}
	}
	if quote != 0 {
		return words, errors.New("the line has an open quote")
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}
