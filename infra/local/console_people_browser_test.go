package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"bindery/infra/stack"
)

// TestBrowserPeople chooses users of a long list and suspends them, looks at one of them, and
// loads a file that is too large for a form.
func TestBrowserPeople(t *testing.T) {
	if os.Getenv("BINDERY_BROWSER") == "" {
		t.Skip("needs chromium: make test-browser finds it")
	}
	o, base := served(t, stack.Config{})
	conn := o.Connect("corp.example", o.Tenant("corp.example"), nil)
	var users []string
	for i := range 60 {
		users = append(users, o.User(fmt.Sprintf("user%02d@corp.example", i), stack.Object{"department": []string{"Engineering", "Sales", "Works"}[i%3], "jobTitle": "Member of staff"}))
	}
	o.Must(o.API.Patch(o.Context(), "/v1/users/"+users[1], stack.Object{"managerId": users[0]}))
	o.Bind(conn, users[:5]...)
	for _, u := range users[:5] {
		o.Binding(conn, u, "in-sync")
	}
	b := openTab(t, base)
	b.signIn()

	// A range by shift, none by Escape, and a choice over two pages.
	b.open("/console/users")
	b.see("Rows 1–50 of about 60")
	js[bool](b, `(() => { const c = document.querySelectorAll('input[name=c]'); c[0].click(); c[4].dispatchEvent(new MouseEvent('click', {shiftKey: true, bubbles: true})); return true })()`)
	b.see("5 of 50 chosen")
	b.look("users-chosen")
	b.do("escape", chromedp.KeyEvent("\x1b"))
	if n := js[int](b, "document.querySelectorAll('input[name=c]:checked').length"); n != 0 {
		t.Errorf("%d users are chosen after Escape", n)
	}
	js[bool](b, "[...document.querySelectorAll('input[name=c]')].slice(1, 3).forEach(x => x.click()), true")
	b.see("2 of 50 chosen")
	b.press("button[name=go]", "Rows 51–60 of about 60")
	js[bool](b, "document.querySelector('input[name=c]').click(), true")
	b.see("1 of 10 on this page, 3 in all")
	b.press("button[value=suspend]", "Suspend 3 users?")
	b.look("users-suspend")
	b.press(".decide button.primary", "3 users are suspended.")
	b.press(".flash a", "Activate 3 users?")
	b.press(".decide button.primary", "3 users are active.")
	b.press("button[value=bind]", "Nobody is ticked")
	b.open("/console/users/many?do=bind&whom=filter&text=user5")
	b.see("Bind 10 users?")
	b.look("users-bind")
	b.open("/console/users?text=nobody-is-called-so")
	b.look("users-none")

	// One of them.
	b.open("/console/users/" + users[1])
	b.see("History")
	b.look("user-bound")
	b.press("form[action$='/suspend'] button", "Suspended.")
	b.look("user-undo")
	b.press(".flash button", "Undone.")
	b.press("form[action$='/suspend'] button", "Suspended.")
	o.Must(o.API.Patch(o.Context(), "/v1/users/"+users[1], stack.Object{"jobTitle": "Edited meanwhile"}))
	b.script(false)
	b.press(".flash button", "It can no longer be undone")
	b.script(true)
	b.open("/console/users/" + users[1])
	b.press("form[action$='/activate'] button", "Activated.")
	b.press("a[href*='/explain']", "What the next run would do")
	b.look("user-explain")
	b.open("/console/activity")
	b.look("activity-names")
	b.open("/console/sources")
	b.see("No identity provider pushes by SCIM yet")
	b.look("sources")

	group := o.Post("/v1/groups", object{"name": "Sales", "description": "Who sells"}).Text("id")
	above := o.Post("/v1/groups", object{"name": "EMEA"}).Text("id")
	o.Post("/v1/groups/"+above+"/members", object{"groupIds": []string{group}})
	b.open("/console/groups/" + group)
	b.do("by address", chromedp.SendKeys("textarea[name=users]", "user07@corp.example, user08@corp.example"))
	b.press("form[action$='/add'] button", "2 members are added.")
	b.look("group-members")
	b.open("/console/groups/" + group + "?show=above")
	b.see("EMEA")
	b.look("group-above")
	b.open("/console/connections/" + conn)
	b.see("Next by schedule")
	b.look("connection-overview")
	b.open("/console/connections/" + conn + "/licences")
	b.look("licences")

	// Help on keys, and dense rows.
	b.do("help", chromedp.KeyEvent("?"))
	if !js[bool](b, "document.querySelector('#key-help').open") {
		t.Error("? opens no help")
	}
	b.look("keys")
	b.do("escape", chromedp.KeyEvent("\x1b"))
	if js[bool](b, "document.querySelector('#key-help').open") {
		t.Error("Escape does not close the help")
	}
	b.open("/console/me")
	b.press("button[value='density-compact']", "Comfortable")
	b.do("dense", chromedp.WaitVisible("html.compact"))
	b.open("/console/users")
	b.look("users-compact")
	if height := js[float64](b, "document.querySelector('tbody tr').getBoundingClientRect().height"); height > 34 {
		t.Errorf("a dense row has %v pixels", height)
	}

	// A file that is too large for a form is packed; it is checked first, and then loaded.
	path := filepath.Join(t.TempDir(), "people.csv")
	var file strings.Builder
	file.WriteString("email,givenName,department,Shoe size\n")
	for i := range 120_000 {
		fmt.Fprintf(&file, "loaded%06d@corp.example,Loaded,Department %d,%d\n", i, i%40, 36+i%10)
	}
	if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	b.open("/console/users/load")
	b.do("choose", chromedp.SetUploadFiles("input[type=file]", []string{path}))
	b.press("button[name=check]", "Shoe size") // refused: nobody knows the column
	b.look("load-refused")
	b.do("choose", chromedp.SetUploadFiles("input[type=file]", []string{path}))
	js[bool](b, "document.querySelector('input[name=unknown]').checked = true")
	b.press("button[name=check]", "How the file is read")
	b.see("Only checked: nothing has been loaded yet")
	b.look("job-checked")
	b.press("form[action='/console/users/load'] button", "Load of users")
	b.look("job-loading")
}
