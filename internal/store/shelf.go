package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"batuta"
	"batuta/pipeline"
)

// AddRelease gives a release the next number of the run's app and saves it. A
// run that made a release before gets that one. App, Number, Run and Created
// are set here.
func (db *DB) AddRelease(ctx context.Context, l pipeline.Lease, r batuta.Release) (batuta.Release, error) {
	err := db.leased(ctx, fmt.Sprintf("save the release of run %d", l.Run), l, func(ctx context.Context, t *tx, app batuta.AppName) error {
		earlier, err := scanRelease(t.QueryRowContext(ctx, "SELECT "+releaseColumns+" FROM releases WHERE run = ?", l.Run).Scan)
		if !errors.Is(err, sql.ErrNoRows) {
			r = earlier
			return err
		}
		r.App, r.Run, r.Created = app, l.Run, now()
		values, err := encode(r.Images, r.Pins, r.Order, r.Documents, r.Stages, r.Notify)
		if err != nil {
			return err
		}
		return t.insert(ctx, &r.Number, `INSERT INTO releases (number, app, run, revision, message, created, images, pins, promote, documents, stages, notify)
			VALUES ((SELECT coalesce(max(number), 0) + 1 FROM releases WHERE app = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING number`,
			append([]any{app, app, l.Run, r.Revision, r.Message, micros(r.Created)}, values...)...)
	})
	if err != nil {
		return batuta.Release{}, err
	}
	return r, nil
}

// Release gives one release.
func (db *DB) Release(ctx context.Context, app batuta.AppName, n batuta.ReleaseNumber) (batuta.Release, error) {
	r, err := scanRelease(db.read.QueryRowContext(ctx, "SELECT "+releaseColumns+" FROM releases WHERE app = ? AND number = ?", app, n).Scan)
	return r, db.problem(fmt.Sprintf("read release %d of %s", n, app), missing(err, "%s has no release %d", app, n))
}

// Releases lists the releases of an app, newest first.
func (db *DB) Releases(ctx context.Context, app batuta.AppName, limit int) ([]batuta.Release, error) {
	return list(ctx, db, fmt.Sprintf("list releases of %s", app), scanRelease,
		"SELECT "+releaseColumns+" FROM releases WHERE app = ? ORDER BY number DESC LIMIT ?", app, limitOf(limit))
}

// BeginDeployment saves a deployment as applying. A run that began one to the
// environment before gets that one, however it stands. App, ID, Run and Status
// are set here.
func (db *DB) BeginDeployment(ctx context.Context, l pipeline.Lease, d batuta.Deployment) (batuta.Deployment, error) {
	act := fmt.Sprintf("begin the deployment of run %d to %s", l.Run, d.Environment)
	err := db.leased(ctx, act, l, func(ctx context.Context, t *tx, app batuta.AppName) error {
		earlier, err := scanDeployment(t.QueryRowContext(ctx, "SELECT "+deploymentColumns+" FROM deployments WHERE run = ? AND environment = ?", l.Run, d.Environment).Scan)
		if !errors.Is(err, sql.ErrNoRows) {
			d = earlier
			return err
		}
		var there int
		err = t.QueryRowContext(ctx, "SELECT 1 FROM releases WHERE app = ? AND number = ?", app, d.Release).Scan(&there)
		if err != nil {
			return missing(err, "%s has no release %d", app, d.Release)
		}
		d = batuta.Deployment{App: app, Environment: d.Environment, Release: d.Release, Run: l.Run, Status: batuta.Applying, By: d.By, Started: now()}
		return t.insert(ctx, &d.ID, `INSERT INTO deployments (app, environment, release, run, status, asked_by, started)
			VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			d.App, d.Environment, d.Release, d.Run, d.Status, d.By, micros(d.Started))
	})
	if err != nil {
		return batuta.Deployment{}, err
	}
	return d, nil
}

// EndDeployment saves how a deployment of the run ended, in the audit trail
// too. The same end again changes nothing; another end is a Conflict.
func (db *DB) EndDeployment(ctx context.Context, l pipeline.Lease, id batuta.DeploymentID, status batuta.DeploymentStatus, why string) error {
	act := fmt.Sprintf("end deployment %d", id)
	if status == batuta.Applying {
		return &batuta.Error{Kind: batuta.Invalid, Message: fmt.Sprintf("%s: %s is not an end", act, status)}
	}
	return db.leased(ctx, act, l, func(ctx context.Context, t *tx, _ batuta.AppName) error {
		d, err := scanDeployment(t.QueryRowContext(ctx, "SELECT "+deploymentColumns+" FROM deployments WHERE id = ? AND run = ?", id, l.Run).Scan)
		switch {
		case err != nil:
			return missing(err, "run %d has no deployment %d", l.Run, id)
		case d.Status == status:
			return nil
		case d.Status != batuta.Applying:
			return conflict("%s: it ended before, %s", act, d.Status)
		}
		d.Status = status
		if err := t.audit(ctx, deployed(d)); err != nil {
			return err
		}
		return t.exec(ctx, "UPDATE deployments SET status = ?, error = ?, ended = ? WHERE id = ?", status, why, micros(now()), id)
	})
}

// deployed is the line of the audit trail about a deployment that ended.
func deployed(d batuta.Deployment) batuta.Entry {
	return batuta.Entry{
		By: d.By, Action: "deployment " + string(d.Status), App: d.App, Object: string(d.Environment),
		Detail: fmt.Sprintf("release %d, run %d", d.Release, d.Run),
	}
}

// Current is the newest live deployment of an environment.
func (db *DB) Current(ctx context.Context, app batuta.AppName, env batuta.EnvironmentName) (batuta.Deployment, error) {
	d, err := scanDeployment(db.read.QueryRowContext(ctx, "SELECT "+deploymentColumns+
		" FROM deployments WHERE app = ? AND environment = ? AND status = 'live' ORDER BY id DESC LIMIT 1", app, env).Scan)
	return d, db.problem(fmt.Sprintf("read what runs in %s of %s", env, app), missing(err, "nothing of %s was deployed to %s", app, env))
}

// Deployed lists the environments that anything was deployed to, by name.
func (db *DB) Deployed(ctx context.Context, app batuta.AppName) ([]batuta.EnvironmentName, error) {
	return list(ctx, db, fmt.Sprintf("list environments of %s", app), func(scan func(...any) error) (env batuta.EnvironmentName, err error) {
		return env, scan(&env)
	}, "SELECT DISTINCT environment FROM deployments WHERE app = ? ORDER BY environment", app)
}

// Deployments lists the deployments to an environment, or to all of an app's
// if env is empty, newest first.
func (db *DB) Deployments(ctx context.Context, app batuta.AppName, env batuta.EnvironmentName, limit int) ([]batuta.Deployment, error) {
	return list(ctx, db, fmt.Sprintf("list deployments of %s to %s", app, env), scanDeployment,
		"SELECT "+deploymentColumns+" FROM deployments WHERE app = ? AND (environment = ? OR ? = '') ORDER BY id DESC LIMIT ?", app, env, env, limitOf(limit))
}

const releaseColumns = "app, number, run, revision, message, images, pins, promote, documents, stages, notify, created"

func scanRelease(scan func(...any) error) (r batuta.Release, err error) {
	err = scan(&r.App, &r.Number, &r.Run, &r.Revision, &r.Message,
		kept{&r.Images}, kept{&r.Pins}, kept{&r.Order}, kept{&r.Documents}, kept{&r.Stages}, kept{&r.Notify}, (*moment)(&r.Created))
	return r, err
}

const deploymentColumns = "id, app, environment, release, run, status, asked_by, started, ended, error"

func scanDeployment(scan func(...any) error) (d batuta.Deployment, err error) {
	err = scan(&d.ID, &d.App, &d.Environment, &d.Release, &d.Run, &d.Status, &d.By, (*moment)(&d.Started), (*moment)(&d.Ended), &d.Error)
	return d, err
}
