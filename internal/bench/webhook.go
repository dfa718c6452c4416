package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
)

// clients is how many deliveries are on their way at the same time.
const clients = 16

// volley is how one turn of one side went.
type volley struct {
	rate   float64 // deliveries a second
	median time.Duration
	p99    time.Duration
}

// measureWebhook has a server and the bare handler take turns in accepting the
// pushes of a team's apps. The server's workers are held up by a forge that
// does not answer, so that what is measured is how pushes are accepted, and
// not how fast runs fail.
func measureWebhook(ctx context.Context, b *bench) ([]row, error) {
	forge, err := b.silentForge(ctx)
	if err != nil {
		return nil, err
	}
	server, err := b.serve(ctx, b.apps("http://"+forge+"/app.git"))
	if err != nil {
		return nil, err
	}
	bare, err := b.serveBare(ctx)
	if err != nil {
		return nil, err
	}
	payload, err := os.ReadFile(filepath.Join(b.source, "webhooks", "testdata", "gitea", "push.branch.json"))
	if err != nil {
		return nil, err
	}
	g := b.newGun(payload)
	var ours, theirs []volley
	for round := range b.rounds + 1 {
		sides := []struct {
			*service
			all *[]volley
		}{{server, &ours}, {bare, &theirs}}
		if round%2 == 1 {
			sides[0], sides[1] = sides[1], sides[0]
		}
		for _, side := range sides {
			v, err := g.fire(ctx, side.url(), b.deliveries)
			if err != nil {
				return nil, err
			}
			*side.all = append(*side.all, v)
		}
	}
	ours, theirs = ours[1:], theirs[1:] // without the warm-up
	return []row{
		compared("deliveries accepted, 16 clients", each(ours, volley.perSecond), each(theirs, volley.perSecond), asRate),
		compared("  median answer", each(ours, volley.middle), each(theirs, volley.middle), asTime),
		compared("  99th percentile", each(ours, volley.slowest), each(theirs, volley.slowest), asTime),
	}, nil
}

func (v volley) perSecond() float64     { return v.rate }
func (v volley) middle() time.Duration  { return v.median }
func (v volley) slowest() time.Duration { return v.p99 }

// silentForge takes connections and never says a word.
func (b *bench) silentForge(ctx context.Context) (address string, err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
		}
	}()
	b.later(func(context.Context) error {
		err := listener.Close()
		<-ended
		return err
	})
	return listener.Addr().String(), nil
}

// gun sends signed deliveries as Gitea does.
type gun struct {
	payload   []byte
	signature string
	http      *http.Client
}

func (b *bench) newGun(payload []byte) *gun {
	mac := hmac.New(sha256.New, []byte(b.token))
	mac.Write(payload)
	return &gun{payload, hex.EncodeToString(mac.Sum(nil)), &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}}
}

// fire sends deliveries from all clients, each client one after the other.
func (g *gun) fire(ctx context.Context, url string, deliveries int) (volley, error) {
	times := make([][]time.Duration, clients)
	group, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	for c := range clients {
		group.Go(func() error {
			for i := range deliveries / clients {
				sent := time.Now()
				if err := g.deliver(ctx, url+"/webhooks/"+appName(c+i)); err != nil {
					return err
				}
				times[c] = append(times[c], time.Since(sent))
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return volley{}, err
	}
	took := time.Since(began)
	var all []time.Duration
	for _, t := range times {
		all = append(all, t...)
	}
	return volley{float64(len(all)) / took.Seconds(), quantile(all, 0.5), quantile(all, 0.99)}, nil
}

// deliver sends one delivery, unlike any other, which must be accepted.
func (g *gun) deliver(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(g.payload))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Gitea-Event", "push")
	request.Header.Set("X-Gitea-Delivery", rand.Text())
	request.Header.Set("X-Gitea-Signature", g.signature)
	response, err := g.http.Do(request)
	if err != nil {
		return fmt.Errorf("deliver: %w", err)
	}
	_, err = bodyOf(response, http.StatusAccepted)
	return err
}
