package main

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestBrowserRun decides about a held run by a filter, with what leads to it: the mark on
// another page, home, the run, one change compared; and sees the page look again for
// nothing.
func TestBrowserRun(t *testing.T) {
	if os.Getenv("BINDERY_BROWSER") == "" {
		t.Skip("needs chromium: make test-browser finds it")
	}
	o, base, conn, run := held(t)
	b := openTab(t, base)
	b.signIn()
	b.see("Needs a decision")
	b.look("home-inbox")
	b.open("/console/users")
	b.see("2 need you")
	b.look("marked")
	b.press("a.needs", "Needs a decision")

	// Looking again: what has not changed has no body.
	again := func() int {
		return js[int](b, "document.querySelector('#main').dataset.poll = 100, look(), new Promise(done => setTimeout(() => done(performance.getEntriesByType('resource').filter(x => x.name.endsWith('/console') && x.responseStatus === 304).length), 2000))")
	}
	for until := time.Now().Add(30 * time.Second); again() == 0; {
		if time.Now().After(until) {
			t.Fatal("looking again always answers with a page")
		}
	}

	b.open("/console/runs/" + run)
	b.see("Nothing has been written yet")
	js[bool](b, "document.querySelectorAll('input[name=c]')[0].click(), true")
	b.press("button[name=open]", "Last agreed")
	b.see(fmt.Sprintf("1 of %d chosen", js[int](b, "document.querySelectorAll('input[name=c]').length")))
	b.look("run-compared")
	b.do("close", chromedp.Click("#opened a:last-child"))
	b.press("a.chip[href*='effect=block']", "Approve all that this filter shows")
	b.look("run-filtered")
	b.press("button[value=filter]", "changes?")
	b.look("approve-filter")
	b.do("why", chromedp.SendKeys("input[name=reason]", "HR confirmed who has left"))
	b.press(".decide button.primary", "changes approved")
	o.Wait("the run does not end", func() bool { return o.Get("/v1/runs/"+run).Text("state") == "done" })
	b.open("/console/runs/" + run)
	b.see("HR confirmed who has left")
	b.look("run-decided")
	b.open("/console/runs/" + run + "/undo")
	b.see("Only these users")
	b.look("undo-names")
	js[bool](b, "document.querySelector('input[name=users]').click(), true")
	b.press(".stack button.primary", "Put back 1 change")
	b.open("/console/connections/" + conn)
	b.look("connection-after")
}
