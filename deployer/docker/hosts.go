package docker

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"batuta"
)

// hosts is what is known of the keys of machines.
type hosts struct {
	file  string // to which a person adds a line
	check ssh.HostKeyCallback
}

// readHosts reads a file of known hosts, or else the person's and the
// machine's, as far as there are such.
func readHosts(file string) (hosts, error) {
	files := []string{file}
	if file == "" {
		home, _ := os.UserHomeDir() // who has none has no file there
		file = filepath.Join(home, ".ssh", "known_hosts")
		files = slices.DeleteFunc([]string{file, "/etc/ssh/ssh_known_hosts"}, func(f string) bool {
			_, err := os.Stat(f)
			return err != nil
		})
	}
	check, err := knownhosts.New(files...)
	if err != nil {
		return hosts{}, &batuta.Error{
			Kind: batuta.Invalid, Message: "read the known hosts", Err: err,
			Hint: "each line is as ssh-keyscan prints it",
		}
	}
	return hosts{file: file, check: check}, nil
}

// of is what is known of the machine at an address.
func (h hosts) of(address string) *host { return &host{hosts: h, address: address} }

// host is one machine that is asked to prove who it is.
type host struct {
	hosts
	address string
	trusted bool
	refusal error
}

// check refuses every key but the known ones.
func (h *host) check(address string, remote net.Addr, key ssh.PublicKey) error {
	err := h.hosts.check(address, remote, key)
	h.trusted = err == nil
	if err == nil {
		return nil
	}
	h.refusal = h.strange(key, err)
	return h.refusal
}

func (h *host) strange(key ssh.PublicKey, err error) error {
	shown := fmt.Sprintf("%s %s", strings.TrimPrefix(key.Type(), "ssh-"), ssh.FingerprintSHA256(key))
	line := knownhosts.Line([]string{h.address}, key)
	out := &batuta.Error{Kind: batuta.Denied, Err: err}
	wanted, _ := errors.AsType[*knownhosts.KeyError](err)
	switch {
	case wanted != nil && len(wanted.Want) == 0:
		out.Err, out.Message = nil, fmt.Sprintf("the host key of %s is not known: it is %s", h.address, shown)
		out.Hint = fmt.Sprintf("if `ssh-keygen -lf /etc/ssh/ssh_host_%s_key.pub` prints the same there, add to %s the line: %s", keyFile(key), h.file, line)
	case wanted != nil:
		old := wanted.Want[0]
		out.Err, out.Message = nil, fmt.Sprintf("the host key of %s has changed: it is %s, and %s:%d has %s",
			h.address, shown, old.Filename, old.Line, ssh.FingerprintSHA256(old.Key))
		out.Hint = "somebody may be listening in; if the machine was installed anew, replace that line by: " + line
	default:
		out.Message = fmt.Sprintf("the host key of %s, %s, is not accepted", h.address, shown)
	}
	return out
}

// keyFile is the middle of the name of the file that sshd keeps a key in.
func keyFile(key ssh.PublicKey) string {
	for _, name := range []string{"rsa", "ecdsa"} {
		if strings.Contains(key.Type(), name) {
			return name
		}
	}
	return "ed25519"
}

// algorithms asks first for the keys that are known, as machines have several.
func (h *host) algorithms() []string {
	nobody, err := ssh.NewPublicKey(make(ed25519.PublicKey, ed25519.PublicKeySize))
	if err != nil {
		return nil
	}
	unknown, ok := errors.AsType[*knownhosts.KeyError](h.hosts.check(h.address, &net.TCPAddr{IP: net.IPv4zero}, nobody))
	if !ok {
		return nil
	}
	var first []string
	for _, k := range unknown.Want {
		if k.Key.Type() == ssh.KeyAlgoRSA {
			first = append(first, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		} else {
			first = append(first, k.Key.Type())
		}
	}
	others := slices.DeleteFunc(ssh.SupportedAlgorithms().HostKeys, func(a string) bool { return slices.Contains(first, a) })
	return append(first, others...)
}

// explain tells why a login did not work out.
func (h *host) explain(err error, name string, keys int) error {
	_, broken := errors.AsType[net.Error](err)
	switch {
	case h.refusal != nil:
		return h.refusal
	case h.trusted && !broken && !errors.Is(err, io.EOF):
		out := &batuta.Error{Kind: batuta.Denied, Message: fmt.Sprintf("%s does not let %s in with these keys", h.address, name)}
		out.Hint = fmt.Sprintf("add the public key to ~%s/.ssh/authorized_keys there: ssh-copy-id -i KEY %s@HOST", name, name)
		if keys == 0 {
			out.Message = fmt.Sprintf("there is no key to log in to %s with", h.address)
			out.Hint = "name one as key of ssh, or add one to the agent (ssh-add)"
		}
		return out
	}
	return &batuta.Error{Kind: batuta.Unavailable, Message: fmt.Sprintf("log in to %s", h.address), Err: err}
}
