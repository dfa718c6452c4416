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
// by what it is the base64 of, which its text may not tell.
func standardSignature(h http.Header, body []byte, secret string, now time.Time) bool {
	stamp, err := strconv.ParseInt(h.Get("Webhook-Timestamp"), 10, 64)
	age := now.Sub(time.Unix(stamp, 0))
	inTime := err == nil && age < replayWindow && age > -replayWindow
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
	return found && inTime && h.Get("Webhook-Id") != "" // without an id it could be sent again
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

// dated reads the time at a path of keys in a body. What is not there, or no
// time, is the zero time.
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
		return moment(value)
	}
}

// moment reads a date in text, or seconds since 1970. What is no time is the
// zero time.
func moment(value json.RawMessage) time.Time {
	var text string
	if seconds, err := strconv.ParseInt(string(value), 10, 64); err == nil {
		return time.Unix(seconds, 0)
	} else if json.Unmarshal(value, &text) != nil {
		return time.Time{}
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05-0700"} { // the second is Bitbucket's
		if at, err := time.Parse(layout, text); err == nil {
			return at
		}
	}
	return time.Time{}
}
