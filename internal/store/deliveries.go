package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"batuta"
	"batuta/pipeline"
)

// Take saves what a forge delivered, and the queued run that it causes, in one
// transaction; a delivery whose Decision is made already causes none. One that
// was accepted before is kept as a duplicate, without its payload.
func (db *DB) Take(ctx context.Context, d batuta.Delivery) (pipeline.Receipt, error) {
	return write(ctx, db, fmt.Sprintf("take in %s of %s", d.Event, d.App), func(ctx context.Context, t *tx) (r pipeline.Receipt, err error) {
		if d.Received.IsZero() {
			d.Received = now()
		}
		if d.Decision == "" {
			if r, err = t.accept(ctx, d.Push()); err != nil {
				return r, err
			}
			d.Run, d.Decision = r.Run, fmt.Sprintf("run %d", r.Run)
		}
		if r.Duplicate {
			d.Decision, d.Payload = "duplicate of "+d.Decision, ""
		}
		return r, t.keep(ctx, d)
	})
}

// Deliveries lists what was delivered to an app, newest first, without the
// payloads. Where the run that followed was skipped, the decision says why.
func (db *DB) Deliveries(ctx context.Context, app batuta.AppName, limit int) ([]batuta.Delivery, error) {
	return list(ctx, db, fmt.Sprintf("list deliveries to %s", app), scanDelivery,
		deliveryQuery("''")+" WHERE d.app = ? ORDER BY d.id DESC LIMIT ?", app, limitOf(limit))
}

// Delivery gives one delivery with its payload.
func (db *DB) Delivery(ctx context.Context, app batuta.AppName, id batuta.DeliveryID) (batuta.Delivery, error) {
	d, err := readDelivery(ctx, db.read, app, id)
	return d, db.problem(fmt.Sprintf("read delivery %d", id), err)
}

// Redeliver queues a new run of what a delivery said, on behalf of by, with
// its line in the audit trail and in the log. It is a Conflict for a delivery
// that no run ever followed from.
func (db *DB) Redeliver(ctx context.Context, app batuta.AppName, id batuta.DeliveryID, by string) (batuta.RunID, error) {
	return write(ctx, db, fmt.Sprintf("redeliver %d to %s", id, app), func(ctx context.Context, t *tx) (batuta.RunID, error) {
		d, err := readDelivery(ctx, t, app, id)
		switch {
		case err != nil:
			return 0, err
		case d.Run == 0:
			return 0, conflict("delivery %d moves nothing that can be run: %s", id, d.Decision)
		}
		d.Delivery, d.Source, d.Received = fmt.Sprintf("%d-again-%s", id, rand.Text()), by, now()
		run, err := t.acceptBy(ctx, d.Push(), by)
		if err != nil {
			return 0, err
		}
		d.Run, d.Decision = run, fmt.Sprintf("run %d", run)
		if err := t.keep(ctx, d); err != nil {
			return 0, err
		}
		return run, t.audit(ctx, batuta.Entry{By: by, Action: "redelivery asked", App: app, Object: d.Ref, Detail: fmt.Sprintf("delivery %d, run %d", id, run)})
	})
}

// ForgetDeliveries deletes from the log what was received before a time, and
// tells how many. It is still known that those were accepted.
func (db *DB) ForgetDeliveries(ctx context.Context, before time.Time) (int, error) {
	const atOnce = 500
	for gone := 0; ; {
		n, err := write(ctx, db, "forget old deliveries", func(ctx context.Context, t *tx) (n int, err error) {
			err = t.QueryRowContext(ctx, `SELECT COUNT(*) FROM (SELECT received FROM delivery_log ORDER BY id LIMIT ?) AS oldest WHERE received < ?`,
				atOnce, micros(before)).Scan(&n)
			if err != nil || n == 0 {
				return n, err
			}
			return n, t.exec(ctx, "DELETE FROM delivery_log WHERE received < ? AND id IN (SELECT id FROM delivery_log ORDER BY id LIMIT ?)", micros(before), atOnce)
		})
		gone += n
		if err != nil || n < atOnce {
			return gone, err
		}
	}
}

// keep adds a delivery to the log.
func (t *tx) keep(ctx context.Context, d batuta.Delivery) error {
	values, err := encode(d.Paths, d.Pull)
	if err != nil {
		return err
	}
	return t.exec(ctx, `INSERT INTO delivery_log (app, forge, delivery, event, ref, before, after, clone_url, sender, message,
		paths, pull, source, received, run, decision, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		d.App, d.Forge, d.Delivery, d.Event, d.Ref, d.Before, d.After, d.Clone, d.Sender, d.Message,
		values[0], values[1], d.Source, micros(d.Received), d.Run, d.Decision, d.Payload)
}

// deliveryQuery reads what scanDelivery takes, with the payload as given.
func deliveryQuery(payload string) string {
	return `SELECT d.id, d.app, d.forge, d.delivery, d.event, d.ref, d.before, d.after, d.clone_url, d.sender, d.message, d.paths, d.pull,
		d.source, d.received, d.run, d.decision, ` + payload + `, COALESCE(r.status, ''), COALESCE(r.error, '')
		FROM delivery_log AS d LEFT JOIN runs AS r ON r.id = d.run`
}

func readDelivery(ctx context.Context, q querier, app batuta.AppName, id batuta.DeliveryID) (batuta.Delivery, error) {
	d, err := scanDelivery(q.QueryRowContext(ctx, deliveryQuery("d.payload")+" WHERE d.app = ? AND d.id = ?", app, id).Scan)
	return d, missing(err, "no delivery %d to %s", id, app)
}

func scanDelivery(scan func(...any) error) (d batuta.Delivery, err error) {
	var status batuta.RunStatus
	var why string
	err = scan(&d.ID, &d.App, &d.Forge, &d.Delivery, &d.Event, &d.Ref, &d.Before, &d.After, &d.Clone, &d.Sender, &d.Message, kept{&d.Paths}, kept{&d.Pull},
		&d.Source, (*moment)(&d.Received), &d.Run, &d.Decision, &d.Payload, &status, &why)
	if status == batuta.RunSkipped && strings.HasPrefix(d.Decision, "run ") {
		d.Decision = "ignored: " + why
	}
	return d, err
}
