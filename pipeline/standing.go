package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"batuta"
)

// standing is how an app stands to what it is built from.
type standing struct {
	news   news   // what it is not built from yet
	due    bool   // a run of it has to be started
	moving bool   // a release of it is to come: who is built from it waits
	behind string // why it is not built from the newest; empty: it is
}

// news is what the newest release of an app is not built from yet.
type news struct {
	release batuta.ReleaseNumber
	bases   []Footing // each with what it is now, by reference
}

// delivery names the news: the same for the same release starts one run. That
// of a tag from outside also counts for the releases that follow, as a builder
// may see another image under it than is seen here.
func (n news) delivery() string {
	var texts []string
	ours := false
	for _, base := range n.bases {
		text := fmt.Sprintf("%s of %s", base.Now, base.Reference)
		if base.Newest {
			ours = true
		} else {
			text += " since " + base.since.UTC().Format(time.RFC3339Nano)
		}
		texts = append(texts, text)
	}
	text := strings.Join(texts, ", ")
	if ours {
		text += fmt.Sprintf(" for release %d", n.release)
	}
	return text
}

// sender is whose run made the first of the bases anew.
func (n news) sender() string {
	for _, base := range n.bases {
		if base.Newest {
			return fmt.Sprintf("base of run %d", base.by)
		}
	}
	return byBase
}

func (n news) message() string {
	var texts []string
	for _, base := range n.bases {
		texts = append(texts, fmt.Sprintf("%s is %s now", base.Reference, base.Now.Short()))
	}
	return strings.Join(texts, ", ")
}

// survey finds out how the apps stand to what they are built from.
func (p *Pipeline) survey(ctx context.Context, all []Foundation) (map[batuta.AppName]*standing, error) {
	s := &surveyor{Pipeline: p, below: map[batuta.AppName][]batuta.AppName{}, found: map[batuta.AppName]*standing{}, news: map[batuta.AppName]news{}}
	for _, f := range all {
		s.add(f)
	}
	for app := range s.news {
		if _, err := s.look(ctx, app); err != nil {
			return nil, err
		}
	}
	return s.found, nil
}

// surveyor looks at each app once, at its bases first.
type surveyor struct {
	*Pipeline
	below map[batuta.AppName][]batuta.AppName // the other apps that each is built from
	news  map[batuta.AppName]news
	found map[batuta.AppName]*standing
}

// add takes in an image.
func (s *surveyor) add(f Foundation) {
	n := s.news[f.App]
	n.release = f.Release
	for _, base := range f.Bases {
		known := slices.ContainsFunc(n.bases, func(b Footing) bool { return b.Reference == base.Reference })
		if base.Now != "" && !known {
			n.bases = append(n.bases, base)
		}
		if base.App != "" && base.App != f.App && !base.fixed() && !slices.Contains(s.below[f.App], base.App) {
			s.below[f.App] = append(s.below[f.App], base.App)
		}
	}
	slices.SortFunc(n.bases, func(a, b Footing) int { return strings.Compare(a.Reference, b.Reference) })
	slices.Sort(s.below[f.App])
	s.news[f.App] = n
}

// look finds out how one app stands.
func (s *surveyor) look(ctx context.Context, app batuta.AppName) (*standing, error) {
	if known, ok := s.found[app]; ok {
		return known, nil
	}
	own := &standing{news: s.news[app]}
	s.found[app] = own
	if round := s.circle(app); round != nil {
		if len(own.news.bases) > 0 {
			own.behind = strings.Join(texts(round), " and ") + " are built from each other"
		}
		return own, nil
	}
	var moving, behind []batuta.AppName
	for _, below := range s.below[app] {
		base, err := s.look(ctx, below)
		switch {
		case err != nil:
			return nil, err
		case base.moving:
			moving = append(moving, below)
		case base.behind != "":
			behind = append(behind, below)
		}
	}
	switch {
	case len(moving) > 0:
		own.moving, own.behind = true, "it waits for "+strings.Join(texts(moving), " and ")
	case len(own.news.bases) > 0:
		return own, s.follow(ctx, app, own)
	case len(behind) > 0:
		own.behind = "behind with " + strings.Join(texts(behind), " and ")
	}
	return own, nil
}

// follow finds the run that was started for the news.
func (s *surveyor) follow(ctx context.Context, app batuta.AppName, own *standing) error {
	id, err := s.Store.Accepted(ctx, app, byBase, own.news.delivery())
	if errors.Is(err, batuta.NotFound) {
		own.due, own.moving, own.behind = true, true, "it is about to be rebuilt"
		return nil
	}
	if err != nil {
		return err
	}
	run, err := s.Store.Run(ctx, id)
	if err != nil {
		return err
	}
	if own.moving = !run.Status.Ended(); own.moving {
		own.behind = fmt.Sprintf("run %d rebuilds it", id)
		return nil
	}
	own.behind = fmt.Sprintf("run %d was to rebuild it: %s", id, run.Status)
	return nil
}

// circle is the apps that an app is built from and that are built from it,
// with itself; nil if there are none.
func (s *surveyor) circle(app batuta.AppName) []batuta.AppName {
	var round []batuta.AppName
	for other := range s.under(app) {
		if s.under(other)[app] {
			round = append(round, other)
		}
	}
	slices.Sort(round)
	return round
}

// under is all that an app is built from, by whatever way; itself only if it is
// built from itself.
func (s *surveyor) under(app batuta.AppName) map[batuta.AppName]bool {
	seen, ahead := map[batuta.AppName]bool{}, slices.Clone(s.below[app])
	for len(ahead) > 0 {
		next := ahead[0]
		ahead = ahead[1:]
		if !seen[next] {
			seen[next] = true
			ahead = append(ahead, s.below[next]...)
		}
	}
	return seen
}
