package store

import (
	"encoding/json"
	"fmt"
	"time"
)

// micros is a time as it is kept: in microseconds since 1970, 0 if it is zero.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// now is the time as it will be read again.
func now() time.Time { return time.UnixMicro(time.Now().UnixMicro()).UTC() }

// moment reads a time that is kept as micros.
type moment time.Time

// Scan reads an integer.
func (m *moment) Scan(from any) error {
	n, ok := from.(int64)
	if !ok {
		return fmt.Errorf("%T is not a time in microseconds", from)
	}
	*m = moment{}
	if n != 0 {
		*m = moment(time.UnixMicro(n).UTC())
	}
	return nil
}

// kept is a value that is kept as JSON.
type kept struct{ value any }

// Scan reads JSON into the value, which is a pointer.
func (k kept) Scan(from any) error {
	text, ok := from.(string)
	if !ok {
		return fmt.Errorf("%T is not JSON text", from)
	}
	return json.Unmarshal([]byte(text), k.value)
}

// encode gives values as they are kept.
func encode(values ...any) ([]any, error) {
	texts := make([]any, len(values))
	for i, v := range values {
		text, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		texts[i] = string(text)
	}
	return texts, nil
}
