package builder

import (
	"context"
	"errors"
	"net"

	"github.com/moby/buildkit/session/sshforward"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// agents answers a daemon for the SSH mounts of a build. Each id has an agent
// of its own with one key, which signs and never gives the key away, so that
// it is in no layer, no log and no container.
type agents struct {
	sshforward.UnimplementedSSHServer
	keys map[string]agent.Agent // by id
}

// newAgents reads the keys that the recipe names.
func newAgents(r Request) (agents, error) {
	all := agents{keys: map[string]agent.Agent{}}
	for _, id := range r.Recipe.SSH {
		key, err := ssh.ParseRawPrivateKey(r.SSH[id])
		if err != nil {
			// The parser's error could quote what it read.
			return all, invalid("give an OpenSSH or PEM key without a passphrase", "SSH key %q cannot be read", id)
		}
		ring := agent.NewKeyring()
		if err := ring.Add(agent.AddedKey{PrivateKey: key}); err != nil {
			return all, invalid("give an Ed25519, ECDSA or RSA key", "SSH key %q is of no use to an agent", id)
		}
		all.keys[id] = signer{ring}
	}
	return all, nil
}

// Register offers the service on a session.
func (a agents) Register(s *grpc.Server) { sshforward.RegisterSSHServer(s, a) }

// CheckAgent tells whether the build has the id's key.
func (a agents) CheckAgent(_ context.Context, r *sshforward.CheckAgentRequest) (*sshforward.CheckAgentResponse, error) {
	if _, err := a.of(r.ID); err != nil {
		return nil, err
	}
	return &sshforward.CheckAgentResponse{}, nil
}

// ForwardAgent connects a command to the agent of the id that it mounts.
func (a agents) ForwardAgent(stream sshforward.SSH_ForwardAgentServer) error {
	id := ""
	if meta, ok := metadata.FromIncomingContext(stream.Context()); ok {
		if ids := meta[sshforward.KeySSHID]; len(ids) > 0 {
			id = ids[0]
		}
	}
	keys, err := a.of(id)
	if err != nil {
		return err
	}
	ours, theirs := net.Pipe()
	served := make(chan struct{})
	go func() {
		defer close(served)
		defer ours.Close()
		_ = agent.ServeAgent(keys, ours) // ends with an error whenever the command hangs up
	}()
	err = sshforward.Copy(stream.Context(), theirs, stream, nil)
	<-served
	return err
}

func (a agents) of(id string) (agent.Agent, error) {
	if id == "" {
		id = sshforward.DefaultID
	}
	keys, ok := a.keys[id]
	if !ok {
		return nil, invalid("name it in the image's ssh", "no SSH key %q for this build", id)
	}
	return keys, nil
}

// signer is an agent that does nothing but show and use its keys.
type signer struct{ agent.Agent }

var errReadOnly = errors.New("the agent of a build is read-only")

// Add is refused.
func (signer) Add(agent.AddedKey) error { return errReadOnly }

// Remove is refused.
func (signer) Remove(ssh.PublicKey) error { return errReadOnly }

// RemoveAll is refused.
func (signer) RemoveAll() error { return errReadOnly }

// Lock is refused: the next command could not use the key.
func (signer) Lock([]byte) error { return errReadOnly }

// Unlock is refused.
func (signer) Unlock([]byte) error { return errReadOnly }
