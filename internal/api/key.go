package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// pem is an answer in PEM, as a file of its own.
type pem struct {
	Type string `header:"Content-Type"`
	Body []byte
}

func (s *server) aboutKey() {
	op := s.at(http.MethodGet, "/key", "key", "The public key that the server signs releases with; needs no token")
	op.Security = []map[string][]string{}
	op.Responses["200"] = &huma.Response{
		Description: "in PEM", Content: map[string]*huma.MediaType{"application/x-pem-file": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}
	register(s, op, s.key)
}

func (s *server) key(context.Context, *struct{}) (*pem, error) {
	return &pem{Type: "application/x-pem-file", Body: []byte(s.Key)}, nil
}
