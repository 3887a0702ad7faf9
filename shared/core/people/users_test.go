package people

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"bindery/shared/directory"
)

func TestCreate(t *testing.T) {
	for _, test := range []struct {
		name, body   string
		code, fields string
	}{
		{"least", `{"email":"jo@corp.example"}`, "", ""},
		{"all", `{"userName":"jo","email":" Jo@Corp.Example ","alternateEmail":"jo@home.example","givenName":"Jo","familyName":"Li",
			"displayName":"Jo Li","phones":{"work":"+49 30 1","mobile":null},"workAddress":{"streetAddress":"A 1\nB","city":"Bern","state":"BE",
			"postalCode":"3000","country":"CH"},"department":"R&D","jobTitle":"Dev","location":"HQ","company":"Corp","employeeId":"7",
			"employeeType":"Employee","costCenter":"1","usageLocation":"ch","preferredLanguage":"de-CH","state":"suspended","externalId":"x",
			"customAttributes":{"badge":"B7","a.b":"c"}}`, "", ""},
		{"international", `{"email":"zoë@bücher.example"}`, "", ""},
		{"empty", `{}`, "invalid-user", "email"},
		{"null e-mail", `{"email":null}`, "invalid-user", "email"},
		{"no JSON", `nope`, "invalid-body", ""},
		{"nothing", ``, "invalid-body", ""},
		{"array", `[]`, "invalid-body", ""},
		{"behind", `{"email":"a@b.example"}{}`, "invalid-body", ""},
		{"twice", `{"email":"a@b.example","email":"c@d.example"}`, "invalid-body", ""},
		{"not UTF-8", "{\"email\":\"\xff@b.example\"}", "invalid-body", ""},
		{"unknown", `{"email":"a@b.example","nick":"x","phones":{"fax":"1"}}`, "invalid-user", "nick phones.fax"},
		{"path as name", `{"email":"a@b.example","phones.work":"1"}`, "invalid-user", "phones.work"},
		{"read-only", `{"email":"a@b.example","id":"usr_1","source":"ad","version":3,"deleted":null,"importedFrom":{}}`, "invalid-user", "deleted id importedFrom source version"},
		{"wrong types", `{"email":7,"phones":"1","customAttributes":{"x":true}}`, "invalid-user", "customAttributes.x email phones"},
		{"every fault", `{"email":"@","state":"gone","usageLocation":"Narnia","preferredLanguage":"?","givenName":"a\u0000b"}`,
			"invalid-user", "email givenName preferredLanguage state usageLocation"},
		{"long", `{"email":"a@b.example","department":"` + strings.Repeat("ä", 257) + `"}`, "invalid-user", "department"},
		{"no manager", `{"email":"a@b.example","managerId":"usr_0"}`, "invalid-user", "managerId"},
		{"null state", `{"email":"a@b.example","state":null}`, "invalid-user", "state"},
		{"large", `{"email":"a@b.example","customAttributes":{` + customs(120) + `}}`, "invalid-user", "customAttributes customAttributes"},
		{"bad key", `{"email":"a@b.example","customAttributes":{"":"x","a b":"y"}}`, "invalid-user", "customAttributes. customAttributes.a b"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			u, err := w.Create(t.Context(), admin, []byte(test.body))
			if codeOf(err) != test.code || fieldsOf(err) != test.fields {
				t.Fatalf("Create = %v, %q (%v), want %q %q", u.ID, codeOf(err), err, test.code, test.fields)
			}
			if err != nil {
				if n := len(w.all()); n != 0 {
					t.Errorf("%d users stored by a refused create", n)
				}
				return
			}
			got, err := w.Get(t.Context(), u.ID)
			if err != nil || got.Version != 1 || got.UserName == "" || got.Source != directory.SourceManual || len(got.Owners) != 0 {
				t.Errorf("Get = %+v, %v", got, err)
			}
		})
	}
}

func customs(n int) string {
	var list []string
	for i := range n {
		list = append(list, `"k`+strings.Repeat("x", i%50)+string(rune('a'+i/50))+`":"`+strings.Repeat("v", 1000)+`"`)
	}
	return strings.Join(list, ",")
}

func TestEmailForms(t *testing.T) {
	for _, test := range []struct {
		email string
		ok    bool
	}{
		{"jo@corp.example", true}, {"o'hara+x@sub.corp.example", true}, {"a@b", false}, {"a b@corp.example", false},
		{".a@corp.example", false}, {"a.@corp.example", false}, {"a..b@corp.example", false}, {"a@corp..example", false},
		{"a@-corp.example", false}, {"a@corp.example.", false}, {"a@b@corp.example", false}, {"@corp.example", false},
		{strings.Repeat("a", 64) + "@corp.example", true}, {strings.Repeat("a", 65) + "@corp.example", false}, {"corp.example", false},
	} {
		if got := checkEmail(test.email) == ""; got != test.ok {
			t.Errorf("checkEmail(%q) ok = %t, want %t", test.email, got, test.ok)
		}
	}
}

func TestPatch(t *testing.T) {
	const start = `{"email":"jo@corp.example","department":"Sales","phones":{"work":"1","mobile":"2"},"customAttributes":{"a":"1","b":"2"}}`
	for _, test := range []struct {
		name, patch string
		version     int64
		code        string
		want        func(*directory.User) bool
		after       int64 // version
	}{
		{"one", `{"department":"R&D"}`, 1, "", func(u *directory.User) bool { return u.Department == "R&D" && u.Phones.Mobile == "2" }, 2},
		{"clear", `{"department":null}`, 0, "", func(u *directory.User) bool { return u.Department == "" }, 2},
		{"nested", `{"phones":{"work":null}}`, 0, "", func(u *directory.User) bool { return u.Phones == directory.Phones{Mobile: "2"} }, 2},
		{"group", `{"phones":null,"customAttributes":null}`, 0, "", func(u *directory.User) bool { return u.Phones == directory.Phones{} && u.CustomAttributes == nil }, 2},
		{"custom", `{"customAttributes":{"a":null,"c":"3"}}`, 0, "", func(u *directory.User) bool {
			return len(u.CustomAttributes) == 2 && u.CustomAttributes["b"] == "2" && u.CustomAttributes["c"] == "3"
		}, 2},
		{"nothing", `{}`, 1, "", func(*directory.User) bool { return true }, 1},
		{"same", `{"department":"Sales","phones":{"work":"1"}}`, 0, "", func(*directory.User) bool { return true }, 1},
		{"clear what is clear", `{"location":null,"workAddress":null}`, 0, "", func(*directory.User) bool { return true }, 1},
		{"name follows", `{"email":"jo2@corp.example"}`, 0, "", func(u *directory.User) bool { return u.UserName == "jo2@corp.example" }, 2},
		{"name by default", `{"userName":null}`, 0, "", func(u *directory.User) bool { return u.UserName == "jo@corp.example" }, 1},
		{"no e-mail", `{"email":null}`, 0, "invalid-user", nil, 1},
		{"stale", `{"department":"x"}`, 9, "version-mismatch", nil, 1},
		{"stale without change", `{}`, 9, "version-mismatch", nil, 1},
		{"unknown", `{"dept":"x"}`, 0, "invalid-user", nil, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			u := w.user(start, admin)
			got, err := w.Patch(t.Context(), admin, u.ID, []byte(test.patch), test.version)
			if codeOf(err) != test.code {
				t.Fatalf("Patch(%s) = %v, want %q", test.patch, err, test.code)
			}
			stored, gerr := w.Get(t.Context(), u.ID)
			if gerr != nil || stored.Version != test.after {
				t.Errorf("version = %d (%v), want %d", stored.Version, gerr, test.after)
			}
			if err == nil && (!test.want(&got.User) || !test.want(&stored) || got.Version != test.after) {
				t.Errorf("Patch(%s) = %+v", test.patch, got)
			}
		})
	}
}

func TestOwnership(t *testing.T) {
	type step struct {
		by    directory.Caller
		patch string
		code  string
		field string
	}
	for _, test := range []struct {
		name   string
		start  string
		by     directory.Caller
		steps  []step
		owners string // path=source of department
	}{
		{"an admin owns nothing", `{"email":"a@c.example","department":"S"}`, admin, []step{{ad, `{"department":"T"}`, "", ""}}, "ad"},
		{"ad keeps its own", `{"email":"a@c.example","department":"S"}`, ad, []step{
			{admin, `{"department":"T"}`, "owned-elsewhere", "department"},
			{scim, `{"department":"T"}`, "owned-elsewhere", "department"},
			{admin, `{"department":null}`, "owned-elsewhere", "department"},
			{admin, `{"department":"S"}`, "", ""},
			{scim, `{"department":"S"}`, "", ""},
			{admin, `{"location":"HQ"}`, "", ""},
			{admin, `{"email":"A@C.Example"}`, "", ""},
			{admin, `{"email":"b@c.example"}`, "owned-elsewhere", "email"},
			{ad, `{"department":"U"}`, "", ""},
		}, "ad"},
		{"all owned attributes are named", `{"email":"a@c.example","department":"S","phones":{"work":"1"}}`, ad, []step{
			{admin, `{"department":"T","phones":null,"location":"x"}`, "owned-elsewhere", "department phones.work"},
		}, "ad"},
		{"an owner gives up", `{"email":"a@c.example","department":"S"}`, ad, []step{
			{ad, `{"department":null}`, "", ""}, {scim, `{"department":"T"}`, "", ""}, {ad, `{"department":"U"}`, "owned-elsewhere", "department"},
		}, "scim"},
		{"taking what is equal", `{"email":"a@c.example","department":"S"}`, admin, []step{
			{ad, `{"department":"S"}`, "", ""}, {admin, `{"department":"T"}`, "owned-elsewhere", "department"},
		}, "ad"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			u := w.user(test.start, test.by)
			for i, s := range test.steps {
				before, _ := w.Get(t.Context(), u.ID)
				_, err := w.Patch(t.Context(), s.by, u.ID, []byte(s.patch), 0)
				if codeOf(err) != s.code || fieldsOf(err) != s.field {
					t.Fatalf("step %d: Patch(%s) by %s = %v, want %q %q", i, s.patch, s.by.WritesAs(), err, s.code, s.field)
				}
				if err != nil {
					if !errors.Is(err, directory.ErrConflict) || !strings.Contains(err.Error(), string(before.Owners["department"])) {
						t.Errorf("step %d: %v does not name the owner, or is no conflict", i, err)
					}
					if after, _ := w.Get(t.Context(), u.ID); after.Version != before.Version {
						t.Errorf("step %d: a refused edit raised the version", i)
					}
				}
			}
			if got, _ := w.Get(t.Context(), u.ID); string(got.Owners["department"]) != test.owners {
				t.Errorf("owners = %v, want department %s", got.Owners, test.owners)
			}
		})
	}
}

func TestLifecycle(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	u := w.user(`{"email":"jo@corp.example"}`, admin)
	if _, err := w.SetState(ctx, admin, u.ID, directory.StateSuspended, 0); err != nil {
		t.Fatal(err)
	}
	if got, err := w.SetState(ctx, admin, u.ID, directory.StateSuspended, 0); err != nil || got.Version != 2 {
		t.Errorf("suspending twice = version %d, %v", got.Version, err)
	}
	if _, err := w.SetState(ctx, admin, u.ID, directory.StateActive, 1); codeOf(err) != "version-mismatch" {
		t.Errorf("SetState with an old version = %v", err)
	}
	w.must(w.Delete(ctx, admin, u.ID, 0))
	w.must(w.Delete(ctx, admin, u.ID, 0))
	if got, err := w.Get(ctx, u.ID); err != nil || got.Deleted == nil {
		t.Errorf("Get of a tombstone = %+v, %v", got, err)
	}
	if _, err := w.Patch(ctx, admin, u.ID, []byte(`{"department":"x"}`), 0); codeOf(err) != "user-deleted" {
		t.Errorf("Patch of a tombstone = %v", err)
	}
	if n := len(w.all()); n != 0 {
		t.Errorf("%d users listed after the deletion", n)
	}
	// The address is free: whoever gets it is somebody new.
	other := w.user(`{"email":"JO@corp.example","displayName":"Other"}`, admin)
	if other.ID == u.ID {
		t.Error("a new user has the ID of a deleted one")
	}
	_, err := w.Restore(ctx, admin, u.ID, 0)
	if codeOf(err) != "email-taken" || !strings.Contains(err.Error(), string(other.ID)) {
		t.Errorf("Restore with the address taken = %v, want email-taken naming %s", err, other.ID)
	}
	w.must(w.Delete(ctx, admin, other.ID, 0))
	got, err := w.Restore(ctx, admin, u.ID, 0)
	if err != nil || got.Deleted != nil || got.State != directory.StateSuspended {
		t.Errorf("Restore = %+v, %v", got, err)
	}
	if _, err := w.Restore(ctx, admin, u.ID, 0); err != nil {
		t.Errorf("Restore of a living user = %v", err)
	}
	if _, err := w.Get(ctx, "usr_none"); codeOf(err) != "user-not-found" || !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("Get of nobody = %v", err)
	}
}

func TestLifecycleOwned(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	u := w.user(`{"email":"jo@corp.example","state":"active"}`, ad)
	for name, do := range map[string]func(directory.Caller) error{
		"suspend": func(c directory.Caller) error {
			_, err := w.SetState(ctx, c, u.ID, directory.StateSuspended, 0)
			return err
		},
		"delete": func(c directory.Caller) error { return w.Delete(ctx, c, u.ID, 0) },
	} {
		if err := do(admin); codeOf(err) != "owned-elsewhere" {
			t.Errorf("%s by an admin = %v, want owned-elsewhere", name, err)
		}
	}
	if _, err := w.SetState(ctx, admin, u.ID, directory.StateActive, 0); err != nil {
		t.Errorf("activating an active user = %v, want no error", err)
	}
	w.must(w.Delete(ctx, ad, u.ID, 0))
	if _, err := w.Restore(ctx, admin, u.ID, 0); codeOf(err) != "owned-elsewhere" {
		t.Errorf("Restore by an admin = %v", err)
	}
	// Without state, ad owns what it brought but not the lifecycle.
	free := w.user(`{"email":"al@corp.example"}`, ad)
	if _, err := w.SetState(ctx, admin, free.ID, directory.StateSuspended, 0); err != nil {
		t.Errorf("suspend of a user whose state nobody owns = %v", err)
	}
}

func TestUnique(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	a := w.user(`{"email":"a@corp.example","userName":"ann","displayName":"Ann"}`, admin)
	b := w.user(`{"email":"b@corp.example"}`, admin)
	for _, test := range []struct{ body, code string }{
		{`{"email":"A@CORP.example"}`, "email-taken"}, {`{"email":"c@corp.example","userName":"ANN"}`, "user-name-taken"},
	} {
		_, err := w.Create(ctx, admin, []byte(test.body))
		if codeOf(err) != test.code || !strings.Contains(err.Error(), string(a.ID)) {
			t.Errorf("Create(%s) = %v, want %s naming the holder", test.body, err, test.code)
		}
		if _, err := w.Patch(ctx, admin, b.ID, []byte(test.body), 0); codeOf(err) != test.code {
			t.Errorf("Patch(%s) = %v, want %s", test.body, err, test.code)
		}
	}
	// The old address of a user is free at once, as an address and as a name.
	if _, err := w.Patch(ctx, admin, b.ID, []byte(`{"email":"b2@corp.example"}`), 0); err != nil {
		t.Fatal(err)
	}
	w.user(`{"email":"b@corp.example"}`, admin)
	var wg sync.WaitGroup
	made := make(chan error, 8)
	for range 8 {
		wg.Go(func() {
			_, err := w.Create(ctx, admin, []byte(`{"email":"race@corp.example"}`))
			made <- err
		})
	}
	wg.Wait()
	close(made)
	won := 0
	for err := range made {
		if err == nil {
			won++
		} else if !errors.Is(err, directory.ErrConflict) {
			t.Errorf("racing create = %v", err)
		}
	}
	if won != 1 {
		t.Errorf("%d of 8 racing creates won, want 1", won)
	}
}

func TestConcurrentPatches(t *testing.T) {
	w := newWorld(t)
	u := w.user(`{"email":"a@corp.example"}`, admin)
	paths := []string{"department", "jobTitle", "location", "company", "costCenter", "givenName", "familyName", "displayName"}
	var wg sync.WaitGroup
	for _, p := range paths {
		wg.Go(func() {
			if _, err := w.Patch(t.Context(), admin, u.ID, []byte(`{"`+p+`":"x"}`), 0); err != nil {
				t.Errorf("Patch %s: %v", p, err)
			}
		})
	}
	wg.Wait()
	got, err := w.Get(t.Context(), u.ID)
	w.must(err)
	for _, p := range paths {
		if value(&got.Profile, p) != "x" {
			t.Errorf("%s was lost", p)
		}
	}
}

func TestList(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.people(40)
	w.user(`{"email":"ann@corp.example","displayName":"Ann Müller","state":"suspended","department":"Sales"}`, ad)
	gone := w.user(`{"email":"gone@corp.example","displayName":"Ann Gone"}`, admin)
	w.must(w.Delete(ctx, admin, gone.ID, 0))
	for _, test := range []struct {
		f    Filter
		want int
	}{
		{Filter{}, 41}, {Filter{Email: " ANN@corp.example"}, 1}, {Filter{Email: "gone@corp.example"}, 0}, {Filter{State: "suspended"}, 1},
		{Filter{Source: "ad"}, 1}, {Filter{Source: "ad", State: "active"}, 0}, {Filter{Text: "mÜLL"}, 1}, {Filter{Text: "p1@"}, 1},
		{Filter{Email: "ann@corp.example", State: "active"}, 0}, {Filter{Text: "sales"}, 1},
	} {
		seen := map[directory.UserID]bool{}
		next := ""
		for pages := 0; ; pages++ {
			p, err := w.List(ctx, test.f, next, 7)
			if err != nil || len(p.Users) > 7 || pages > 100 {
				t.Fatalf("List(%+v) = %d users, %v", test.f, len(p.Users), err)
			}
			for _, u := range p.Users {
				if seen[u.ID] {
					t.Errorf("List(%+v) has %s twice", test.f, u.ID)
				}
				seen[u.ID] = true
			}
			if next = p.Next; next == "" {
				break
			}
		}
		if len(seen) != test.want {
			t.Errorf("List(%+v) = %d users, want %d", test.f, len(seen), test.want)
		}
	}
	if _, err := w.List(ctx, Filter{State: "x", Source: "y"}, "", 7); fieldsOf(err) != "state source" {
		t.Errorf("List of a bad filter = %v", err)
	}
	if _, err := w.List(ctx, Filter{}, "junk", 7); !errors.Is(err, directory.ErrInvalid) {
		t.Errorf("List of a bad cursor = %v", err)
	}
}

func TestEditWakes(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	ids := w.people(1)
	if _, err := w.bindings.Bind(ctx, admin, w.conn.ID, ids); err != nil {
		t.Fatal(err)
	}
	w.woken = nil
	w.down = errors.New("queue down")
	if _, err := w.Patch(ctx, admin, ids[0], []byte(`{"department":"x"}`), 0); err != nil || len(w.woken) != 1 || !slices.Equal(w.edited, ids) {
		t.Errorf("Patch of a bound user = %v, %d wake-ups, for %v; want none and 1, for %v", err, len(w.woken), w.edited, ids)
	}
	if _, err := w.Patch(ctx, admin, ids[0], []byte(`{"department":"x"}`), 0); err != nil || len(w.woken) != 1 {
		t.Errorf("a patch without change = %v and woke", err)
	}
}
