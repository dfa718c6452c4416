package docker

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"

	"batuta"
	"batuta/deployer"
)

// tlsConfig reads the files of a ship's TLS; nil if it has none. Host is the
// endpoint's, perhaps with a port.
func tlsConfig(t *deployer.TLS, host string) (*tls.Config, error) {
	if t == nil {
		return nil, nil //nolint:nilnil // the way is plain
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host, InsecureSkipVerify: t.Insecure} //nolint:gosec // if its owner says so
	if t.ServerName != "" {
		c.ServerName = t.ServerName
	}
	if t.CA != "" {
		text, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, badTLS("read the CA", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, badTLS(t.CA+" has no certificate", nil)
		}
	}
	if (t.Cert == "") != (t.Key == "") {
		return nil, badTLS("a client certificate and its key belong together", nil)
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, badTLS("read the client certificate", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

func badTLS(message string, err error) error {
	return &batuta.Error{Kind: batuta.Invalid, Message: message, Hint: "give tls the paths of PEM files: ca, cert, key", Err: err}
}

// tlsFault explains an error of two sides that do not trust, or do not speak,
// one another's TLS; nil if it is none.
func tlsFault(err error) *batuta.Error {
	if alert, ok := errors.AsType[*net.OpError](err); ok && alert.Op == "remote error" { // so package tls marks an alert
		return &batuta.Error{
			Kind: batuta.Denied, Message: "the Engine does not take this client certificate",
			Hint: "give tls a cert and key that are signed by the CA which the Engine has as --tlscacert", Err: alert.Err,
		}
	}
	if strange, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return &batuta.Error{Kind: batuta.Denied, Message: "the Engine's certificate is not to be trusted", Hint: distrust(strange.Err), Err: strange.Err}
	}
	_, noTLS := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case noTLS || errors.Is(err, http.ErrSchemeMismatch):
		return &batuta.Error{Kind: batuta.Invalid, Message: "the Engine does not speak TLS at this port", Hint: "Docker's port with TLS is 2376; without it, remove tls"}
	case strings.Contains(err.Error(), "HTTP request to an HTTPS server"):
		return &batuta.Error{Kind: batuta.Invalid, Message: "the Engine speaks TLS at this port", Hint: "add tls: {ca, cert, key}"}
	}
	return nil
}

// distrust is what can be done about a certificate.
func distrust(why error) string {
	if other, ok := errors.AsType[x509.HostnameError](why); ok {
		names := append([]string{}, other.Certificate.DNSNames...)
		for _, ip := range other.Certificate.IPAddresses {
			names = append(names, ip.String())
		}
		if len(names) == 0 {
			return "it names no host as its subjectAltName: make one that does"
		}
		return "it is for " + strings.Join(names, ", ") + ": write one of these as server_name of tls"
	}
	if bad, ok := errors.AsType[x509.CertificateInvalidError](why); ok && bad.Reason == x509.Expired {
		return fmt.Sprintf("it was valid from %s to %s: renew it, or set the clock", bad.Cert.NotBefore.UTC(), bad.Cert.NotAfter.UTC())
	}
	return "write the certificate of the CA that signed it as ca of tls"
}
