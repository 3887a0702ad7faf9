package people

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"bindery/shared/core/assign"
	"bindery/shared/core/assign/assigntest"
	"bindery/shared/directory"
	"bindery/shared/table"
)

// told is what a job's notes say: line, field and code of each.
func told(notes []directory.JobNote) string {
	var list []string
	for _, n := range notes {
		list = append(list, fmt.Sprintf("%d %s %s", n.Line, n.Field, n.Code))
	}
	return strings.Join(list, ", ")
}

// A file with characters that nobody sees makes no second persons, and is told
// line by line what was left out.
func TestLoadLeavesOutInvisibleCharacters(t *testing.T) {
	for name, file := range map[string]string{
		"CSV": "email,givenName,department\n" +
			"ann.zw@corp.example,Ann,Sales\n" +
			"ann.zw\u200b@corp.example,Ann,Marketing\n" +
			"\u202abea@corp.example\u202c,B\u00adea,\n" +
			"bea\uff20corp.example,,\n" +
			"خلیل@corp.example,می\u200cخواهم,\n",
		"JSON lines": "\n" + `{"email":"ann.zw@corp.example","givenName":"Ann","department":"Sales"}` + "\n" +
			`{"email":"ann.zw\u200b@corp.example","givenName":"Ann","department":"Marketing"}` + "\n" +
			`{"email":"\u202abea@corp.example\u202c","givenName":"B\u00adea"}` + "\n" +
			`{"email":"bea\uff20corp.example"}` + "\n" +
			`{"email":"خلیل@corp.example","givenName":"می\u200cخواهم"}` + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for _, check := range []bool{true, false} {
				j, err := w.StartLoad(t.Context(), admin, []byte(file), LoadOptions{CheckOnly: check})
				w.must(err)
				done := w.run(j.ID)
				if done.Counts["created"] != 3 || done.RefusedCount != 0 {
					t.Fatalf("check %v: %+v, %v", check, done.Job, w.refusals(j.ID))
				}
				const want = "3 email text-tidied, 4 email text-tidied, 4 givenName text-tidied, 5 email text-tidied"
				if got := told(done.Notes); got != want || done.NotesCount != 4 {
					t.Errorf("check %v: told %s, want %s", check, got, want)
				}
				if n := len(w.all()); check && n != 0 || !check && n != 3 {
					t.Errorf("check %v: %d users", check, n)
				}
			}
			for email, want := range map[string]string{
				"ann.zw@corp.example": "Ann Marketing", "ann.zw\u200b@corp.example": "Ann Marketing", "BEA@corp.example": "Bea ", "خلیل@corp.example": "می\u200cخواهم ",
			} {
				p, err := w.List(t.Context(), Filter{Email: email}, "", 10)
				w.must(err)
				if len(p.Users) != 1 || p.Users[0].GivenName+" "+p.Users[0].Department != want {
					t.Errorf("%+q: %+v", email, p.Users)
				}
			}
		})
	}
}

// A job lists the first of its notes and counts all.
func TestNotesAreBounded(t *testing.T) {
	w := newWorld(t)
	var file strings.Builder
	file.WriteString("email\n")
	for i := range 250 {
		fmt.Fprintf(&file, "p%03d\u200b@corp.example\n", i)
	}
	j, err := w.StartLoad(t.Context(), admin, []byte(file.String()), LoadOptions{})
	w.must(err)
	if done := w.run(j.ID); len(done.Notes) != directory.MaxNotes || done.NotesCount != 250 || done.Counts["created"] != 250 {
		t.Errorf("%d notes of %d, counts %v", len(done.Notes), done.NotesCount, done.Counts)
	}
}

// A single edit says in its answer what it changed of the values.
func TestEditTellsOfInvisibleCharacters(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	ann, err := w.Create(ctx, admin, []byte(`{"email":"ann\u200b@corp.example","givenName":" Ann\u202c","usageLocation":"uk"}`))
	w.must(err)
	codes := func(e Edited) string {
		var list []string
		for _, x := range e.Warnings {
			list = append(list, x.Field+" "+x.Code)
		}
		slices.Sort(list)
		return strings.Join(list, ", ")
	}
	if got := codes(ann); got != "email text-tidied, givenName text-tidied, usageLocation value-mended" {
		t.Errorf("warnings %s", got)
	}
	if ann.Email != "ann@corp.example" || ann.GivenName != "Ann" || ann.UserName != "ann@corp.example" || ann.UsageLocation != "uk" {
		t.Errorf("stored %+q %+q %+q", ann.Email, ann.GivenName, ann.UsageLocation)
	}
	if _, err := w.Create(ctx, admin, []byte(`{"email":"a\u2060nn\uff20corp.example"}`)); codeOf(err) != "email-taken" {
		t.Errorf("twin: %v", err)
	}
	if _, err := w.Create(ctx, admin, []byte(`{"email":"x@corp.example","userName":"ANN\u200d@corp.example"}`)); codeOf(err) != "user-name-taken" {
		t.Errorf("twin by name: %v", err)
	}
	e, err := w.Patch(ctx, admin, ann.ID, []byte(`{"email":"ann@corp.example","alternateEmail":"\u0430nn@home.example"}`), 0)
	if err != nil || codes(e) != "alternateEmail letters-alike" {
		t.Errorf("%s, %v", codes(e), err)
	}
	if e, err = w.Patch(ctx, admin, ann.ID, []byte(`{"department":"Sales"}`), 0); err != nil || e.Warnings != nil {
		t.Errorf("%v, %v", e.Warnings, err)
	}
	for _, bad := range []string{`{"customAttributes":{"bad\u200bge":"x"}}`, `{"usageLocation":"Narnia"}`, `{"email":"\u200b"}`} {
		if _, err := w.Patch(ctx, admin, ann.ID, []byte(bad), 0); codeOf(err) != "invalid-user" {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// A value that a person can do without does not keep its line back.
func TestLoadLeavesOutWrongOptionalValues(t *testing.T) {
	w := newWorld(t)
	w.user(`{"email":"old@corp.example","usageLocation":"DE"}`, admin)
	file := "email,department,usageLocation,preferredLanguage,alternateEmail\n" +
		"a@corp.example,Sales,Narnia,klingonish,n/a\n" +
		"b@corp.example,Sales,UK,en_US,b@home.example\n" +
		"old@corp.example,Sales,Narnia,,\n" +
		"c@corp.example,Sales,Deutschland,de,\n"
	j, err := w.StartLoad(t.Context(), admin, []byte(file), LoadOptions{})
	w.must(err)
	done := w.run(j.ID)
	if done.Counts["created"] != 3 || done.Counts["updated"] != 1 || done.RefusedCount != 0 {
		t.Fatalf("%+v, %v", done.Job, w.refusals(j.ID))
	}
	const want = "2 usageLocation value-left-out, 2 preferredLanguage value-left-out, 2 alternateEmail value-left-out, 3 usageLocation value-mended, " +
		"3 preferredLanguage value-mended, 4 usageLocation value-left-out, 5 usageLocation value-mended"
	lines := slices.SortedStableFunc(slices.Values(done.Notes), func(a, b directory.JobNote) int { return a.Line - b.Line })
	if got := told(lines); got != want {
		t.Errorf("told %s, want %s", got, want)
	}
	for email, want := range map[string]string{"a@corp.example": "Sales,,,", "b@corp.example": "Sales,UK,en_US,b@home.example", "old@corp.example": "Sales,DE,,", "c@corp.example": "Sales,Deutschland,de,"} {
		p, err := w.List(t.Context(), Filter{Email: email}, "", 1)
		w.must(err)
		u := p.Users[0]
		if got := u.Department + "," + u.UsageLocation + "," + u.PreferredLanguage + "," + u.AlternateEmail; got != want {
			t.Errorf("%s: %s, want %s", email, got, want)
		}
	}
}

// An import brings no second persons, and its verdict says what it will change.
func TestImportLeavesOutInvisibleCharacters(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	known := w.user(`{"email":"known@corp.example"}`, admin)
	odd, same := assigntest.Account("odd", "odd@corp.example", "displayName", "Od\u200bd"), assigntest.Account("same", "same@corp.example")
	odd.Properties[directory.PropMail] = directory.StringValue("odd\u200b@corp.example")
	same.Properties[directory.PropMail] = directory.StringValue("\u202aknown@corp.example")
	listed := assigntest.Account("listed", "Listed@corp.example")
	w.tenant.Accounts = []directory.Account{odd, same, listed}
	w.settings(func(s *directory.Settings) { s.Protected = []string{"listed\u200b@corp.example"} })
	list, _, err := w.accounts.List(ctx, w.conn.ID, assign.AccountFilter{}, "", 10)
	w.must(err)
	if len(list) != 3 || list[0].Verdict != assign.VerdictNew || len(list[0].Warnings) != 2 || list[1].Verdict != assign.VerdictInDirectory || list[1].UserID != known.ID || list[2].Reason != "protected" {
		t.Fatalf("%+v", list)
	}
	j, err := w.StartImport(ctx, admin, w.conn.ID, ImportRequest{All: true})
	w.must(err)
	done := w.run(j.ID)
	if done.Counts["created"] != 1 || done.Counts["existing"] != 1 || len(done.Notes) != 2 || done.Notes[0].AccountID != "odd" {
		t.Errorf("%+v", done.Job)
	}
	p, err := w.List(ctx, Filter{Email: "odd@corp.example"}, "", 1)
	if err != nil || len(p.Users) != 1 || p.Users[0].DisplayName != "Odd" {
		t.Errorf("%+v, %v", p.Users, err)
	}
}

func TestSearchIgnoresAccents(t *testing.T) {
	w := newWorld(t)
	w.user(`{"email":"jm@bücher.example","givenName":"Jürgen","familyName":"Groß"}`, admin)
	for text, want := range map[string]int{"jurgen": 1, "JÜRGEN": 1, "gross": 1, "bücher": 1, "xn--bcher-kva": 1, "j\u200bm@": 1, "jorgen": 0} {
		p, err := w.List(t.Context(), Filter{Text: text}, "", 10)
		if err != nil || len(p.Users) != want {
			t.Errorf("%q: %d found, %v", text, len(p.Users), err)
		}
	}
}

// The schedule has the addresses of earlier versions brought to form, once, and
// not while such versions may still write.
func TestTendForms(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.people(3)
	jobs := func() int { w.mu.Lock(); defer w.mu.Unlock(); return len(w.jobs) }
	w.must(w.forms.Tend(ctx))
	w.Advance(formsWait / 2)
	w.must(w.forms.Tend(ctx))
	if n := jobs(); n != 0 {
		t.Fatalf("%d jobs at once", n)
	}
	w.Advance(formsWait)
	for range 3 {
		w.must(w.forms.Tend(ctx))
	}
	if n := jobs(); n != 1 {
		t.Fatalf("%d jobs", n)
	}
	if j := w.run(w.jobs[0]); j.State != directory.JobDone || j.Kind != directory.JobAddresses || j.NotesCount != 0 {
		t.Errorf("%+v", j.Job)
	}
	w.Advance(48 * formsWait)
	w.must(w.forms.Tend(ctx))
	if n := jobs(); n != 1 {
		t.Errorf("%d jobs after the end", n)
	}
}

// Two users of an earlier version who are one are named by the job, and the one
// that could not be brought to form can still be suspended.
func TestTwinsAreTold(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.user(`{"email":"jo@corp.example"}`, admin)
	twin := w.user(`{"email":"twin@corp.example","userName":"twin"}`, admin)
	profile, err := w.table.Get(ctx, table.Key{Partition: "U#" + string(twin.ID), Sort: "profile"})
	w.must(err)
	profile.Body = []byte(strings.ReplaceAll(string(profile.Body), "twin@corp.example", "jo\u200b@corp.example"))
	gone := table.Key{Partition: "E#twin@corp.example", Sort: "email"}
	w.must(w.table.Write(ctx, table.Write{Put: &profile}, table.Write{Delete: &gone},
		table.Write{Put: &table.Item{Key: table.Key{Partition: "E#jo\u200b@corp.example", Sort: "email"}, Strings: map[string]string{"user": string(twin.ID)}}}))
	w.must(w.forms.Tend(ctx))
	w.Advance(2 * formsWait)
	w.must(w.forms.Tend(ctx))
	done := w.run(w.jobs[0])
	if done.State != directory.JobDone || done.Counts["twins"] != 1 || len(done.Notes) != 1 || done.Notes[0].Code != directory.WarnTwin || !strings.Contains(done.Notes[0].Detail, string(twin.ID)) {
		t.Errorf("%+v", done.Job)
	}
	if u, err := w.SetState(ctx, admin, twin.ID, directory.StateSuspended, 0); err != nil || u.State != directory.StateSuspended {
		t.Errorf("%+v, %v", u, err)
	}
}
