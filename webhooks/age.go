package webhooks

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// replayWindow is how far ahead the time of any delivery may be, and how
	// old one whose forge signs when it was sent.
	replayWindow = 5 * time.Minute
	// maxAge is how old a delivery may be whose body tells when what it is
	// about happened: forges try for hours to deliver it.
	maxAge = 24 * time.Hour
)

// standardSignature checks what Standard Webhooks says: one of the signatures
// v1,BASE64 is the HMAC-SHA256 of id.timestamp.body, by the secret as it is or
// by what it is the base64 of, which its text may not tell. There must be an id,
// as nothing else tells such a delivery from its repetition.
func standardSignature(h http.Header, body []byte, secret string, now time.Time) bool {
	stamp, err := strconv.ParseInt(h.Get("Webhook-Timestamp"), 10, 64)
	age := now.Sub(time.Unix(stamp, 0))
	unique := err == nil && age < replayWindow && age > -replayWindow && h.Get("Webhook-Id") != ""
	keys := [][]byte{[]byte(secret)}
	if key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_")); err == nil {
		keys = append(keys, key)
	}
	found := false
	for _, key := range keys {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(h.Get("Webhook-Id") + "." + h.Get("Webhook-Timestamp") + "."))
		mac.Write(body)
		want := []byte("v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		for given := range strings.FieldsSeq(h.Get("Webhook-Signature")) {
			found = hmac.Equal(want, []byte(given)) || found
		}
	}
	return found && unique
}

// expired says why a delivery is too old, or not from this time; empty if it is
// neither, or if nobody knows.
func expired(sent, now time.Time, most time.Duration) string {
	age := now.Sub(sent)
	switch {
	case sent.IsZero():
		return ""
	case age > most:
		return fmt.Sprintf("it is of %s, and none older than %s is taken in", sent.UTC().Format(time.RFC3339), most)
	case age < -replayWindow:
		return fmt.Sprintf("it is of %s, which is still to come", sent.UTC().Format(time.RFC3339))
	}
	return ""
}

// dated reads the moment at a path of keys in a body.
func dated(path ...string) func(payload []byte) time.Time {
	return func(payload []byte) time.Time {
		value := json.RawMessage(payload)
		for _, key := range path {
			var object map[string]json.RawMessage
			if json.Unmarshal(value, &object) != nil {
				return time.Time{}
			}
			value = object[key]
		}
		var at moment
		_ = at.UnmarshalJSON(value) // it takes anything
		return at.Time
	}
}

// moment is a time as forges write it: a date in text, or seconds since 1970.
// What is not there, or no time, is the zero time.
type moment struct{ time.Time }

// UnmarshalJSON reads it; it has no errors.
func (m *moment) UnmarshalJSON(value []byte) error {
	const latest = 1 << 40 // seconds; what is beyond is no time
	if seconds, err := strconv.ParseFloat(string(value), 64); err == nil && seconds > 0 && seconds < latest {
		m.Time = time.Unix(int64(seconds), 0)
		return nil
	}
	var text string
	if json.Unmarshal(value, &text) != nil {
		return nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05-0700"} { // the second is Bitbucket's
		if at, err := time.Parse(layout, text); err == nil {
			m.Time = at
		}
	}
	return nil
}
