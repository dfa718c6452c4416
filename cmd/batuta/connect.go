package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"batuta"
	"batuta/internal/api/client"
	"batuta/internal/document"
)

// settings is the person's own configuration file.
type settings struct {
	URL   string `yaml:"url"`
	Token string `yaml:"token"`
}

// connect makes the client of the server that is meant. The token is never
// taken from the command line, which others on the machine can read.
func (p *program) connect() (*client.Client, error) {
	path := p.settingsPath()
	s, err := readSettings(path)
	if err != nil {
		return nil, err
	}
	url := cmp.Or(p.flags.url, p.getenv("BATUTA_URL"), s.URL)
	token := p.getenv("BATUTA_TOKEN")
	if token == "" && trim(url) == trim(s.URL) {
		token = s.Token // it is for that server, and is shown to no other
	}
	switch {
	case url == "":
		return nil, &batuta.Error{Kind: batuta.Invalid, Message: "no server to ask", Hint: "set BATUTA_URL and BATUTA_TOKEN, or write url and token into " + path}
	case token == "":
		return nil, &batuta.Error{Kind: batuta.Invalid, Message: "no token for " + url, Hint: "set BATUTA_TOKEN, or write url and token into " + path}
	}
	return client.New(url, token)
}

func trim(url string) string { return strings.TrimSuffix(url, "/") }

// settingsPath is where the person's file is, by the XDG base directory rules.
func (p *program) settingsPath() string {
	base := cmp.Or(p.getenv("XDG_CONFIG_HOME"), filepath.Join(p.getenv("HOME"), ".config"))
	return filepath.Join(base, "batuta", "config.yml")
}

// readSettings gives the file's settings; none if there is no file.
func readSettings(path string) (settings, error) {
	var s settings
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("read your settings: %w", err)
	}
	return s, document.Read(path, data, &s).Err()
}
