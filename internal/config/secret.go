package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"batuta/internal/document"
)

// redacted is all that a secret ever prints.
const redacted = "[secret]"

// MinTokenLength is the least number of bytes of what opens the server to
// people and forges.
const MinTokenLength = 16

// maxSecretBytes is far above any key or token.
const maxSecretBytes = 64 << 10

// Secret is a value that is never printed, marshalled or logged. It is written
// as {env: NAME}, {file: PATH} or, for trying things out, as the value itself.
// The zero Secret is no secret.
type Secret struct{ held *held }

// held is shared by the copies of a Secret, as its value is known only after
// the whole document was read.
type held struct {
	path      document.Path
	env, file string
	broken    bool // a problem was reported already
	value     string
}

// NewSecret makes a secret of a value.
func NewSecret(value string) Secret { return Secret{&held{value: value}} }

// Reveal is the value itself, without a newline at its end.
func (s Secret) Reveal() string {
	if s.held == nil {
		return ""
	}
	return s.held.value
}

// IsZero tells whether there is no secret.
func (s Secret) IsZero() bool { return s.held == nil }

// unresolved tells whether there is a secret whose value could not be had.
func (s Secret) unresolved() bool { return s.held != nil && s.held.value == "" }

// Format prints a placeholder, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText gives a placeholder.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue gives a placeholder.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// UnmarshalDocument reads one of the three forms.
func (s *Secret) UnmarshalDocument(n document.Node) error {
	s.held = &held{path: n.Path()}
	if text, ok := n.Scalar(); ok {
		s.held.value = text
		return nil
	}
	var from struct {
		Env  string `yaml:"env"`
		File string `yaml:"file"`
	}
	if err := n.Decode(&from); err != nil {
		s.held.broken = true
		return err
	}
	if (from.Env == "") == (from.File == "") {
		s.held.broken = true
		n.Problem("a secret has one source", "write {env: NAME} or {file: PATH}")
	}
	s.held.env, s.held.file = from.Env, from.File
	return nil
}

// resolveSecrets brings in the values from the environment and from files.
func (c *Config) resolveSecrets(d *document.Document, dir string) {
	for _, s := range c.secrets() {
		if s.IsZero() {
			continue
		}
		if problem, hint := s.held.resolve(dir); problem != "" {
			d.Problem(s.held.path, problem, hint)
		}
	}
}

func (h *held) resolve(dir string) (problem, hint string) {
	switch {
	case h.broken:
		return "", ""
	case h.env != "":
		value, ok := os.LookupEnv(h.env)
		if !ok {
			return fmt.Sprintf("the server's environment has no variable %s", h.env), "set it where the server is started"
		}
		h.value = value
	case h.file != "":
		path := h.file
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		value, err := readSecret(path)
		if err != nil {
			return fmt.Sprintf("read %s: %v", path, err), ""
		}
		h.value = value
	}
	if h.value == "" {
		return "the secret is empty", ""
	}
	return "", ""
}

// readSecret gives a small file's text without the newline that editors add.
func readSecret(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", reason(err)
	case !info.Mode().IsRegular():
		return "", errors.New("not a file")
	case info.Size() > maxSecretBytes:
		return "", fmt.Errorf("the file has %d bytes, at most %d are read", info.Size(), maxSecretBytes)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", reason(err)
	}
	return strings.TrimRight(string(data), "\r\n"), nil
}

// reason leaves out the path, which the problem names already.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// secrets is every secret of the file, in a stable order.
func (c *Config) secrets() []Secret {
	var all []Secret
	if o := c.Registry.Outside; o != nil {
		all = append(all, o.Password)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Apps)) {
		a := c.Apps[name]
		all = append(all, a.Credentials.Token, a.Credentials.Password, a.Credentials.SSHKey, a.Credentials.KnownHosts)
		all = append(all, a.WebhookSecrets...)
		if a.Status != nil {
			all = append(all, a.Status.Token)
		}
		for _, key := range slices.Sorted(maps.Keys(a.Secrets)) {
			all = append(all, a.Secrets[key])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.People)) {
		all = append(all, c.People[name].Token)
	}
	for _, l := range c.Notify {
		all = append(all, l.URL, l.Secret)
	}
	return all
}
