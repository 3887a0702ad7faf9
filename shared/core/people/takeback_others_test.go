package people

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/provision"
	"bindery/shared/directory"
)

// Of whom the client has made and somebody else has dealt with since, what the client did
// later is put back: on the day of a roll-out, since midnight will do.
func TestTakeBackOfWhomItMadeToday(t *testing.T) {
	t.Parallel()
	p := newPushing(t)
	ctx := t.Context()
	since := p.now()
	ann := p.made("ann", map[string]string{"department": "Works"})
	_, err := p.Patch(ctx, admin, ann, []byte(`{"location":"Here"}`), 0)
	p.must(err)
	p.must(p.push(ann, map[string]string{"state": "suspended", "department": "Wrong"}))
	check, done := p.takeBack(since)
	if u := p.userNow(ann); u.Deleted != nil || u.State != directory.StateActive || u.Department != "Works" || u.Location != "Here" {
		t.Errorf("she is %+v, deleted %v", u.Profile, u.Deleted)
	}
	if done.Counts["edited"] != 1 || done.Counts["kept"] != 1 || check.Counts["edited"] != 1 {
		t.Errorf("counted %v and %v", check.Counts, done.Counts)
	}
	if r := p.refusals(done.ID); len(r) != 1 || !strings.Contains(r[0].Detail, "made it") || !strings.Contains(r[0].Detail, "edited by admin") {
		t.Errorf("told: %+v", r)
	}
}

// Whom somebody suspends by hand, though the client has suspended them, stays suspended.
func TestTakeBackOfWhomSomebodySuspendedAsWell(t *testing.T) {
	t.Parallel()
	p := newPushing(t)
	ann := p.made("ann", nil)
	since := p.now()
	p.must(p.push(ann, map[string]string{"state": "suspended"}))
	_, err := p.SetState(t.Context(), admin, ann, directory.StateSuspended, 0)
	p.must(err)
	_, done := p.takeBack(since)
	if u := p.userNow(ann); u.State != directory.StateSuspended {
		t.Errorf("she is %s", u.State)
	}
	if r := p.refusals(done.ID); len(r) != 1 || r[0].Code != directory.CodeChangedSince || !strings.Contains(r[0].Detail, "state (admin)") {
		t.Errorf("told: %+v", r)
	}
}

// A membership that others have brought stays theirs when the client names it.
func TestPushedMembersStayWhoseTheyAre(t *testing.T) {
	t.Parallel()
	p := newPushing(t)
	ctx := t.Context()
	ann, ben := p.made("ann", nil), p.made("ben", nil)
	g, err := p.groups.Create(ctx, admin, []byte(`{"name":"Hand"}`))
	p.must(err)
	byHand := []directory.MemberRef{directory.UserMember(ann)}
	_, err = p.groups.AddMembers(ctx, admin, g.ID, byHand, 0)
	p.must(err)
	changed, _, err := p.pushes.ChangeMembers(ctx, p.by, g.ID, []directory.UserID{ann, ben}, nil, nil)
	if p.must(err); !changed {
		t.Error("nothing was changed")
	}
	r, err := p.groups.RemoveMembers(ctx, admin, g.ID, []directory.MemberRef{directory.UserMember(ann), directory.UserMember(ben)}, 0)
	if p.must(err); !slices.Equal(r.Done, byHand) || len(r.Refused) != 1 || r.Refused[0].UserID != ben {
		t.Errorf("by hand: %+v", r)
	}
}

// A client that is deleted while its changes are taken back is waited for as one that is
// paused: a request that was under way lands, and is taken back.
func TestTakeBackOfAClientThatGoes(t *testing.T) {
	t.Parallel()
	p := newPushing(t)
	ctx := t.Context()
	ann := p.made("ann", map[string]string{"jobTitle": "Cook"})
	since := p.now()
	p.must(p.push(ann, map[string]string{"jobTitle": "One"}))
	j, err := p.back.Start(ctx, admin, p.client.ID, TakeBack{Since: since, Pause: true})
	p.must(err)
	p.must(p.clients.Delete(ctx, admin, p.client.ID, 0))
	start, late := p.now(), false
	for again := true; again; {
		var delay time.Duration
		again, delay, err = p.runner.Work(ctx, j.ID, p.Now().Add(time.Minute))
		p.must(err)
		if !late && delay > 0 {
			late = true
			p.must(p.push(ann, map[string]string{"jobTitle": "Late"}))
		}
		p.Advance(delay)
	}
	if u := p.userNow(ann); u.JobTitle != "Cook" || !late || p.now().Sub(start) < settling {
		t.Errorf("title %q, late %t, after %s", u.JobTitle, late, p.now().Sub(start))
	}
}

// A client that is let go on for a while, between two steps, has what it did then taken
// back as well.
func TestTakeBackOfAClientLetGoOnForAWhile(t *testing.T) {
	t.Parallel()
	p := newPushing(t)
	ctx := t.Context()
	ann := p.made("ann", map[string]string{"jobTitle": "Cook"})
	since := p.now()
	p.must(p.push(ann, map[string]string{"jobTitle": "One"}))
	j, err := p.back.Start(ctx, admin, p.client.ID, TakeBack{Since: since, Pause: true})
	p.must(err)
	_, delay, err := p.runner.Work(ctx, j.ID, p.Now().Add(time.Minute))
	p.must(err)
	p.Advance(delay)
	for _, paused := range []bool{false, true} {
		_, err = p.clients.Edit(ctx, admin, p.client.ID, provision.ClientEdit{Paused: &paused}, 0)
		p.must(err)
		if !paused {
			p.must(p.push(ann, map[string]string{"jobTitle": "Again"}))
		}
	}
	if done := p.run(j.ID); done.State != directory.JobDone {
		t.Errorf("%s, %v", done.State, done.Error)
	}
	if u := p.userNow(ann); u.JobTitle != "Cook" {
		t.Errorf("title %q", u.JobTitle)
	}
}

// What a client has changed that is deleted can be taken back as well.
func TestTakeBackOfADeletedClient(t *testing.T) {
	t.Parallel()
	p := newPushing(t)
	ctx := t.Context()
	ann := p.made("ann", map[string]string{"jobTitle": "Cook"})
	since := p.now()
	p.must(p.push(ann, map[string]string{"jobTitle": "One"}))
	p.must(p.clients.Delete(ctx, admin, p.client.ID, 0))
	j, err := p.back.Start(ctx, admin, p.client.ID, TakeBack{Since: since})
	p.must(err)
	done := p.run(j.ID)
	if u := p.userNow(ann); u.JobTitle != "Cook" || done.State != directory.JobDone {
		t.Errorf("title %q, %s %v", u.JobTitle, done.State, done.Error)
	}
	acts, _, err := p.store.Audit.ActsOn(ctx, directory.AccountOf(ann), since, "", 100)
	p.must(err)
	if last := acts[len(acts)-1]; !strings.Contains(last.Reason, `"Okta"`) {
		t.Errorf("the reason is %q", last.Reason)
	}
}

// Whom somebody has deleted before the client brought them back is deleted again, whether or
// not the client had made them since.
func TestTakeBackOfWhomItBroughtBackFromADeletionByHand(t *testing.T) {
	t.Parallel()
	for _, edited := range []bool{false, true} {
		p := newPushing(t)
		ctx := t.Context()
		since := p.now()
		ann := p.made("ann", map[string]string{"department": "Works"})
		bob := p.made("bob", nil)
		if edited {
			_, err := p.Patch(ctx, admin, ann, []byte(`{"location":"Here"}`), 0)
			p.must(err)
		}
		p.must(p.Delete(ctx, admin, ann, 0))
		if back := p.made("ann", nil); back != ann {
			t.Fatalf("%s came back", back)
		}
		_, err := p.Patch(ctx, admin, bob, []byte(`{"location":"There"}`), 0)
		p.must(err)
		p.must(p.dismiss(bob)) // whom the client itself brings back, it has brought back to the others
		p.made("bob", nil)
		check, done := p.takeBack(since)
		if u := p.userNow(ann); u.Deleted == nil {
			t.Errorf("she stays: %v", p.refusals(done.ID))
		}
		if u := p.userNow(bob); u.Deleted != nil {
			t.Error("he goes")
		}
		want := map[string]int{"deleted": 1, "edited": 1, "kept": 1} // of him, whose the state is
		if !maps.Equal(check.Counts, want) || !maps.Equal(done.Counts, want) {
			t.Errorf("counted %v and %v, want %v", check.Counts, done.Counts, want)
		}
	}
}

// Whom the client has taken out of a group and somebody has deleted since is not put back
// into it, which a dry run knows; whom the client has deleted as well is put back, and in.
func TestTakeBackOfMembershipsOfTheDeleted(t *testing.T) {
	t.Parallel()
	p := newPushing(t)
	ctx := t.Context()
	ann, bob := p.made("ann", nil), p.made("bob", nil)
	g, err := p.groups.Create(ctx, admin, []byte(`{"name":"Crew"}`))
	p.must(err)
	_, err = p.groups.AddMembers(ctx, admin, g.Group.ID, []directory.MemberRef{directory.UserMember(ann), directory.UserMember(bob)}, 0)
	p.must(err)
	since := p.now()
	_, _, err = p.pushes.ChangeMembers(ctx, p.by, g.Group.ID, nil, []directory.UserID{ann, bob}, nil)
	p.must(err)
	p.must(p.Delete(ctx, admin, ann, 0))
	p.must(p.dismiss(bob))
	check, done := p.takeBack(since)
	want := map[string]int{"restored": 1, "membersAdded": 1, "kept": 1}
	if !maps.Equal(check.Counts, want) || !maps.Equal(done.Counts, want) {
		t.Errorf("counted %v and %v, want %v", check.Counts, done.Counts, want)
	}
	if a, b := p.refusals(check.ID), p.refusals(done.ID); len(a) != 1 || len(b) != 1 || a[0].Code != b[0].Code {
		t.Errorf("told %+v and %+v", a, b)
	}
}
