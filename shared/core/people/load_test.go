package people

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"bindery/shared/directory"
)

func TestLoad(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	owned := w.user(`{"email":"owned@corp.example","department":"AD"}`, ad)
	w.user(`{"email":"holder@corp.example","userName":"taken"}`, admin)
	bound := w.user(`{"email":"bound@corp.example"}`, admin)
	_, err := w.bindings.Bind(ctx, admin, w.conn.ID, []directory.UserID{bound.ID})
	w.must(err)
	w.woken = nil
	file := "\xef\xbb\xbfemail,familyName,department,phones.work,customAttributes.badge,state,userName\r\n" +
		"a@corp.example,\"O\"\"Hara, Jr\",Sales,+49 30,B1,,\r\n" + // 2
		"b@corp.example,Li,\"two\nlines\",,,suspended,\r\n" + // 3: a control character
		"c@corp.example,Li,,,,,,,more\r\n" + // 5: a value without a name
		"nonsense,Li,,,,,\r\n" + // 6
		"owned@corp.example,Li,Other,,,,\r\n" + // 7
		"d@corp.example,Li,,,,,taken\r\n" + // 8
		"\r\n" +
		"bound@corp.example,New,,,,,\r\n" + // 10
		"A@corp.example,,Marketing,,,,\r\n" + // 11: the same person as line 2
		"e@corp.example,Li,,,,gone,\r\n" + // 12
		"f@corp.example,Ü,,,,,\n" // 13
	want := map[int]string{3: "invalid-user", 5: "invalid-line", 6: "invalid-user", 7: "owned-elsewhere", 8: "user-name-taken", 12: "invalid-user"}
	for round := range 2 {
		j, err := w.StartLoad(ctx, admin, []byte(file), LoadOptions{})
		w.must(err)
		done := w.run(j.ID)
		got := map[int]string{}
		for _, r := range w.refusals(j.ID) {
			got[r.Line] = r.Code
			if r.Detail == "" {
				t.Errorf("line %d is refused without a reason", r.Line)
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("round %d: refused %v, want %v", round, got, want)
		}
		// The second time, line 2 sets the department back that line 11 set.
		counts := []map[string]int{{"created": 2, "updated": 2}, {"updated": 2, "unchanged": 2}}[round]
		if done.State != directory.JobDone || done.Done != 10 || done.Total != 10 || !reflect.DeepEqual(done.Counts, counts) {
			t.Errorf("round %d: job = %+v, want counts %v", round, done.Job, counts)
		}
	}
	p, err := w.List(ctx, Filter{Email: "a@corp.example"}, "", 1)
	w.must(err)
	if u := p.Users[0]; u.FamilyName != `O"Hara, Jr` || u.Department != "Marketing" || u.Phones.Work != "+49 30" || u.CustomAttributes["badge"] != "B1" {
		t.Errorf("loaded user = %+v", u)
	}
	if got, err := w.Get(ctx, owned.ID); err != nil || got.Department != "AD" || got.FamilyName != "" {
		t.Errorf("a refused line changed its user: %+v, %v", got, err)
	}
	if len(w.woken) == 0 {
		t.Error("the edit of a bound user woke nobody")
	}
}

func TestLoadJSONLines(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	file := `{"email":"a@corp.example","phones":{"work":"1"},"customAttributes":{"x":"y"}}

{"email":"a@corp.example","phones":null}
{"email":"b@corp.example","nick":"x"}
{"phones":{}}
not json
{"email":"c@corp.example","managerId":"usr_none"}
{"email":"d@corp.example","givenName":"` + strings.Repeat("x", maxLine) + `"}`
	j, err := w.StartLoad(ctx, ad, []byte(file), LoadOptions{Format: FormatJSONLines})
	w.must(err)
	done := w.run(j.ID)
	got := map[int]string{}
	for _, r := range w.refusals(j.ID) {
		got[r.Line] = r.Code
	}
	want := map[int]string{4: "invalid-user", 5: "invalid-user", 6: "invalid-body", 7: "invalid-user", 8: "invalid-line"}
	if !reflect.DeepEqual(got, want) || done.Counts["created"] != 1 || done.Counts["updated"] != 1 {
		t.Errorf("refused %v, want %v; job %+v", got, want, done.Job)
	}
	p, err := w.List(ctx, Filter{Email: "a@corp.example"}, "", 1)
	w.must(err)
	if u := p.Users[0]; u.Phones != (directory.Phones{}) || u.Source != directory.SourceAD || u.Owners["customAttributes.x"] != directory.SourceAD {
		t.Errorf("loaded user = %+v", u)
	}
}

// A line that says by an ID whom it is about edits that user or nobody: it creates none, and
// does not go to whoever has got the address since.
func TestLoadByID(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	ann := w.user(`{"email":"ann@corp.example"}`, admin)
	ben := w.user(`{"email":"ben@corp.example"}`, admin)
	moved := w.user(`{"email":"cyd@corp.example"}`, admin)
	gone := w.user(`{"email":"dee@corp.example"}`, admin)
	_, err := w.Patch(ctx, admin, moved.ID, []byte(`{"email":"cyd.smith@corp.example"}`), 0)
	w.must(err)
	_, err = w.Patch(ctx, admin, ben.ID, []byte(`{"email":"ben.smith@corp.example"}`), 0)
	w.must(err)
	heir := w.user(`{"email":"ben@corp.example"}`, admin)
	w.must(w.Delete(ctx, admin, gone.ID, 0))
	line := func(id directory.UserID, email string) string {
		return fmt.Sprintf(`{"id":%q,"email":%q,"state":"suspended"}`+"\n", id, email)
	}
	file := line(ann.ID, "ANN@corp.example") + line(ben.ID, "ben@corp.example") + line(moved.ID, "cyd@corp.example") + line(gone.ID, "dee@corp.example") +
		`{"email":"eve@corp.example"}` + "\n" + line("usr_none", "eve@corp.example") + `{"id":"","email":"ann@corp.example"}` + "\n" + `{"id":7,"email":"ann@corp.example"}` + "\n"
	want := map[int]string{2: directory.CodeUserNotFound, 3: directory.CodeUserNotFound, 4: directory.CodeUserNotFound, 6: directory.CodeUserNotFound, 7: directory.CodeInvalidUser, 8: directory.CodeInvalidUser}
	for _, check := range []bool{true, false} {
		j, err := w.StartLoad(ctx, admin, []byte(file), LoadOptions{Format: FormatJSONLines, CheckOnly: check})
		w.must(err)
		done := w.run(j.ID)
		got := map[int]string{}
		for _, r := range w.refusals(j.ID) {
			got[r.Line] = r.Code
		}
		if counts := map[string]int{"created": 1, "updated": 1}; !reflect.DeepEqual(got, want) || !reflect.DeepEqual(done.Counts, counts) {
			t.Errorf("check %v: refused %v, want %v; counts %v", check, got, want, done.Counts)
		}
	}
	for id, state := range map[directory.UserID]directory.UserState{ann.ID: directory.StateSuspended, ben.ID: directory.StateActive, heir.ID: directory.StateActive, moved.ID: directory.StateActive} {
		if u, err := w.Get(ctx, id); err != nil || u.State != state {
			t.Errorf("%s is %s, want %s (%v)", u.Email, u.State, state, err)
		}
	}
	if u, err := w.Get(ctx, ann.ID); err != nil || u.Email != "ann@corp.example" {
		t.Errorf("the address that says who is meant was written: %s, %v", u.Email, err)
	}
	// Groups have no such lines.
	j, err := w.StartLoad(ctx, admin, []byte(`{"id":"grp_1","name":"Sales"}`), LoadOptions{Of: OfGroups, Format: FormatJSONLines})
	w.must(err)
	if w.run(j.ID); len(w.refusals(j.ID)) != 1 {
		t.Error("a line of a group with an ID was taken")
	}
}

func TestLoadFiles(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct {
		name, file string
		format     Format
		code       string
		fields     string
	}{
		{"nothing", "", "", "empty-file", ""},
		{"only a header", "email,department\n", FormatCSV, "empty-file", ""},
		{"unknown column", "email,nick,phones.fax,id\na@b.example,x,y,z\n", FormatCSV, "invalid-header", "nick phones.fax id"},
		{"column twice", "email,email\na@b.example,x\n", FormatCSV, "invalid-header", "email"},
		{"no e-mail", "department\nx\n", FormatCSV, "invalid-header", "email"},
		{"broken header", "\"email\n", FormatCSV, "invalid-file", ""},
		{"array", `[{"email":"a@b.example"}]`, "", "invalid-file", ""},
		{"too large", strings.Repeat("x", MaxBody+1), "", "body-too-large", ""},
		{"semicolons", "email;department\na@b.example;R,D\n", FormatCSV, "", ""},
	} {
		_, err := w.StartLoad(t.Context(), admin, []byte(test.file), LoadOptions{Format: test.format})
		if codeOf(err) != test.code || fieldsOf(err) != test.fields {
			t.Errorf("%s: StartLoad = %v, want %q %q", test.name, err, test.code, test.fields)
		}
	}
	if _, err := w.StartLoad(t.Context(), admin, make([]byte, MaxBody+1), LoadOptions{}); !errors.Is(err, directory.ErrTooLarge) {
		t.Errorf("StartLoad of a byte too many = %v", err)
	}
}

// TestLoadLarge loads the largest file that is allowed.
func TestLoadLarge(t *testing.T) {
	w := newWorld(t)
	var b strings.Builder
	b.WriteString("email,familyName,department,jobTitle,location,company\n")
	n := 0
	for ; b.Len() < 2<<20; n++ {
		fmt.Fprintf(&b, "person.%d@corp.example,Family %d,Department of Sales,Engineer,Building 7,Corp Incorporated\n", n, n)
	}
	j, err := w.StartLoad(t.Context(), admin, []byte(b.String()), LoadOptions{Format: FormatCSV})
	w.must(err)
	done := w.run(j.ID)
	if done.Counts["created"] != n || done.RefusedCount != 0 || done.Inputs < 2 {
		t.Errorf("job = %+v with %d inputs, want %d created", done.Job, done.Inputs, n)
	}
}

// FuzzPatch checks that a patch is refused or applied as RFC 7396 says, that
// it is done once, and that what others own stays.
func FuzzPatch(f *testing.F) {
	for _, s := range []string{`{}`, `{"email":"a@b.example"}`, `{"phones":null}`, `{"phones":{"work":null},"customAttributes":{"x":"1"}}`, `{"state":"staged","department":null}`, `[`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, _, err := userShape.parseEdit(data)
		if err != nil {
			if !errors.Is(err, directory.ErrInvalid) {
				t.Errorf("parseEdit(%q) = %v, no refusal", data, err)
			}
			return
		}
		u := directory.User{Owners: map[string]directory.Source{"department": directory.SourceAD, "phones.work": directory.SourceAD}}
		u.Email, u.UserName, u.State, u.Department, u.Phones.Work = "o@b.example", "o@b.example", directory.StateActive, "AD", "1"
		before := u
		_, err = e.apply(&u, directory.SourceManual)
		if err != nil {
			if !reflect.DeepEqual(u, before) {
				t.Errorf("a refused patch %q changed the user", data)
			}
			return
		}
		if u.Department != "AD" || u.Phones.Work != "1" {
			t.Errorf("the patch %q changed what ad owns", data)
		}
		for path, text := range e.expand(userShape, paths(&before.Profile)) {
			if got := value(&u.Profile, path); got != text && !isAddress(path) {
				t.Errorf("after %q, %s = %q, want %q", data, path, got, text)
			}
		}
		if again, err := e.apply(&u, directory.SourceManual); again || err != nil {
			t.Errorf("the patch %q applied twice = %t, %v", data, again, err)
		}
	})
}
