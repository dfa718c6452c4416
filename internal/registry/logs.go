package registry

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"

	"github.com/sirupsen/logrus"
)

// redirectLogs sends what distribution logs to log. Distribution takes its
// logger from logrus's standard one, and offers no other way in.
func redirectLogs(log *slog.Logger) {
	std := logrus.StandardLogger()
	std.SetOutput(io.Discard)
	std.SetLevel(logrus.ErrorLevel)
	if log.Enabled(context.Background(), slog.LevelDebug) {
		std.SetLevel(logrus.DebugLevel)
	}
	hooks := logrus.LevelHooks{}
	hooks.Add(hook{log.With("part", "registry")})
	std.ReplaceHooks(hooks)
}

// hook is a logrus.Hook that passes entries on. What distribution calls an
// error is mostly a client asking for something that is not there yet, as
// every push begins by doing; only an answer of 500 and above is one to us.
type hook struct{ log *slog.Logger }

// Levels is all of them.
func (h hook) Levels() []logrus.Level { return logrus.AllLevels }

// Fire passes the entry on.
func (h hook) Fire(e *logrus.Entry) error {
	level := slog.LevelDebug
	if status, ok := e.Data["http.response.status"].(int); ok && status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	if !h.log.Enabled(context.Background(), level) {
		return nil
	}
	attrs := make([]slog.Attr, 0, len(e.Data))
	for _, key := range slices.Sorted(maps.Keys(e.Data)) {
		attrs = append(attrs, slog.Any(key, e.Data[key]))
	}
	h.log.LogAttrs(context.Background(), level, e.Message, attrs...)
	return nil
}
