package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"batuta"
	"batuta/deployer"
)

// login connects to a machine and has both sides prove who they are. What the
// login does not say is as ssh has it by default: the person's own name, port
// 22, agent, keys and known hosts. All are read each time: what somebody has
// mended works at once.
func login(ctx context.Context, to deployer.SSH) (*ssh.Client, error) {
	name := to.User
	if name == "" {
		me, err := user.Current()
		if err != nil {
			return nil, fmt.Errorf("tell who logs in: %w", err)
		}
		name = me.Username
	}
	address := net.JoinHostPort(to.Host, strconv.Itoa(cmp.Or(to.Port, 22)))
	known, err := readHosts(to.KnownHosts)
	if err != nil {
		return nil, err
	}
	keys, letGo, err := signers(to.Key)
	defer letGo()
	if err != nil {
		return nil, err
	}
	conn, err := (&net.Dialer{KeepAliveConfig: straight}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, noAnswer(ctx, "connect to "+address, err)
	}
	host := known.of(address)
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	link, channels, requests, err := ssh.NewClientConn(conn, address, &ssh.ClientConfig{
		User: name, Auth: []ssh.AuthMethod{ssh.PublicKeys(keys...)},
		HostKeyCallback: host.check, HostKeyAlgorithms: host.algorithms(),
	})
	switch {
	case !stop():
		return nil, noAnswer(ctx, "log in to "+address, ctx.Err())
	case err != nil:
		_ = conn.Close() // the cause is more telling
		return nil, host.explain(err, name, len(keys))
	}
	return ssh.NewClient(link, channels, requests), nil
}

// noAnswer is a machine that is not there.
func noAnswer(ctx context.Context, act string, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	return &batuta.Error{Kind: batuta.Unavailable, Message: act, Err: silence(err)}
}

// defaultKeys are tried after the agent's, as ssh does.
var defaultKeys = []string{"id_ed25519", "id_ecdsa", "id_rsa"}

// signers gives the keys to be tried: the one in the file, if one is named.
// They can be used until they are let go of.
func signers(file string) (keys []ssh.Signer, letGo func(), err error) {
	held, letGo := agentKeys()
	if file == "" {
		home, _ := os.UserHomeDir() // who has none has no keys there
		for _, name := range defaultKeys {
			if text, err := os.ReadFile(filepath.Join(home, ".ssh", name)); err == nil {
				if key, err := ssh.ParsePrivateKey(text); err == nil {
					held = append(held, key)
				}
			}
		}
		return held, letGo, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, letGo, badKey("read the key", err)
	}
	key, err := ssh.ParsePrivateKey(text)
	locked, protected := errors.AsType[*ssh.PassphraseMissingError](err)
	if protected {
		if key := sameKey(held, locked.PublicKey); key != nil {
			return []ssh.Signer{key}, letGo, nil
		}
		return nil, letGo, badKey(fmt.Sprintf("the key %s has a passphrase, and the agent does not have it", file), nil)
	}
	if err != nil {
		return nil, letGo, badKey(fmt.Sprintf("%s is not a private key", file), err)
	}
	return []ssh.Signer{key}, letGo, nil
}

func badKey(message string, err error) error {
	return &batuta.Error{
		Kind: batuta.Invalid, Message: message, Err: err,
		Hint: "make a key without a passphrase (ssh-keygen -t ed25519 -N ''), or add it to the agent (ssh-add)",
	}
}

// sameKey finds the agent's key of a public one, which an old format of key
// files does not tell.
func sameKey(held []ssh.Signer, public ssh.PublicKey) ssh.Signer {
	for _, key := range held {
		if public != nil && string(key.PublicKey().Marshal()) == string(public.Marshal()) {
			return key
		}
	}
	return nil
}

// agentKeys are those of the agent of SSH_AUTH_SOCK; none if there is none.
func agentKeys() (keys []ssh.Signer, letGo func()) {
	socket := os.Getenv("SSH_AUTH_SOCK")
	if socket == "" {
		return nil, func() {}
	}
	conn, err := net.Dial("unix", socket) //nolint:noctx // a socket of this machine
	if err != nil {
		return nil, func() {}
	}
	keys, _ = agent.NewClient(conn).Signers() // an agent that does not answer has none
	return keys, func() { _ = conn.Close() }
}
