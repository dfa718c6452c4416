package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"batuta"
	"batuta/internal/config"
)

// rules is the right that each route asks for, by the route's operation id. A
// route that is not here is refused to everybody. Where it names an app, the
// right must hold for that app; routes that name a run find the app
// themselves, and may ask for more (see server.changeable).
func rules() map[string]config.Right {
	return map[string]config.Right{
		"version":     config.Read,
		"apps":        config.Read,
		"status":      config.Read,
		"runs":        config.Read,
		"run":         config.Read,
		"log":         config.Read,
		"artifacts":   config.Read,
		"bundle":      config.Read,
		"releases":    config.Read,
		"deployments": config.Read,
		"plan":        config.Read,
		"history":     config.Read,
		"config":      config.Read,
		"ships":       config.Read,
		"ship":        config.Read,
		"why":         config.Read,
		"bases":       config.Read,
		"provenance":  config.Read,
		"deliveries":  config.Read,
		"delivery":    config.Read,
		"redeliver":   config.Push,
		"start":       config.Push,
		"rerun":       config.Push,
		"cancel":      config.Push,
		"deploy":      config.Deploy,
		"approve":     config.Deploy,
		"audit":       config.Admin,
		"cordon":      config.Admin,
		"uncordon":    config.Admin,
		"drain":       config.Admin,
	}
}

type principalKey struct{}

// principal is who asks. Every handler runs behind the guard, so there is one.
func principal(ctx context.Context) Principal {
	return ctx.Value(principalKey{}).(Principal)
}

// open are the routes for whoever asks: what they tell is no secret.
func open(operation string) bool { return operation == "key" }

// guard lets a request through to its handler if the rules grant it.
func (s *server) guard(ctx huma.Context, next func(huma.Context)) {
	if open(ctx.Operation().OperationID) {
		next(huma.WithValue(ctx, principalKey{}, Principal{}))
		return
	}
	r, w := humago.Unwrap(ctx)
	who, err := s.admit(ctx.Operation().OperationID, Token(r), appOf(ctx))
	if err != nil {
		s.turnAway(r.Context(), who, ctx.Operation(), batuta.Entry{App: appOf(ctx), Object: cmp.Or(ctx.Param("ship"), ctx.Param("env"))}, err)
		s.refuse(w, r, err)
		return
	}
	next(huma.WithValue(ctx, principalKey{}, who))
}

// turnAway tells the operator that somebody known asked for a change that is
// not granted.
func (s *server) turnAway(ctx context.Context, who Principal, op *huma.Operation, e batuta.Entry, why error) {
	if s.Refused == nil || who.Name == "" || op.Method == http.MethodGet || !errors.Is(why, batuta.Denied) {
		return
	}
	e.At, e.By, e.Action, e.Detail = time.Now(), who.Name, op.OperationID+" refused", why.Error()
	s.Refused(ctx, e)
}

// appOf is the app that a request names, if any.
func appOf(ctx huma.Context) batuta.AppName {
	if app := ctx.Param("app"); app != "" {
		return batuta.AppName(app)
	}
	return batuta.AppName(ctx.Query("app"))
}

// errNobody is the answer to a request without a good token.
var errNobody = &batuta.Error{Kind: batuta.Denied, Message: "no valid token came with the request", Hint: "send Authorization: Bearer TOKEN, with a token of server.yml"}

// admit is whose token it is. Who is known and may not gets both: the name and
// the error.
func (s *server) admit(operation, token string, app batuta.AppName) (Principal, error) {
	who, ok := s.Gate.Identify(token)
	if !ok {
		return Principal{}, errNobody
	}
	right, ok := rules()[operation]
	if !ok || !who.Can(right, app) {
		return who, denied(who, right, app)
	}
	if app != "" && !s.has(app) {
		return Principal{}, &batuta.Error{Kind: batuta.NotFound, Message: fmt.Sprintf("no app %s", app), Hint: "`batuta status` lists the apps"}
	}
	return who, nil
}

func denied(who Principal, right config.Right, app batuta.AppName) error {
	what := fmt.Sprintf("%s may not %s", who.Name, right)
	if app != "" {
		what += " " + string(app)
	}
	return &batuta.Error{Kind: batuta.Denied, Message: what, Hint: "people and their rights are in server.yml"}
}

func (s *server) has(app batuta.AppName) bool {
	for _, a := range s.Apps {
		if a.Name == app {
			return true
		}
	}
	return false
}
