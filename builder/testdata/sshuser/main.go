// Command sshuser uses the agent at SSH_AUTH_SOCK as ssh does: it shows the
// public keys, has one sign, and tries to have another added.
package main

import (
	"crypto/ed25519"
	"fmt"
	"log"
	"net"
	"os"

	"golang.org/x/crypto/ssh/agent"
)

func main() {
	conn, err := net.Dial("unix", os.Getenv("SSH_AUTH_SOCK"))
	if err != nil {
		log.Fatal(err)
	}
	client := agent.NewClient(conn)
	keys, err := client.List()
	if err != nil {
		log.Fatal(err)
	}
	for _, key := range keys {
		signature, err := client.Sign(key, []byte("hello"))
		if err != nil {
			log.Fatal(err)
		}
		if err := key.Verify([]byte("hello"), signature); err != nil {
			log.Fatal(err)
		}
		fmt.Println("signed by", key.String())
	}
	_, another, err := ed25519.GenerateKey(nil)
	if err != nil {
		log.Fatal(err)
	}
	if client.Add(agent.AddedKey{PrivateKey: another}) == nil {
		log.Fatal("the agent took a key")
	}
}
