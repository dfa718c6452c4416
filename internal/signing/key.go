package signing

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"batuta"
)

// Key is the server's key pair. What it is made of never leaves it, but for
// the public part.
type Key struct {
	private *ecdsa.PrivateKey
	public  string
	older   Older
}

// Older is the number of each app's newest release from before there was a
// key. An app that had none is not in it.
type Older map[batuta.AppName]batuta.ReleaseNumber

// Open reads the key pair of a server, or makes it, for its owner only: in PEM,
// below lines that say since when there is one and, as APP NUMBER, what older
// gave then. The first to make it wins, whole. What is there and is no key is
// batuta.Invalid.
func Open(path string, older func() (Older, error)) (*Key, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := create(path, older); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("make the signing key: %w", err)
		}
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the signing key: %w", err)
	}
	k, err := parse(text)
	if err != nil {
		return nil, &batuta.Error{
			Kind: batuta.Invalid, Message: "read the signing key " + path, Err: err,
			Hint: "bring it back from a backup; without it no release that it has signed can be deployed",
		}
	}
	return k, nil
}

// Public is the public part in PEM (PKIX), as `cosign verify --key` takes it.
func (k *Key) Public() string { return k.public }

// Younger tells whether the key is younger than a release, which then has no
// signature. It goes by numbers: what else is known of a release can be edited
// with it.
func (k *Key) Younger(app batuta.AppName, number batuta.ReleaseNumber) bool {
	return number <= k.older[app]
}

// create makes a key pair and links it into place once it is on disk.
func create(path string, older func() (Older, error)) error {
	before, err := older()
	if err != nil {
		return err
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(head(time.Now(), before) + string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}

// title comes before the time in the first line above the key.
const title = "Batuta's signing key, since "

// head is the lines above the key.
func head(now time.Time, before Older) string {
	lines := title + now.UTC().Format(time.RFC3339) + "\n"
	for _, app := range slices.Sorted(maps.Keys(before)) {
		lines = fmt.Sprintf("%s%s %d\n", lines, app, before[app])
	}
	return lines
}

// parse reads what create wrote.
func parse(text []byte) (*Key, error) {
	older, err := parseOlder(string(text))
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("it has no PEM block")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return nil, errors.New("it is no ECDSA key of P-256")
	}
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		return nil, err
	}
	return &Key{private, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), older}, nil
}

// parseOlder reads the lines above the key.
func parseOlder(text string) (Older, error) {
	head, _, _ := strings.Cut(text, "-----BEGIN")
	first, rest, _ := strings.Cut(head, "\n")
	if !strings.HasPrefix(first, title) {
		return nil, errors.New("its first line does not say since when it is the key")
	}
	older := Older{}
	for line := range strings.Lines(rest) {
		app, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		number, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("%q is no app and the number of its newest release", line)
		}
		older[batuta.AppName(app)] = batuta.ReleaseNumber(number)
	}
	return older, nil
}
