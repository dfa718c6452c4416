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
	"os"
	"path/filepath"
	"strings"
	"time"

	"batuta"
)

// Key is the server's key pair. What it is made of never leaves it, but for
// the public part.
type Key struct {
	private *ecdsa.PrivateKey
	public  string
	since   time.Time
}

// Open reads the key pair of a server, or makes it: in PEM, for its owner
// only, below a line that says since when there is one. The first to make it
// wins, whole. What is there and is no key is batuta.Invalid.
func Open(path string) (*Key, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := create(path, time.Now()); err != nil && !errors.Is(err, fs.ErrExist) {
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

// Since is when the key was made, in whole seconds. Releases from before have
// no signature.
func (k *Key) Since() time.Time { return k.since }

// title comes before the time in the line above the key.
const title = "Batuta's signing key, since "

// create makes a key pair and links it into place once it is on disk.
func create(path string, now time.Time) error {
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
	_, err = f.WriteString(title + now.UTC().Format(time.RFC3339) + "\n" + string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}

// parse reads what create wrote.
func parse(text []byte) (*Key, error) {
	line, _, _ := strings.Cut(string(text), "\n")
	since, err := time.Parse(time.RFC3339, strings.TrimPrefix(line, title))
	if err != nil {
		return nil, errors.New("its first line does not say since when it is the key")
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
	return &Key{private, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), since}, nil
}
