package people

import (
	"strings"
	"testing"

	"bindery/shared/core/assign"
	"bindery/shared/core/assign/assigntest"
	"bindery/shared/directory"
)

// TestImportTellsOfTheName: what an import says of an account's sign-in name
// before anything is done, and how it counts it.
func TestImportTellsOfTheName(t *testing.T) {
	for setting, want := range map[directory.AdoptedName]string{"": "55512345@corp.example", directory.AdoptedNameEmail: "jo.doe@corp.example"} {
		w := newWorld(t)
		w.settings(func(s *directory.Settings) { s.AdoptedUserPrincipalName = setting })
		w.tenant.Accounts = []directory.Account{
			assigntest.Account("number", "55512345@corp.example", directory.PropMail, "jo.doe@corp.example"), assigntest.Account("plain", "Plain@corp.example"),
			assigntest.Account("outside", "outside@corp.example", directory.PropMail, "outside@other.example"),
		}
		list, _, err := w.accounts.List(t.Context(), w.conn.ID, assign.AccountFilter{}, "", 10)
		w.must(err)
		for _, c := range list {
			switch {
			case c.Verdict != assign.VerdictNew:
				t.Errorf("%s is %s", c.ID, c.Verdict)
			case c.ID == "number" && (c.BoundAs != want || !strings.Contains(c.Detail, "jo.doe@corp.example") || !strings.Contains(c.Detail, "adoptedUserPrincipalName")):
				t.Errorf("with %q: bound as %s: %s", setting, c.BoundAs, c.Detail)
			case c.ID == "plain" && (c.BoundAs != "Plain@corp.example" || c.Detail != ""):
				t.Errorf("with %q: plain is bound as %s: %s", setting, c.BoundAs, c.Detail)
			case c.ID == "outside" && (c.BoundAs != "" || c.Detail == ""):
				t.Errorf("with %q: outside is bound as %s: %s", setting, c.BoundAs, c.Detail)
			}
			renamed := ""
			for _, p := range c.Writes {
				switch {
				case p.Name == directory.PropUserPrincipalName:
					renamed = p.After.String()
				case p.Name == directory.PropMailNickname && !p.Before.IsNull(), c.BoundAs == "":
					t.Errorf("with %q: %s of %s would be written", setting, p.Name, c.ID)
				}
			}
			if renamed != "" && renamed != c.BoundAs || (renamed != "") != (c.ID == "number" && setting == directory.AdoptedNameEmail) {
				t.Errorf("with %q: %s is bound as %q and renamed to %q", setting, c.ID, c.BoundAs, renamed)
			}
		}
		j, err := w.StartImport(t.Context(), admin, w.conn.ID, ImportRequest{All: true, Bind: true})
		w.must(err)
		renames := 0
		if setting != "" {
			renames = 1
		}
		if done := w.run(j.ID); done.Counts["renamedByBinding"] != renames || done.Counts["created"] != 3 {
			t.Errorf("with %q: the job counts %v", setting, done.Counts)
		}
	}
}

// TestImportedUserIsKnown: an account whose user has another address by now is
// not imported once more.
func TestImportedUserIsKnown(t *testing.T) {
	w := newWorld(t)
	w.tenant.Accounts = []directory.Account{assigntest.Account("number", "55512345@corp.example", directory.PropMail, "jo.doe@corp.example")}
	for round := range 2 {
		j, err := w.StartImport(t.Context(), admin, w.conn.ID, ImportRequest{All: true})
		w.must(err)
		if done := w.run(j.ID); done.Counts["created"] != 1-round {
			t.Fatalf("round %d: the job counts %v", round, done.Counts)
		}
		u := w.all()[0]
		if from := u.ImportedFrom; from == nil || from.AccountID != "number" || from.TenantID != w.conn.Tenant.ID {
			t.Fatalf("the user is imported from %+v", from)
		}
		if round == 0 {
			_, err = w.Patch(t.Context(), admin, u.ID, []byte(`{"email":"jo.smith@corp.example","userName":"jo.smith"}`), u.Version)
			w.must(err)
		}
	}
	u := w.all()[0]
	list, _, err := w.accounts.List(t.Context(), w.conn.ID, assign.AccountFilter{}, "", 10)
	w.must(err)
	if len(list) != 1 || list[0].Verdict != assign.VerdictInDirectory || list[0].UserID != u.ID || len(w.all()) != 1 || u.ImportedFrom == nil {
		t.Errorf("the account is %+v; the user %+v", list, u)
	}
	// A deleted user is nobody's: the account is for import again.
	w.must(w.Delete(t.Context(), admin, u.ID, u.Version))
	if list, _, err = w.accounts.List(t.Context(), w.conn.ID, assign.AccountFilter{}, "", 10); err != nil || list[0].Verdict != assign.VerdictNew {
		t.Errorf("with a deleted user the account is %+v, %v", list, err)
	}
}

// TestImportOfAnAccountNamedTwice: an account that is named in other letters too, or
// with a character that nobody sees, is one.
func TestImportOfAnAccountNamedTwice(t *testing.T) {
	w := newWorld(t)
	w.tenant.Accounts = []directory.Account{assigntest.Account("0aa0", "ann@corp.example")}
	j, err := w.StartImport(t.Context(), admin, w.conn.ID, ImportRequest{AccountIDs: []directory.AccountID{"0aa0\u200b", "0AA0", " 0aa0"}, Bind: true})
	w.must(err)
	if done := w.run(j.ID); done.Counts["bound"] != 1 || done.RefusedCount != 0 || done.Done != 1 {
		t.Errorf("the job counts %v of %d; refused %v", done.Counts, done.Done, w.refusals(j.ID))
	}
}

// TestImportOfAnotherEmployee: an address alone gives nobody the account of somebody
// with another employeeId, whether it is matched or imported. Whose account it was
// imported from keeps it.
func TestImportOfAnotherEmployee(t *testing.T) {
	w := newWorld(t)
	w.tenant.Accounts = []directory.Account{
		assigntest.Account("other", "ann@corp.example", directory.PropEmployeeID, "E2"), assigntest.Account("same", "bob@corp.example", directory.PropEmployeeID, "e1"),
		assigntest.Account("imported", "cleo@corp.example", directory.PropEmployeeID, "E3"),
	}
	j, err := w.StartImport(t.Context(), admin, w.conn.ID, ImportRequest{AccountIDs: []directory.AccountID{"imported"}})
	w.must(err)
	w.run(j.ID)
	cleo := w.all()[0]
	_, err = w.Patch(t.Context(), admin, cleo.ID, []byte(`{"employeeId":"E9"}`), cleo.Version)
	w.must(err)
	ann := w.user(`{"email":"ann@corp.example","employeeId":"E1"}`, admin)
	w.user(`{"email":"bob@corp.example","employeeId":"E1"}`, admin)

	list, _, err := w.accounts.List(t.Context(), w.conn.ID, assign.AccountFilter{}, "", 10)
	w.must(err)
	for _, c := range list {
		if contradicts := c.ID == "other"; (c.Reason == "adopt-other-employee") != contradicts || (c.BoundAs == "") != contradicts {
			t.Errorf("%s is %s %q, bound as %q", c.ID, c.Verdict, c.Reason, c.BoundAs)
		}
	}
	j, err = w.StartImport(t.Context(), admin, w.conn.ID, ImportRequest{All: true, Bind: true})
	w.must(err)
	done := w.run(j.ID)
	refused := w.refusals(j.ID)
	if done.Counts["bound"] != 2 || len(refused) != 1 || refused[0].Code != "adopt-other-employee" || refused[0].UserID != ann.ID {
		t.Errorf("the job counts %v, refused %+v", done.Counts, refused)
	}
}
