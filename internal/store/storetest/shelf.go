package storetest

import (
	"testing"
	"time"

	"batuta"
	"batuta/pipeline"
)

// release makes the release of a run.
func release(t *testing.T, l *lab, lease pipeline.Lease, n int) batuta.Release {
	t.Helper()
	r, err := l.AddRelease(t.Context(), lease, batuta.Release{
		Revision:  revision(n),
		Message:   "Change the colour",
		Images:    map[batuta.ImageName]batuta.Image{"web": {Repository: "localhost/portal/web", Digest: "sha256:aa"}},
		Pins:      map[string]batuta.Image{"postgres:17": {Repository: "docker.io/library/postgres", Digest: "sha256:bb"}},
		Order:     []batuta.EnvironmentName{"qa", "production"},
		Documents: map[batuta.EnvironmentName]string{"qa": "batuta: 1\n# <é>\n"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func numbers(t *testing.T, l *lab) {
	one := l.claim(l.accept(push("portal", "main", 1)))
	two := l.claim(l.accept(push("portal", "next", 2)))
	shop := l.claim(l.accept(push("shop", "main", 3)))
	first := release(t, l, one, 1)
	again, err := l.AddRelease(t.Context(), one, batuta.Release{Revision: revision(9)})
	l.must(err)
	l.same("the release of the same run", again, first)
	second, other := release(t, l, two, 2), release(t, l, shop, 3)
	if first.Number != 1 || second.Number != 2 || other.Number != 1 || other.App != "shop" || second.Run != two.Run || first.Created.IsZero() {
		t.Errorf("releases are %+v, %+v, %+v", first, second, other)
	}
	l.restart()
	kept, err := l.Release(t.Context(), "portal", 2)
	l.must(err)
	l.same("release 2", kept, second)
	all, err := l.Releases(t.Context(), "portal", 10)
	l.must(err)
	l.same("releases", all, []batuta.Release{second, first})
	newest, err := l.Releases(t.Context(), "portal", 1)
	l.must(err)
	l.same("the newest release", newest, []batuta.Release{second})
	_, err = l.Release(t.Context(), "portal", 7)
	l.refused(err, batuta.NotFound, "portal has no release 7")
}

func deploys(t *testing.T, l *lab) {
	lease := l.claim(l.accept(push("portal", "main", 1)))
	_, err := l.BeginDeployment(t.Context(), lease, batuta.Deployment{Environment: "qa", Release: 1})
	l.refused(err, batuta.NotFound, "portal has no release 1")
	release(t, l, lease, 1)
	d, err := l.BeginDeployment(t.Context(), lease, batuta.Deployment{Environment: "qa", Release: 1, By: "ana"})
	l.must(err)
	l.same("deployment", d, batuta.Deployment{
		ID: d.ID, App: "portal", Environment: "qa", Release: 1, Run: lease.Run, Status: batuta.Applying, By: "ana", Started: d.Started,
	})
	again, err := l.BeginDeployment(t.Context(), lease, batuta.Deployment{Environment: "qa", Release: 1, By: "ben"})
	l.must(err)
	l.same("the same deployment again", again, d)

	l.refused(l.EndDeployment(t.Context(), lease, d.ID, batuta.Applying, ""), batuta.Invalid, "applying is not an end")
	l.must(l.EndDeployment(t.Context(), lease, d.ID, batuta.RolledBack, "web-1 exited"))
	l.must(l.EndDeployment(t.Context(), lease, d.ID, batuta.RolledBack, "again"))
	l.refused(l.EndDeployment(t.Context(), lease, d.ID, batuta.Live, ""), batuta.Conflict, "it ended before, rolled back")
	l.refused(l.EndDeployment(t.Context(), lease, 99, batuta.Live, ""), batuta.NotFound, "run 1 has no deployment 99")
	other := l.claim(l.accept(push("shop", "main", 2)))
	l.refused(l.EndDeployment(t.Context(), other, d.ID, batuta.RolledBack, ""), batuta.NotFound, "run 2 has no deployment 1")

	ended, err := l.BeginDeployment(t.Context(), lease, batuta.Deployment{Environment: "qa", Release: 1})
	l.must(err)
	if ended.Status != batuta.RolledBack || ended.Error != "web-1 exited" || ended.Ended.IsZero() {
		t.Errorf("the ended deployment is %+v", ended)
	}
}

func knowsCurrent(t *testing.T, l *lab) {
	deploy := func(n int, env batuta.EnvironmentName, status batuta.DeploymentStatus) batuta.DeploymentID {
		t.Helper()
		lease := l.claim(l.accept(push("portal", "main", n)))
		release(t, l, lease, n)
		d, err := l.BeginDeployment(t.Context(), lease, batuta.Deployment{Environment: env, Release: batuta.ReleaseNumber(n)})
		l.must(err)
		if status != batuta.Applying {
			l.must(l.EndDeployment(t.Context(), lease, d.ID, status, ""))
		}
		l.end(lease, batuta.RunSucceeded)
		return d.ID
	}
	_, err := l.Current(t.Context(), "portal", "qa")
	l.refused(err, batuta.NotFound, "nothing of portal was deployed to qa")
	deploy(1, "qa", batuta.Live)
	want := deploy(2, "qa", batuta.Live)
	deploy(3, "production", batuta.Live)
	deploy(4, "qa", batuta.RolledBack)
	last := deploy(5, "qa", batuta.Applying)
	l.restart()
	d, err := l.Current(t.Context(), "portal", "qa")
	l.must(err)
	if d.ID != want || d.Release != 2 || d.Status != batuta.Live {
		t.Errorf("current is %+v, want deployment %d", d, want)
	}
	environments, err := l.Deployed(t.Context(), "portal")
	l.must(err)
	l.same("the environments", environments, []batuta.EnvironmentName{"production", "qa"})
	everywhere, err := l.Deployments(t.Context(), "portal", "", 10)
	l.must(err)
	if len(everywhere) != 5 {
		t.Errorf("%d deployments in all, want 5", len(everywhere))
	}
	all, err := l.Deployments(t.Context(), "portal", "qa", 3)
	l.must(err)
	if len(all) != 3 || all[0].ID != last || all[2] != d {
		t.Errorf("deployments are %+v", all)
	}
}

func audits(t *testing.T, l *lab) {
	entries := []batuta.Entry{
		{By: "ana", Action: "push accepted", App: "portal", Object: "run 1", Detail: "line\n\"two\""},
		{By: "gitea", Action: "webhook refused", App: "shop", Detail: "bad \xff bytes\x00"},
		{By: "ben", Action: "promotion asked", App: "portal", Object: "production"},
	}
	for _, e := range entries {
		l.must(l.Audit(t.Context(), e))
	}
	l.restart()
	if whole, err := l.VerifyAudit(t.Context()); whole != 3 || err != nil {
		t.Errorf("%d rows are whole: %v", whole, err)
	}
	got, err := l.Entries(t.Context(), "", 10)
	l.must(err)
	if len(got) != 3 || got[1].At.IsZero() {
		t.Fatalf("the trail is %+v", got)
	}
	entries[1].Detail = "bad \uFFFD bytes\x00"
	for i, e := range entries {
		e.At = got[2-i].At
		l.same("entry", got[2-i], e)
	}
	portal, err := l.Entries(t.Context(), "portal", 1)
	l.must(err)
	l.same("the newest of portal", portal, got[:1])
}

// auditsChanges looks for the lines that come with what they tell.
func auditsChanges(t *testing.T, l *lab) {
	asked, err := l.Enqueue(t.Context(), batuta.Run{App: "portal", Kind: batuta.RunRollback, Environment: "qa", Release: 1, Approved: "f00d", By: "ana"})
	l.must(err)
	_, err = l.Cancel(t.Context(), asked, "ben")
	l.must(err)
	_, err = l.Cancel(t.Context(), asked, "again, when it has ended")
	l.must(err)
	lease := l.claim(l.accept(push("portal", "main", 1)))
	_, err = l.Cancel(t.Context(), lease.Run, "cleo")
	l.must(err)
	release(t, l, lease, 1)
	d, err := l.BeginDeployment(t.Context(), lease, batuta.Deployment{Environment: "qa", Release: 1, By: "dan"})
	l.must(err)
	l.must(l.EndDeployment(t.Context(), lease, d.ID, batuta.Live, ""))
	l.must(l.EndDeployment(t.Context(), lease, d.ID, batuta.Live, ""))

	got, err := l.Entries(t.Context(), "portal", 10)
	l.must(err)
	for i := range got {
		got[i].At = time.Time{}
	}
	l.same("the trail", got, []batuta.Entry{
		{By: "dan", Action: "deployment live", App: "portal", Object: "qa", Detail: "release 1, run 2"},
		{By: "cleo", Action: "cancel asked", App: "portal", Detail: "run 2, running"},
		{By: "ben", Action: "cancel asked", App: "portal", Detail: "run 1, queued"},
		{By: "ana", Action: "rollback asked", App: "portal", Object: "qa", Detail: "run 1, release 1, plan f00d"},
	})
}
