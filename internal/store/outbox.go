package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"batuta"
	"batuta/pipeline"
)

// keepLetters is how long an ended letter keeps its event from being told
// again. Each letter that ends takes the place of up to pruneLetters that ended
// before that.
const (
	keepLetters  = 7 * 24 * time.Hour
	pruneLetters = 10
)

// Subscribe sets who is to be told of a notice, before the first write.
func (db *DB) Subscribe(to func(pipeline.Notice) []string) { db.writer.tx.addressees = to }

// Tell leaves a letter for each who is to be told of a notice, once by its key.
func (db *DB) Tell(ctx context.Context, n pipeline.Notice) error {
	_, err := write(ctx, db, "leave a notice", func(ctx context.Context, t *tx) (struct{}, error) {
		return struct{}{}, t.tell(ctx, n)
	})
	return err
}

func (t *tx) tell(ctx context.Context, n pipeline.Notice) error {
	if t.addressees == nil {
		return nil
	}
	var err error
	if n.Told, err = t.told(ctx, n); err != nil {
		return err
	}
	for _, to := range t.addressees(n) {
		text, err := encode(n)
		if err != nil {
			return err
		}
		err = t.exec(ctx, "INSERT INTO outbox (key, target, lane, app, notice) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
			n.Key(), to, n.Lane(), n.App, text[0])
		if err != nil {
			return err
		}
	}
	return nil
}

// wanted tells whether anybody is to be told of such a notice of an app.
func (t *tx) wanted(app batuta.AppName, kind pipeline.NoticeKind) bool {
	n := pipeline.Notice{App: app, Kind: kind, Run: 1, RunKind: batuta.RunPush, Revision: "0"}
	return t.addressees != nil && len(t.addressees(n)) > 0
}

// tellRun tells of a run as it is now.
func (t *tx) tellRun(ctx context.Context, id batuta.RunID) error {
	if t.addressees == nil {
		return nil
	}
	run, err := scanRun(t.QueryRowContext(ctx, "SELECT "+runColumns+" FROM runs WHERE id = ?", id).Scan)
	if err != nil {
		return err
	}
	var before batuta.RunStatus
	if run.Status == batuta.RunSucceeded {
		if before, err = t.before(ctx, run); err != nil {
			return err
		}
	}
	n, ok := pipeline.NoticeOfRun(run, before)
	if !ok {
		return nil
	}
	if run.Status == batuta.RunSkipped {
		if n.Stands, err = t.standing(ctx, run); err != nil {
			return err
		}
	}
	return t.tell(ctx, n)
}

// standing is what there is to tell of the newest other run of the revision of
// one that was skipped; nil if there is none.
func (t *tx) standing(ctx context.Context, skipped batuta.Run) (*pipeline.Notice, error) {
	if skipped.Push.Revision == "" || !t.wanted(skipped.App, pipeline.RunSkipped) {
		return nil, nil //nolint:nilnil // there is none
	}
	other, err := scanRun(t.QueryRowContext(ctx, "SELECT "+runColumns+` FROM runs
		WHERE app = ? AND kind = ? AND revision = ? AND id <> ? AND status NOT IN (?, ?) ORDER BY id DESC LIMIT 1`,
		skipped.App, batuta.RunPush, skipped.Push.Revision, skipped.ID, batuta.RunSkipped, batuta.RunSuperseded).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // there is none
	}
	n, _ := pipeline.NoticeOfRun(other, "")
	return &n, err
}

// before is how the last run before another ended that was in its lane, and the
// last that went to its environment: failed if either did, empty if there is
// none.
func (t *tx) before(ctx context.Context, run batuta.Run) (status batuta.RunStatus, err error) {
	err = t.QueryRowContext(ctx, `SELECT status FROM (
			SELECT id, status FROM (SELECT id, status FROM runs WHERE app = ? AND lane = ? AND id < ? AND status IN ('succeeded', 'failed') ORDER BY id DESC LIMIT 1) AS of_lane
			UNION ALL
			SELECT id, status FROM (SELECT id, status FROM runs WHERE app = ? AND environment = ? AND environment <> '' AND id < ? AND status IN ('succeeded', 'failed') ORDER BY id DESC LIMIT 1) AS of_environment
		) AS outcomes ORDER BY CASE status WHEN 'failed' THEN 0 ELSE 1 END LIMIT 1`,
		run.App, lane(run), run.ID, run.App, run.Environment, run.ID).Scan(&status)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return status, err
}

// ClaimLetter gives the oldest letter that is due to somebody who is not busy.
// It is looked for among the readers, so that no write waits for that.
func (db *DB) ClaimLetter(ctx context.Context, busy []string) (pipeline.Letter, error) {
	const act = "claim a letter"
	for {
		var id int64
		err := db.read.QueryRowContext(ctx, nextLetter(len(busy)), lettersFor(busy, micros(now()), db.holder)...).Scan(&id)
		if err != nil {
			return pipeline.Letter{}, db.problem(act, missing(err, "no letter is due"))
		}
		l, err := write(ctx, db, act, func(ctx context.Context, t *tx) (l pipeline.Letter, err error) {
			t.changed = true
			err = t.QueryRowContext(ctx, `UPDATE outbox SET holder = ?, tries = tries + 1 WHERE id = ? AND ended = 0 AND holder <> ?
				RETURNING id, target, tries, notice`, db.holder, id, db.holder).Scan(&l.ID, &l.To, &l.Tries, kept{&l.Notice})
			return l, missing(err, "letter %d is another's", id)
		})
		if !errors.Is(err, batuta.NotFound) {
			return l, err
		}
	}
}

// patience is how often a letter is tried before it lets those after it pass:
// it may be refused for what it says.
const patience = 5

// nextLetter finds the letter to claim. In each lane only the oldest counts, of
// those that have not lost their turn.
func nextLetter(busy int) string {
	notBusy := ""
	if busy > 0 {
		notBusy = "target NOT IN (?" + strings.Repeat(", ?", busy-1) + ") AND "
	}
	return `SELECT id FROM outbox AS letter WHERE ended = 0 AND ` + notBusy + `(holder = '' AND next <= ? OR holder NOT IN ('', ?))
		AND NOT EXISTS (SELECT 1 FROM outbox WHERE ended = 0 AND target = letter.target AND lane = letter.lane AND id < letter.id AND tries < ` + fmt.Sprint(patience) + `)
		ORDER BY id LIMIT 1`
}

func lettersFor(busy []string, more ...any) []any {
	args := make([]any, 0, len(busy)+len(more))
	for _, name := range busy {
		args = append(args, name)
	}
	return append(args, more...)
}

// PostponeLetter saves when to try again to deliver a letter, and why.
func (db *DB) PostponeLetter(ctx context.Context, l pipeline.Letter, until time.Time, why string) error {
	_, err := write(ctx, db, fmt.Sprintf("postpone letter %d", l.ID), func(ctx context.Context, t *tx) (struct{}, error) {
		return struct{}{}, t.exec(ctx, "UPDATE outbox SET holder = '', next = ?, why = ? WHERE id = ? AND tries = ? AND ended = 0", micros(until), why, l.ID, l.Tries)
	})
	return err
}

// EndLetter saves that a letter was taken or, with a reason, that it is given
// up. Only whoever claimed it last may say so; of others it is ignored.
func (db *DB) EndLetter(ctx context.Context, l pipeline.Letter, why string) error {
	_, err := write(ctx, db, fmt.Sprintf("end letter %d", l.ID), func(ctx context.Context, t *tx) (none struct{}, err error) {
		var open bool
		err = t.QueryRowContext(ctx, "SELECT ended = 0 AND tries = ? FROM outbox WHERE id = ?", l.Tries, l.ID).Scan(&open)
		if err != nil || !open {
			return none, missing(err, "no letter %d", l.ID)
		}
		if why != "" {
			if err := t.audit(ctx, givenUp(l, why)); err != nil {
				return none, err
			}
		}
		if err := t.exec(ctx, "UPDATE outbox SET holder = '', why = ?, ended = ? WHERE id = ?", why, micros(now()), l.ID); err != nil {
			return none, err
		}
		return none, t.exec(ctx, "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE ended > 0 AND ended < ? ORDER BY ended LIMIT ?)",
			micros(now().Add(-keepLetters)), pruneLetters)
	})
	return err
}

// givenUp is the line of the audit trail about a letter that nobody took.
func givenUp(l pipeline.Letter, why string) batuta.Entry {
	return batuta.Entry{By: "batuta", Action: "notice given up", App: l.App, Object: l.To, Detail: fmt.Sprintf("%s, %d tried: %s", l.Key(), l.Tries, why)}
}
