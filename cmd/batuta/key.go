package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (p *program) keyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "key",
		Short: "Print the public key that the server signs releases with",
		Example: "  batuta key >batuta.pub\n" +
			"  cosign verify --key batuta.pub --experimental-oci11 --insecure-ignore-tlog IMAGE@DIGEST",
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.connect()
			if err != nil {
				return err
			}
			key, err := c.Key(cmd.Context())
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(p.stdout, key)
			return err
		},
	}
}
