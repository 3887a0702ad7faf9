package people

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/jobs"
	"bindery/shared/core/provision"
	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table"
	"bindery/shared/table/memory"
)

// pushing is a world with a client that pushes.
type pushing struct {
	*world
	pushes  *Pushes
	clients *provision.Clients
	client  directory.ScimClient
	by      directory.Caller
	back    *TakeBacks
}

func newPushing(t *testing.T) *pushing {
	t.Helper()
	w := newWorld(t)
	w.step = time.Millisecond
	w.store = w.Seal(sealer{})
	w.join()
	p := &pushing{world: w}
	p.pushes = NewPushes(UsersConfig{Stores: StoresOf(w.store), Wake: w, Now: w.now})
	p.clients = provision.New(provision.Config{Records: w.store.ScimClients, Now: w.now})
	name := "Okta"
	var err error
	p.client, err = p.clients.Create(t.Context(), admin, provision.ClientEdit{Name: &name})
	w.must(err)
	p.by = directory.Caller{Subject: string(p.client.ID), Client: name, Source: directory.SourceSCIM}
	p.back = NewTakeBacks(TakeBacksConfig{Stores: StoresOf(w.store), Acts: w.store.Audit, Users: w.Users, Groups: w.groups, Clients: p.clients, Jobs: w.started, Now: w.now})
	w.runner = jobs.NewRunner(jobs.RunnerConfig{Store: w.store.Jobs, Now: w.now, Kinds: map[directory.JobKind]jobs.Kind{
		directory.JobTakeBack: p.back.TakeBack, directory.JobCheckTakeBack: p.back.TakeBack,
	}})
	return p
}

// made is a user whom the client pushes.
func (p *pushing) made(name string, texts map[string]string) directory.UserID {
	p.t.Helper()
	edit := map[string]string{"email": name + "@corp.example", "userName": name + "@corp.example"}
	maps.Copy(edit, texts)
	external := cmp.Or(edit["externalId"], "x-"+name)
	delete(edit, "externalId")
	r, err := p.pushes.Create(p.t.Context(), p.by, &p.client, UserPush{Edit: edit, ExternalID: external, Body: []byte(`{}`)}, func(now *PushedUser) (UserPush, error) {
		return UserPush{Edit: map[string]string{"state": "active"}, ExternalID: now.Document.ExternalID, Body: now.Document.Body}, nil
	})
	p.must(err)
	return r.User.ID
}

// push is an edit by the client.
func (p *pushing) push(id directory.UserID, texts map[string]string) error {
	_, err := p.pushes.Edit(p.t.Context(), p.by, &p.client, id, func(now *PushedUser) (UserPush, error) {
		ext := now.Document.ExternalID
		if to, said := texts["externalId"]; said {
			ext = to
		}
		edit := maps.Clone(texts)
		delete(edit, "externalId")
		return UserPush{Edit: edit, ExternalID: ext, Body: []byte(`{"n":1}`)}, nil
	})
	return err
}

func (p *pushing) dismiss(id directory.UserID) error {
	return p.pushes.Delete(p.t.Context(), p.by, &p.client, id, func(*PushedUser) error { return nil })
}

// takeBack pauses the client and takes back, after a count of the same.
func (p *pushing) takeBack(since time.Time) (check, done store.JobRecord) {
	p.t.Helper()
	j, err := p.back.Start(p.t.Context(), admin, p.client.ID, TakeBack{Since: since, DryRun: true})
	p.must(err)
	before := p.whole()
	check = p.run(j.ID)
	if after := p.whole(); !reflect.DeepEqual(before, after) {
		p.t.Errorf("a dry run has changed %v to %v", before, after)
	}
	if j, err = p.back.Start(p.t.Context(), admin, p.client.ID, TakeBack{Since: since, Pause: true}); err != nil {
		p.t.Fatal(err)
	}
	done = p.run(j.ID)
	if check.ScimClientID != p.client.ID || done.ScimClientID != p.client.ID {
		p.t.Errorf("the jobs are about the clients %q and %q", check.ScimClientID, done.ScimClientID)
	}
	if check.State != directory.JobDone || done.State != directory.JobDone {
		p.t.Fatalf("%s (%v) and %s (%v)", check.State, check.Error, done.State, done.Error)
	}
	return check, done
}

// whole is what a directory holds, but for who edited it when.
func (p *pushing) whole() map[string]string {
	p.t.Helper()
	out := map[string]string{}
	keep := func(*directory.User) bool { return true }
	for _, list := range []func(context.Context, string, int, func(*directory.User) bool) (store.UserPage, error){p.store.Users.ListUsers, p.store.Users.ListDeletedUsers} {
		for cursor := ""; ; {
			page, err := list(p.t.Context(), cursor, 100, keep)
			p.must(err)
			for _, u := range page.Users {
				out[string(u.ID)] = fmt.Sprintf("%+v %v deleted %t", u.Profile, u.Owners, u.Deleted != nil)
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
	}
	for cursor := ""; ; {
		page, err := p.store.Groups.ListGroups(p.t.Context(), cursor, 100, func(*directory.Group) bool { return true })
		p.must(err)
		for _, g := range page.Groups {
			out[string(g.ID)] = fmt.Sprintf("%+v %v deleted %t", g.GroupProfile, g.Owners, g.Deleted != nil)
			list, _, err := p.store.Groups.Members(p.t.Context(), store.MembersQuery{Group: g.ID, Limit: 500})
			p.must(err)
			for _, m := range list {
				out[string(g.ID)+" "+m.Member.ID] = "member"
			}
		}
		if cursor = page.Next; cursor == "" {
			return out
		}
	}
}

func (p *pushing) userNow(id directory.UserID) directory.User {
	p.t.Helper()
	u, err := p.Get(p.t.Context(), id)
	p.must(err)
	return u
}

// What the client has changed is as it was, with whose it was; what somebody else has
// changed since stays, and is told.
func TestTakeBack(t *testing.T) {
	t.Parallel()
	p := newPushing(t)
	ctx := t.Context()
	edited := p.user(`{"email":"ann@corp.example","department":"Works","phones":{"work":"1"},"customAttributes":{"badge":"7"}}`, admin)
	suspended := p.made("ben", map[string]string{"department": "Sales"})
	asleep := p.made("cyd", nil)
	p.must(p.push(asleep, map[string]string{"state": "suspended"}))
	dismissed := p.made("dee", map[string]string{"jobTitle": "Cook"})
	contested := p.made("eve", map[string]string{"department": "Sales", "jobTitle": "Cook"})
	dead := p.made("fay", nil)
	p.must(p.Delete(ctx, p.by, dead, 0))
	group, err := p.pushes.CreateGroup(ctx, p.by, &p.client, GroupPush{Name: "Crew", ExternalID: "g1"})
	p.must(err)
	other, err := p.groups.Create(ctx, admin, []byte(`{"name":"Others"}`))
	p.must(err)
	_, _, err = p.pushes.ChangeMembers(ctx, p.by, group.Group.ID, []directory.UserID{suspended, asleep}, nil, nil)
	p.must(err)
	_, err = p.groups.AddMembers(ctx, admin, other.ID, []directory.MemberRef{directory.UserMember(edited.ID)}, 0)
	p.must(err)
	before := p.whole()
	since := p.now()

	p.must(p.push(edited.ID, map[string]string{"department": "Wrong", "phones.work": "2", "customAttributes.badge": "", "externalId": "x-ann"}))
	p.must(p.push(edited.ID, map[string]string{"department": "Worse"}))
	p.must(p.push(suspended, map[string]string{"state": "suspended"}))
	p.must(p.push(asleep, map[string]string{"state": "active", "email": "cy@corp.example"}))
	p.must(p.push(dismissed, map[string]string{"jobTitle": ""}))
	p.must(p.dismiss(dismissed))
	p.must(p.push(contested, map[string]string{"state": "suspended", "externalId": "x-eva"}))
	_, err = p.SetState(ctx, p.by, contested, directory.StateActive, 0) // of whom it is
	p.must(err)
	if back := p.made("fay", nil); back != dead {
		t.Fatalf("%s came back, not %s", back, dead)
	}
	created := p.made("cyd", map[string]string{"externalId": "x-new", "userName": "new"}) // with an address that was freed
	touched := p.made("gus", nil)
	_, err = p.Patch(ctx, admin, touched, []byte(`{"location":"Here"}`), 0)
	p.must(err)
	_, _, err = p.pushes.ChangeMembers(ctx, p.by, group.Group.ID, []directory.UserID{contested}, []directory.UserID{suspended}, nil)
	p.must(err)
	_, _, err = p.pushes.ChangeMembers(ctx, p.by, other.ID, nil, []directory.UserID{edited.ID}, nil)
	p.must(err)
	_, err = p.pushes.EditGroup(ctx, p.by, &p.client, group.Group.ID, func(now *PushedGroup) (GroupPush, error) {
		return GroupPush{Name: "Mob", ExternalID: "g2"}, nil
	})
	p.must(err)
	p.must(p.pushes.DeleteGroup(ctx, p.by, &p.client, other.ID, func(*PushedGroup) error { return nil }))
	fresh, err := p.pushes.CreateGroup(ctx, p.by, &p.client, GroupPush{Name: "Crew", ExternalID: "g3"}) // the name was freed
	p.must(err)
	_, _, err = p.pushes.ChangeMembers(ctx, p.by, fresh.Group.ID, []directory.UserID{suspended}, nil, nil)
	p.must(err)

	check, done := p.takeBack(since)
	want := map[string]int{"edited": 4, "restored": 1, "deleted": 2, "groupsEdited": 1, "groupsRestored": 1, "groupsDeleted": 1, "membersAdded": 2, "membersRemoved": 1, "kept": 1}
	if !maps.Equal(done.Counts, want) || !maps.Equal(check.Counts, want) {
		t.Errorf("counts %v, and in a dry run %v; want %v (%v)", done.Counts, check.Counts, want, p.refusals(done.ID))
	}
	after := p.whole()
	for key, was := range before {
		if is := after[key]; is != was {
			t.Errorf("%s was %s and is %s", key, was, is)
		}
	}
	if u := p.userNow(created); u.Deleted == nil {
		t.Error("a user whom the client made is still there")
	}
	if u := p.userNow(touched); u.Deleted != nil || u.Location != "Here" {
		t.Errorf("whom somebody else has edited is %+v", u)
	}
	if r := p.refusals(done.ID); len(r) != 1 || r[0].UserID != touched || r[0].Code != directory.CodeChangedSince || !strings.Contains(r[0].Detail, "admin") {
		t.Errorf("told: %+v", r)
	}
	// What the client is shown follows, and the old externalId leads to them again.
	if found, err := p.pushes.Find(ctx, &p.client, UserKey{ExternalID: "x-eve"}); err != nil || len(found) != 1 || found[0].Document.ExternalID != found[0].User.ExternalID {
		t.Errorf("by the old externalId: %+v, %v", found, err)
	}
	if found, err := p.pushes.FindGroups(ctx, &p.client, GroupKey{ExternalID: "g1"}); err != nil || len(found) != 1 {
		t.Errorf("by the group's old externalId: %+v, %v", found, err)
	}
	// It is on record, each edit with the reason; and a second time there is nothing to do.
	acts, _, err := p.store.Audit.ActsOn(ctx, directory.AccountOf(suspended), since, "", 100)
	p.must(err)
	if last := acts[len(acts)-1]; last.JobID != done.ID || last.By != admin.Subject || !strings.Contains(last.Reason, `"Okta"`) {
		t.Errorf("the last act is %+v", last.AuditEvent)
	}
	if _, again := p.takeBack(since); again.Counts["kept"] != 1 || len(again.Counts) != 2 {
		t.Errorf("a second time: %v, %v", again.Counts, p.refusals(again.ID))
	}
	if !reflect.DeepEqual(after, p.whole()) {
		t.Error("a second time, something was changed")
	}
}

// Without being asked to, a client that may push is not waited for: the request is refused,
// and a job whose client is let go on in between fails and says so.
func TestTakeBackOfAClientThatPushes(t *testing.T) {
	t.Parallel()
	p := newPushing(t)
	ctx := t.Context()
	since := p.now()
	id := p.made("ann", nil)
	for _, test := range []struct {
		client directory.ScimClientID
		as     TakeBack
		code   string
	}{
		{p.client.ID, TakeBack{Since: since}, directory.CodeScimClientNotPaused},
		{p.client.ID, TakeBack{Since: since.Add(time.Hour), Pause: true}, directory.CodeInvalidSince},
		{p.client.ID, TakeBack{Pause: true}, directory.CodeInvalidSince},
		{p.client.ID, TakeBack{Since: since.Add(-401 * 24 * time.Hour), DryRun: true}, directory.CodeInvalidSince},
		{"scc_none", TakeBack{Since: since}, directory.CodeScimClientNotFound},
	} {
		if _, err := p.back.Start(ctx, admin, test.client, test.as); codeOf(err) != test.code {
			t.Errorf("%+v: %v, want %s", test.as, err, test.code)
		}
	}
	if c, err := p.clients.Get(ctx, p.client.ID); err != nil || c.Paused {
		t.Error("a request that was refused has paused the client")
	}
	j, err := p.back.Start(ctx, admin, p.client.ID, TakeBack{Since: since, Pause: true})
	p.must(err)
	paused := false
	_, err = p.clients.Edit(ctx, admin, p.client.ID, provision.ClientEdit{Paused: &paused}, 0)
	p.must(err)
	if done := p.run(j.ID); done.State != directory.JobFailed || done.Error == nil || done.Error.Code != directory.CodeScimClientNotPaused {
		t.Errorf("%s, %+v", done.State, done.Error)
	}
	if u := p.userNow(id); u.Deleted != nil {
		t.Error("it took back all the same")
	}
}

// An act that is not as it was written puts nothing back, neither by itself nor by those
// behind it.
func TestTakeBackOfForgedActs(t *testing.T) {
	t.Parallel()
	p := newPushing(t)
	ctx := t.Context()
	id := p.user(`{"email":"ann@corp.example","department":"Works"}`, admin).ID
	group, err := p.groups.Create(ctx, admin, []byte(`{"name":"Crew"}`))
	p.must(err)
	since := p.now()
	p.must(p.push(id, map[string]string{"department": "Sales"}))
	_, _, err = p.pushes.ChangeMembers(ctx, p.by, group.ID, []directory.UserID{id}, nil, nil)
	p.must(err)
	page, err := p.table.Query(ctx, table.Query{Partition: fmt.Sprintf("ACTS#%08d", since.Unix()/3600)})
	p.must(err)
	for _, it := range page.Items {
		it.Body = []byte(strings.NewReplacer("Works", "Admins", "add-members", "remove-members").Replace(string(it.Body)))
		p.must(p.table.Write(ctx, table.Write{Put: &it}))
	}
	_, done := p.takeBack(since)
	if u := p.userNow(id); u.Department != "Sales" {
		t.Errorf("the department is %s", u.Department)
	}
	if r := codes(p.refusals(done.ID)); r[directory.CodeNotRecorded] != 2 || len(r) != 1 {
		t.Errorf("told: %v", r)
	}
}

// sealer seals by a digest, which is enough against whoever does not make one anew.
type sealer struct{}

func (sealer) Seal(_ context.Context, m []byte) (string, error) {
	return fmt.Sprintf("%x", sha256.Sum256(m)), nil
}

func (s sealer) Sealed(ctx context.Context, m []byte, seal string) (bool, error) {
	ours, err := s.Seal(ctx, m)
	return seal == ours, err
}

// A request that was under way when the client was paused lands after most of the job is
// done, and is taken back all the same.
func TestTakeBackOfALateRequest(t *testing.T) {
	t.Parallel()
	p := newPushing(t)
	ctx := t.Context()
	ann, ben := p.made("ann", nil), p.made("ben", nil)
	since := p.now()
	p.must(p.push(ann, map[string]string{"state": "suspended"}))
	j, err := p.back.Start(ctx, admin, p.client.ID, TakeBack{Since: since, Pause: true})
	p.must(err)
	again, delay, err := p.runner.Work(ctx, j.ID, p.Now().Add(time.Minute))
	if p.must(err); !again || delay < 20*time.Second || p.userNow(ann).State != directory.StateActive {
		t.Fatalf("again %t after %s", again, delay)
	}
	p.must(p.push(ben, map[string]string{"state": "suspended"}))
	p.Advance(delay)
	if done := p.run(j.ID); done.Counts["edited"] != 2 || done.Total != 2 || p.userNow(ben).State != directory.StateActive {
		t.Errorf("%+v", done.Job)
	}
}

// lookedAt are clients, and what happens before the job looks at one of them.
type lookedAt struct {
	*provision.Clients
	before func()
}

func (l *lookedAt) Get(ctx context.Context, id directory.ScimClientID) (directory.ScimClient, error) {
	l.before()
	return l.Clients.Get(ctx, id)
}

// A client that is let go on during a take-back, pushes, and is then deleted: whenever that
// happens, what it pushed is taken back, or the job says that it may have pushed.
func TestTakeBackOfAClientLetGoAndDeleted(t *testing.T) {
	t.Parallel()
	failed := 0
	for at := 1; ; at++ {
		p := newPushing(t)
		ctx := t.Context()
		var people []directory.UserID
		for i := range actsAtOnce + 5 { // more than one step deals with
			people = append(people, p.made(fmt.Sprint("u", i), nil))
		}
		since := p.now()
		for _, id := range people {
			p.must(p.push(id, map[string]string{"department": "Sales"}))
		}
		looks, running := 0, false
		clients := &lookedAt{p.clients, func() {
			if looks++; !running || looks != at {
				return
			}
			running = false // what happens now looks at the client itself
			paused := false
			_, err := p.clients.Edit(ctx, admin, p.client.ID, provision.ClientEdit{Paused: &paused}, 0)
			p.must(err)
			p.must(p.push(people[0], map[string]string{"department": "Admins"}))
			p.must(p.clients.Delete(ctx, admin, p.client.ID, 0))
		}}
		p.back.clients = clients
		j, err := p.back.Start(ctx, admin, p.client.ID, TakeBack{Since: since, Pause: true})
		p.must(err)
		looks, running = 0, true
		p.Advance(time.Minute)
		done := p.run(j.ID)
		if looks < at {
			if failed == 0 {
				t.Error("it never happened behind the last look at somebody")
			}
			return
		}
		switch is := p.userNow(people[0]).Department; {
		case done.State == directory.JobDone && is == "":
		case done.State == directory.JobFailed && done.Error != nil && done.Error.Code == directory.CodeScimClientNotPaused:
			failed++
		default:
			t.Errorf("at look %d: %s (%v), and the department is %q", at, done.State, done.Error, is)
		}
	}
}

// What somebody else has got meanwhile stays theirs, and everything but that is put back;
// what the client's own stand in the way of is put back after these.
func TestTakeBackInTheWayOfOthers(t *testing.T) {
	t.Parallel()
	p := newPushing(t)
	ctx := t.Context()
	chief := p.made("chief", nil)
	boss := p.made("boss", map[string]string{"managerId": string(chief)})
	ann := p.made("ann", map[string]string{"managerId": string(boss), "department": "Works"})
	ben, cyd, dee := p.made("ben", map[string]string{"department": "Works"}), p.made("cyd", nil), p.made("dee", nil)
	orphan := p.made("eve", map[string]string{"managerId": string(dee), "department": "Works"})
	crew, err := p.groups.Create(ctx, admin, []byte(`{"name":"Crew"}`))
	p.must(err)
	before := p.whole()
	since := p.now()
	p.must(p.push(ann, map[string]string{"managerId": "", "department": ""})) // before the boss goes, who is put back behind
	p.must(p.push(boss, map[string]string{"managerId": ""}))
	p.must(p.dismiss(boss))
	p.must(p.dismiss(chief))
	p.must(p.push(orphan, map[string]string{"managerId": "", "department": ""}))
	p.must(p.push(ben, map[string]string{"email": "bob@corp.example", "userName": "bob@corp.example", "department": ""}))
	p.must(p.dismiss(cyd))
	p.must(p.Delete(ctx, directory.Caller{Subject: "okta", Source: directory.SourceSCIM}, dee, 0)) // by another one of the source
	_, err = p.pushes.EditGroup(ctx, p.by, &p.client, crew.ID, func(*PushedGroup) (GroupPush, error) { return GroupPush{Name: "Mob", ExternalID: "g1"}, nil })
	p.must(err)
	p.user(`{"email":"ben@corp.example"}`, admin)
	p.user(`{"email":"cyd@corp.example"}`, admin)
	_, err = p.groups.Create(ctx, admin, []byte(`{"name":"Crew"}`))
	p.must(err)

	_, done := p.takeBack(since)
	after := p.whole()
	if after[string(ann)] != before[string(ann)] || after[string(boss)] != before[string(boss)] {
		t.Errorf("ann is %s, her boss %s; want %s and %s", after[string(ann)], after[string(boss)], before[string(ann)], before[string(boss)])
	}
	if u := p.userNow(ben); u.Email != "bob@corp.example" || u.Department != "Works" {
		t.Errorf("ben is %+v", u.Profile)
	}
	if u := p.userNow(orphan); u.ManagerID != "" || u.Department != "Works" {
		t.Errorf("eve is %+v", u.Profile)
	}
	if u := p.userNow(cyd); u.Deleted == nil {
		t.Error("cyd is there, whose address is somebody else's")
	}
	if g, err := p.groups.Get(ctx, crew.ID); err != nil || g.Name != "Mob" || g.ExternalID != "" {
		t.Errorf("the group is %+v, %v", g, err)
	}
	want := map[string]int{directory.CodeEmailTaken: 2, directory.CodeUserNameTaken: 1, directory.CodeGroupNameTaken: 1, directory.CodeInvalidUser: 1}
	if got := codes(p.refusals(done.ID)); !maps.Equal(got, want) {
		t.Errorf("told: %v, want %v (%v)", got, want, p.refusals(done.ID))
	}
}

// What is to be put back, by what was done.
func TestDecideWhatToPutBack(t *testing.T) {
	t.Parallel()
	const client, ada = "scc_1", "ada"
	set := func(by, before, after string) store.Act {
		a := store.Act{AuditEvent: directory.AuditEvent{Kind: directory.AuditEditUser, By: by, Properties: []directory.PropertyChange{{Name: "department", Before: textOrNone(before), After: textOrNone(after)}}}}
		if by == client {
			a.Source = directory.SourceSCIM
		}
		return a
	}
	did := func(by string, kind directory.AuditKind) store.Act {
		a := set(by, "", "")
		a.Kind, a.Properties = kind, nil
		return a
	}
	for _, test := range []struct {
		name    string
		acts    []store.Act
		now     string
		deleted bool
		want    string // what is done
	}{
		{"changed once", []store.Act{set(client, "a", "b")}, "b", false, "department=a"},
		{"changed twice", []store.Act{set(client, "a", "b"), set(client, "b", "c")}, "c", false, "department=a"},
		{"emptied", []store.Act{set(client, "a", "")}, "", false, "department=a"},
		{"filled", []store.Act{set(client, "", "a")}, "a", false, "department="},
		{"there and back", []store.Act{set(client, "a", "b"), set(client, "b", "a")}, "a", false, ""},
		{"somebody later", []store.Act{set(client, "a", "b"), set(ada, "b", "c")}, "c", false, "kept department (ada)"},
		{"somebody later, to what the client set", []store.Act{set(client, "a", "b"), set(ada, "b", "c"), set(ada, "c", "b")}, "b", false, "kept department (ada)"},
		{"somebody put it back", []store.Act{set(client, "a", "b"), set(ada, "b", "a")}, "a", false, ""},
		{"somebody in between", []store.Act{set(client, "a", "b"), set(ada, "b", "c"), set(client, "c", "d")}, "d", false, "department=c"},
		{"something unrecorded later", []store.Act{set(client, "a", "b")}, "x", false, "kept department"},
		{"something unrecorded in between", []store.Act{set(client, "a", "b"), set(client, "x", "c")}, "c", false, "department=x"},
		{"only somebody else", []store.Act{set(ada, "a", "b")}, "b", false, ""},
		{"made", []store.Act{did(client, directory.AuditCreateUser), set(client, "a", "b")}, "b", false, "remove"},
		{"made and gone", []store.Act{did(client, directory.AuditCreateUser), did(client, directory.AuditDeleteUser)}, "", true, ""},
		{"made, and somebody edits", []store.Act{did(client, directory.AuditCreateUser), set(ada, "a", "b")}, "b", false, "stays edited by ada"},
		{"made and bound", []store.Act{did(client, directory.AuditCreateUser), did(ada, directory.AuditBind)}, "", false, "stays bound by ada"},
		{"made and bound, then changed", []store.Act{did(client, directory.AuditCreateUser), did(ada, directory.AuditBind), set(client, "a", "b")}, "b", false, "department=a stays bound by ada"},
		{"made and bound, then deleted", []store.Act{did(client, directory.AuditCreateUser), did(ada, directory.AuditBind), did(client, directory.AuditDeleteUser)}, "", true, "restore"},
		{"made and bound, deleted, and back", []store.Act{did(client, directory.AuditCreateUser), did(ada, directory.AuditBind), did(client, directory.AuditDeleteUser), did(client, directory.AuditRestoreUser)}, "", false, "stays bound by ada"},
		{"made and bound, deleted by somebody", []store.Act{did(client, directory.AuditCreateUser), did(ada, directory.AuditBind), did(ada, directory.AuditDeleteUser)}, "", true, ""},
		{"made, and bound by itself", []store.Act{did(client, directory.AuditCreateUser), did(directory.BySystem, directory.AuditBind)}, "", false, "remove"},
		{"deleted", []store.Act{set(client, "a", "b"), did(client, directory.AuditDeleteUser)}, "b", true, "department=a restore"},
		{"deleted, restored by somebody", []store.Act{did(client, directory.AuditDeleteUser), did(ada, directory.AuditRestoreUser)}, "", false, ""},
		{"deleted by somebody", []store.Act{set(client, "a", "b"), did(ada, directory.AuditDeleteUser)}, "b", true, "kept department (ada)"},
		{"brought back", []store.Act{did(client, directory.AuditRestoreUser)}, "", false, "remove"},
		{"brought back, and somebody edits", []store.Act{did(client, directory.AuditRestoreUser), set(ada, "a", "b")}, "b", false, "kept that it is there (edited by ada)"},
	} {
		p := newPast(taker{client: client, job: "job_1"}, directory.AccountOf("usr_1"))
		for i, a := range test.acts {
			a.Place = fmt.Sprint(i)
			p.add(&a)
		}
		b := p.decide(standing{text: func(string) string { return test.now }, deleted: test.deleted})
		var got []string
		for path, text := range b.texts {
			got = append(got, path+"="+text)
		}
		if b.restore {
			got = append(got, "restore")
		}
		if b.remove {
			got = append(got, "remove")
		}
		for _, k := range b.kept {
			what := "kept " + k.what
			if k.by != "" {
				what += " (" + k.by + ")"
			}
			got = append(got, what)
		}
		if b.stays != "" {
			got = append(got, "stays "+b.stays)
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: %q, want %q", test.name, strings.Join(got, " "), test.want)
		}
	}
}

// Whose an attribute was goes with its value: it is put back when that is, or when that has
// not changed, and stays with a value that stays.
func TestDecideWhoseItIs(t *testing.T) {
	t.Parallel()
	took := store.Act{Place: "1", AuditEvent: directory.AuditEvent{Kind: directory.AuditEditUser, By: "scc_1", Source: directory.SourceSCIM, Properties: []directory.PropertyChange{
		{Name: "department", Before: textOrNone("a"), After: textOrNone("b")}, {Name: store.OwnersChanged, After: textOrNone(`{"department":"scim","jobTitle":"scim"}`)}}}}
	p := newPast(taker{client: "scc_1", job: "job_1"}, directory.AccountOf("usr_1"))
	p.add(&took)
	scim := map[string]directory.Source{"department": "scim", "jobTitle": "scim"}
	for _, test := range []struct {
		name, now string
		owners    map[string]directory.Source
		want      map[string]directory.Source
	}{
		{"as the client left it", "b", scim, map[string]directory.Source{"department": "", "jobTitle": ""}},
		{"the value is another", "c", scim, map[string]directory.Source{"jobTitle": ""}},
		{"the owner is another", "b", map[string]directory.Source{"department": "ad"}, map[string]directory.Source{}},
	} {
		b := p.decide(standing{text: func(string) string { return test.now }, owners: test.owners})
		if !maps.Equal(b.owners, test.want) {
			t.Errorf("%s: %v, want %v", test.name, b.owners, test.want)
		}
	}
}

func textOrNone(s string) directory.Value {
	if s == "" {
		return directory.Value{}
	}
	return directory.StringValue(s)
}

// A random walk of pushes and of edits by hand: whatever only the client has changed is as
// it was, whatever somebody else has changed last is as they left it, and a second time
// there is nothing to do.
func TestTakeBackWalk(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			walkTakeBack(t, seed)
		})
	}
}

func walkTakeBack(t *testing.T, seed uint64) {
	p := newPushing(t)
	ctx := t.Context()
	r := rand.New(rand.NewPCG(seed, 16))
	attributes := []string{"department", "jobTitle", "phones.work", "customAttributes.badge", "state"}
	var users []directory.UserID
	var groups []directory.GroupID
	for i := range 4 {
		if i%2 == 0 {
			users = append(users, p.made(fmt.Sprintf("u%d", i), map[string]string{"department": "D"}))
		} else {
			users = append(users, p.user(fmt.Sprintf(`{"email":"u%d@corp.example","jobTitle":"J"}`, i), admin).ID)
		}
	}
	for i := range 2 {
		g, err := p.groups.Create(ctx, admin, fmt.Appendf(nil, `{"name":"G%d"}`, i))
		p.must(err)
		groups = append(groups, g.ID)
	}
	text := func(u *directory.User, path string) string {
		return value(&u.Profile, path) + "|" + string(u.Owners[path])
	}
	type thing struct{ of, what string }
	read := func() map[thing]string {
		all := map[thing]string{}
		for _, id := range users {
			u := p.userNow(id)
			for _, path := range attributes {
				all[thing{string(id), path}] = text(&u, path)
			}
			all[thing{string(id), "deleted"}] = fmt.Sprint(u.Deleted != nil)
		}
		for _, id := range groups {
			g, err := p.groups.Get(ctx, id)
			p.must(err)
			all[thing{string(id), "name"}] = g.Name + "|" + string(g.Owners["name"])
			all[thing{string(id), "deleted"}] = fmt.Sprint(g.Deleted != nil)
			for _, u := range users {
				in, err := p.pushes.AreMembers(ctx, id, []directory.UserID{u})
				p.must(err)
				all[thing{string(id), string(u)}] = fmt.Sprint(in[u])
			}
		}
		return all
	}
	start, since := read(), p.now()
	byHand := map[thing]bool{} // whatever somebody else has changed
	for n := range 60 {
		hand := r.IntN(3) == 0
		before := read()
		id, g := users[r.IntN(len(users))], groups[r.IntN(len(groups))]
		path := attributes[r.IntN(len(attributes))]
		to := []string{"", "A", "B", "C"}[r.IntN(4)]
		if path == "state" {
			to = []string{"active", "suspended"}[r.IntN(2)]
		}
		switch what := r.IntN(8); {
		case what < 3 && hand:
			_, _ = p.edit(ctx, admin, id, 0, directory.AuditEditUser, func(u *directory.User) (bool, error) {
				if u.Deleted != nil {
					return false, nil
				}
				return edit{path: to}.apply(u, directory.SourceManual)
			})
		case what < 3:
			_ = p.push(id, map[string]string{path: to})
		case what == 3 && hand:
			_ = p.Delete(ctx, admin, id, 0)
		case what == 3:
			_ = p.dismiss(id)
		case what == 4 && hand:
			_, _ = p.Restore(ctx, admin, id, 0)
		case what == 4: // the comeback of a user of the client's own
			if u := p.userNow(id); !u.Enabled() && strings.HasPrefix(u.ExternalID, "x-") {
				p.made(strings.TrimPrefix(u.ExternalID, "x-"), nil)
			}
		case what == 5 && hand:
			_, _ = p.groups.Patch(ctx, admin, g, fmt.Appendf(nil, `{"name":"%s%d"}`, g[len(g)-4:], n), 0)
		case what == 5:
			_, _ = p.pushes.EditGroup(ctx, p.by, &p.client, g, func(now *PushedGroup) (GroupPush, error) {
				return GroupPush{Name: fmt.Sprintf("P%s%d", g[len(g)-4:], n), ExternalID: now.Document.ExternalID}, nil
			})
		default:
			refs := []directory.MemberRef{directory.UserMember(id)}
			by := p.by
			if hand {
				by = admin
			}
			if r.IntN(2) == 0 {
				_, _ = p.groups.AddMembers(ctx, by, g, refs, 0)
			} else {
				_, _ = p.groups.RemoveMembers(ctx, by, g, refs, 0)
			}
		}
		if hand {
			for k, is := range read() {
				if is != before[k] {
					byHand[k] = true
				}
			}
		}
	}
	ended := read()
	check, done := p.takeBack(since)
	after := read()
	told := map[string]bool{}
	for _, item := range p.refusals(done.ID) {
		told[string(item.UserID)] = true
		told[string(item.GroupID)] = true
	}
	for k, was := range start {
		switch is := after[k]; {
		case byHand[k] || is == was:
		case k.what != "deleted" && byHand[thing{k.of, "deleted"}] && told[k.of]: // deleted by somebody, who has the say
		case byHand[thing{k.of, "deleted"}] && told[k.what]:
		default:
			t.Errorf("%v was %s, is %s (the client left %s); %v, told %v", k, was, is, ended[k], done.Counts, p.refusals(done.ID))
		}
	}
	if !maps.Equal(check.Counts, done.Counts) {
		t.Errorf("a dry run counts %v, the take-back %v", check.Counts, done.Counts)
	}
	whole := p.whole()
	_, again := p.takeBack(since)
	if !reflect.DeepEqual(whole, p.whole()) {
		t.Errorf("a second time changes something: %v", again.Counts)
	}
}

// disturbed is a take-back during which one call of the table fails, or another worker has
// its turn; it ends as one that nothing disturbs.
func disturbed(t *testing.T, disturb func(p *pushing, job directory.JobID)) (map[string]string, map[string]int) {
	t.Helper()
	p := newPushing(t)
	ctx := t.Context()
	var ids []directory.UserID
	for i := range 4 {
		ids = append(ids, p.made(fmt.Sprintf("u%d", i), nil))
	}
	g, err := p.pushes.CreateGroup(ctx, p.by, &p.client, GroupPush{Name: "Crew", ExternalID: "g1"})
	p.must(err)
	_, _, err = p.pushes.ChangeMembers(ctx, p.by, g.Group.ID, ids[:2], nil, nil)
	p.must(err)
	since := p.now()
	p.must(p.push(ids[0], map[string]string{"state": "suspended", "email": "old@corp.example"}))
	p.must(p.dismiss(ids[1]))
	fresh := p.made("u0", map[string]string{"userName": "fresh", "externalId": "x-fresh"})
	_, _, err = p.pushes.ChangeMembers(ctx, p.by, g.Group.ID, []directory.UserID{ids[2], fresh}, ids[:1], nil)
	p.must(err)
	_, err = p.pushes.EditGroup(ctx, p.by, &p.client, g.Group.ID, func(*PushedGroup) (GroupPush, error) { return GroupPush{Name: "Mob", ExternalID: "g1"}, nil })
	p.must(err)
	j, err := p.back.Start(ctx, admin, p.client.ID, TakeBack{Since: since, Pause: true})
	p.must(err)
	disturb(p, j.ID)
	for range 40 {
		again, delay, err := p.runner.Work(ctx, j.ID, p.Now().Add(time.Minute))
		if err != nil {
			again, delay = true, time.Second
		}
		p.Advance(delay + jobs.LeaseTime)
		if rec, _ := p.store.Jobs.Job(ctx, j.ID); !again && jobs.Ended(rec.State) {
			break
		}
	}
	p.table.Before, p.table.After = nil, nil
	rec, err := p.store.Jobs.Job(ctx, j.ID)
	p.must(err)
	if rec.State != directory.JobDone || rec.RefusedCount != 0 {
		t.Errorf("%s, %v, %v", rec.State, rec.Error, p.refusals(j.ID))
	}
	is := map[string]string{}
	names := map[string]string{}
	for i, id := range append(ids, fresh) {
		names[string(id)] = fmt.Sprint("user", i)
	}
	names[string(g.Group.ID)] = "group"
	for k, v := range p.whole() {
		for id, name := range names {
			k, v = strings.ReplaceAll(k, id, name), strings.ReplaceAll(v, id, name)
		}
		is[k] = v
	}
	return is, rec.Counts
}

// Each call of the table fails once, before and after it took effect.
func TestTakeBackCrashes(t *testing.T) {
	t.Parallel()
	want, counts := disturbed(t, func(*pushing, directory.JobID) {})
	if counts["edited"] != 1 || counts["restored"] != 1 || counts["deleted"] != 1 || counts["groupsEdited"] != 1 || counts["membersAdded"] != 1 || counts["membersRemoved"] != 2 {
		t.Fatalf("undisturbed: %v", counts)
	}
	for _, after := range []bool{false, true} {
		for n := 1; ; n++ {
			hit := false
			is, got := disturbed(t, func(p *pushing, _ directory.JobID) {
				calls := 0
				hook := func(context.Context, memory.Call) error {
					if calls++; calls == n {
						hit = true
						return fmt.Errorf("power cut: %w", table.ErrBusy)
					}
					return nil
				}
				if after {
					p.table.After = hook
				} else {
					p.table.Before = hook
				}
			})
			if !hit {
				break
			}
			if !reflect.DeepEqual(is, want) || !maps.Equal(got, counts) {
				t.Errorf("call %d fails (after %t): %v %v, want %v %v", n, after, got, is, counts, want)
			}
		}
	}
}

// A worker freezes before each of its calls, for longer than its lease, and another one
// does the job meanwhile.
func TestTwoTakeBacksAtOnce(t *testing.T) {
	t.Parallel()
	want, counts := disturbed(t, func(*pushing, directory.JobID) {})
	for n := 1; ; n++ {
		hit := false
		is, got := disturbed(t, func(p *pushing, job directory.JobID) {
			calls := 0
			p.table.Before = func(context.Context, memory.Call) error {
				if calls++; calls != n {
					return nil
				}
				hit = true
				before := p.table.Before
				p.table.Before = nil
				p.Advance(2 * jobs.LeaseTime)
				p.run(job)
				p.table.Before = before
				return nil
			}
		})
		if !hit {
			break
		}
		if !reflect.DeepEqual(is, want) || !maps.Equal(got, counts) {
			t.Errorf("frozen before call %d: %v %v, want %v %v", n, got, is, counts, want)
		}
	}
}

// A take-back of many has no more in memory than a page of acts, and finds each once.
func TestTakeBackOfMany(t *testing.T) {
	t.Parallel()
	p := newPushing(t)
	ctx := t.Context()
	var ids []directory.UserID
	for i := range 120 {
		ids = append(ids, p.made(fmt.Sprintf("u%d", i), nil))
	}
	g, err := p.groups.Create(ctx, admin, []byte(`{"name":"All"}`))
	p.must(err)
	since := p.now()
	for _, id := range ids {
		p.must(p.push(id, map[string]string{"state": "suspended"}))
		p.must(p.push(id, map[string]string{"department": "X"}))
	}
	p.Advance(5 * time.Hour)
	_, _, err = p.pushes.ChangeMembers(ctx, p.by, g.ID, ids, nil, nil)
	p.must(err)
	p.woken = nil
	if check, done := p.takeBack(since); done.Counts["edited"] != 120 || done.Counts["membersRemoved"] != 120 || done.Total != 240 || done.Done != 240 || !maps.Equal(check.Counts, done.Counts) {
		t.Errorf("%v of %d, and in a dry run %v", done.Counts, done.Total, check.Counts)
	}
	if slices.ContainsFunc(ids, func(id directory.UserID) bool { u := p.userNow(id); return !u.Enabled() || u.Department != "" }) {
		t.Error("somebody is left as the client left them")
	}
}
