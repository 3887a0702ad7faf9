package console

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
)

// Two who edit one user at once lose nothing of each other: a field that one has not touched
// is the other's, and of one that both have changed is chosen, with who was faster and when.
func TestBothVersions(t *testing.T) {
	t.Parallel()
	const at = "/console/users/usr_1/edit"
	w := runWorld(t, directory.RunDone)
	u := ann(w.now)
	u.Owners = nil
	var onto string
	w.tell(map[string]any{"GET /v1/users/usr_1": func(*http.Request) any { return u }, "PATCH /v1/users/usr_1": func(r *http.Request) any {
		onto = r.Header.Get("If-Match")
		return u
	}, "GET /v1/activity": page[entry]{Items: []entry{{ID: "a", Kind: "edit-user", By: "ben", UserID: "usr_1", At: w.now.Add(-time.Minute)}}}})
	mine := w.get(at).filled(at)
	mine.Set("department", "A dep")
	mine.Set("phones.work", "1")
	u.Version, u.JobTitle, u.Phones.Work = 8, "B title", "2"
	a := w.send(http.MethodPost, at, mine)
	a.sound("both versions")
	a.golden("user-both-versions")
	if calls := w.told(); a.code != http.StatusPreconditionFailed || len(calls) > 0 {
		t.Fatalf("%d, %v", a.code, calls)
	}
	a.has("Last edited by", "ben", "1 minute ago", `value="A dep"`, `value="B title"`, "Head of Sales", `name="take.phones.work"`, `name="version" value="8"`)
	if n := strings.Count(a.body, "Both of you have changed this"); n != 1 {
		t.Errorf("%d fields are to be chosen of, want the one that both have changed", n)
	}
	if n := strings.Count(a.body, "Changed meanwhile, and taken over"); n != 1 {
		t.Errorf("%d fields were taken over, want the one that the other has changed alone", n)
	}
	form := a.filled(at)
	for take, want := range map[string]string{
		"mine":   `PATCH /v1/users/usr_1 {"department":"A dep","phones":{"work":"1"}}`,
		"theirs": `PATCH /v1/users/usr_1 {"department":"A dep"}`,
		"":       "",
	} {
		again := maps.Clone(form)
		again.Del("take.phones.work")
		if take != "" {
			again.Set("take.phones.work", take)
		}
		a := w.send(http.MethodPost, at, again)
		calls := w.told()
		if want == "" {
			if a.has("Both of you have changed this"); a.code != http.StatusPreconditionFailed || len(calls) > 0 {
				t.Errorf("undecided: %d, %v", a.code, calls)
			}
			continue
		}
		if !slices.Equal(calls, []string{want}) || onto != `"8"` {
			t.Errorf("%s: told %v onto %s, want %s", take, calls, onto, want)
		}
	}
	// One's own edit in another tab is nobody else's.
	w.tell(map[string]any{"GET /v1/activity": page[entry]{Items: []entry{{ID: "a", Kind: "edit-user", By: "ada", UserID: "usr_1", At: w.now.Add(-time.Minute)}}}})
	w.send(http.MethodPost, at, mine).has("You have last edited it yourself,")
	// Without the history the versions are shown all the same.
	w.tell(map[string]any{"GET /v1/activity": problem{Status: 503}})
	w.send(http.MethodPost, at, mine).has("Both of you have changed this")
}

// So it is with groups.
func TestBothVersionsOfAGroup(t *testing.T) {
	t.Parallel()
	const at = "/console/groups/grp_1/edit"
	w := runWorld(t, directory.RunDone)
	x := sales(w.now)
	var onto string
	w.tell(map[string]any{"GET /v1/groups/grp_1": func(*http.Request) any { return x }, "PATCH /v1/groups/grp_1": func(r *http.Request) any {
		onto = r.Header.Get("If-Match")
		return x
	}, "GET /v1/activity": page[entry]{Items: []entry{{ID: "a", Kind: "edit-group", By: "ben", At: w.now.Add(-time.Minute)}}}})
	mine := w.get(at).filled(at)
	mine.Set("name", "Sellers")
	mine.Set("mailNickname", "sellers")
	x.Version, x.Name, x.Description = 8, "Vendors", "Who vends"
	a := w.send(http.MethodPost, at, mine)
	a.sound("both versions")
	a.golden("group-both-versions")
	if calls := w.told(); a.code != http.StatusPreconditionFailed || len(calls) > 0 {
		t.Fatalf("%d, %v", a.code, calls)
	}
	a.has("Last edited by", "ben", `value="Sellers"`, `value="Who vends"`, "Who sells", `value="sellers"`, `name="take.name"`, `name="version" value="8"`)
	form := a.filled(at)
	for take, want := range map[string]string{
		"mine":   `PATCH /v1/groups/grp_1 {"description":"Who vends","mailNickname":"sellers","name":"Sellers"}`,
		"theirs": `PATCH /v1/groups/grp_1 {"description":"Who vends","mailNickname":"sellers","name":"Vendors"}`,
		"":       "",
	} {
		again := maps.Clone(form)
		again.Del("take.name")
		if take != "" {
			again.Set("take.name", take)
		}
		a := w.send(http.MethodPost, at, again)
		calls := w.told()
		if want == "" {
			if a.has("Both of you have changed this"); a.code != http.StatusPreconditionFailed || len(calls) > 0 {
				t.Errorf("undecided: %d, %v", a.code, calls)
			}
		} else if !slices.Equal(calls, []string{want}) || onto != `"8"` {
			t.Errorf("%s: told %v onto %s, want %s", take, calls, onto, want)
		}
	}
	// Somebody who is faster still, between our look and our edit.
	w.tell(map[string]any{"PATCH /v1/groups/grp_1": problem{Status: http.StatusPreconditionFailed, Code: "version-mismatch"}})
	mine.Set("version", "8")
	if a := w.send(http.MethodPost, at, mine); a.code != http.StatusPreconditionFailed {
		t.Errorf("%d", a.code)
	} else {
		a.has("Both of you have changed this", `value="sellers"`)
	}
}
