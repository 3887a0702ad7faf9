package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// botched and mistaken are how many users the two mistakes of the demo concern.
const (
	botched  = 300
	mistaken = 50
)

// bulkEdit suspends 300 bound users by mistake. The guard lets no more go than
// its limit, holds the rest as one decision, and what an admin declines is gone.
func (d *demonstration) bulkEdit(ctx context.Context) error {
	// Whoever edits users cannot raise the limit that holds such a mistake.
	token, err := d.stack.tokens.issue("editor@local", tokenFiles["write-token"]...)
	if err != nil {
		return err
	}
	editor := &client{handler: d.stack.Handler(), token: token}
	status, _, err := editor.raw(ctx, http.MethodPatch, "/v1/connections/"+d.conn, "application/json", `{"settings":{"guard":{"block":{"count":1000}}}}`)
	if err != nil {
		return err
	}
	d.show.check("the guard raised with a token that may write", http.StatusForbidden, status)
	before := d.enabledBound(ctx)
	victims := d.bound[100 : 100+botched]
	var active []string
	for _, id := range victims {
		u, err := d.api.get(ctx, "/v1/users/"+id)
		if err != nil {
			return err
		}
		if u.text("state") != "active" {
			continue
		}
		if _, err := d.api.postJSON(ctx, "/v1/users/"+id+"/suspend", nil); err != nil {
			return err
		}
		active = append(active, id)
	}
	held, err := d.awaitHeld(ctx, "block", len(active)-5)
	if err != nil {
		return err
	}
	for _, r := range held["held"].(map[string]any)["reasons"].([]any)[:1] {
		d.show.note("held: " + fmt.Sprint(r))
	}
	blocked := before - d.enabledBound(ctx)
	d.show.check("accounts blocked by a botched edit of 300, at most the guard's 5", true, blocked <= 5)
	d.show.check("blocks that wait for an admin, with them", len(active), object(held["counts"].(map[string]any)).number("block")+blocked)
	if _, err := d.api.postJSON(ctx, "/v1/runs/"+held.text("id")+"/decline", nil); err != nil {
		return err
	}
	if _, err := d.awaitState(ctx, "/v1/runs/"+held.text("id"), "done"); err != nil {
		return err
	}
	declined, err := d.all(ctx, "/v1/runs/"+held.text("id")+"/changes?state=declined&effect=block")
	d.show.check("blocks declined", len(active)-blocked, len(declined))
	if err != nil {
		return err
	}
	for _, id := range active {
		if _, err := d.api.postJSON(ctx, "/v1/users/"+id+"/activate", nil); err != nil {
			return err
		}
	}
	if err := d.settled(ctx); err != nil {
		return err
	}
	d.show.check("enabled accounts before and after", before, d.enabledBound(ctx))
	return d.agree(ctx)
}

func (d *demonstration) enabledBound(ctx context.Context) int {
	n := 0
	users, err := d.users(ctx)
	if err != nil {
		return -1 // the check fails
	}
	for _, u := range users {
		if !slices.Contains(d.bound, u.text("id")) {
			continue
		}
		if a, ok := d.stack.Sim.Account(d.tenant, u.text("email")); ok && a["accountEnabled"] == true {
			n++
		}
	}
	return n
}

// awaitHeld waits for the one held run that has so many changes of an effect.
func (d *demonstration) awaitHeld(ctx context.Context, effect string, changes int) (object, error) {
	until := time.Now().Add(d.patience)
	var seen []string
	for time.Now().Before(until) {
		runs, err := d.api.get(ctx, "/v1/connections/"+d.conn+"/runs?limit=20")
		if err != nil {
			return nil, err
		}
		seen = nil
		for _, r := range runs.list("items") {
			counts, _ := r["counts"].(map[string]any)
			seen = append(seen, fmt.Sprintf("%s %s %s %v", r.text("id"), r.text("kind"), r.text("state"), counts))
			if n := object(counts).number(effect); r.text("state") == "held" && n >= changes {
				return r, nil
			}
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("no run is held with %d changes of the effect %s; there are: %s", changes, effect, strings.Join(seen, "; "))
}

// phones edits users whose phones need an admin's approval by the settings. The
// admin lets the rest go and declines the phones, which are then mended.
func (d *demonstration) phones(ctx context.Context) error {
	list, err := d.editPhones(ctx, "+1 555 0100", "Annex")
	if err != nil {
		return err
	}
	held, err := d.awaitHeld(ctx, "update-sensitive", len(list))
	if err != nil {
		return err
	}
	d.show.check("phones that wait for an admin", len(list), object(held["counts"].(map[string]any)).number("update-sensitive"))
	if _, err := d.api.postJSON(ctx, "/v1/runs/"+held.text("id")+"/approve", object{"effects": []string{"update"}}); err != nil {
		return err
	}
	if _, err := d.awaitState(ctx, "/v1/runs/"+held.text("id"), "done"); err != nil {
		return err
	}
	moved, written := 0, 0
	for _, r := range list {
		a, _ := d.stack.Sim.Account(d.tenant, r["email"])
		if a["officeLocation"] == "Annex" {
			moved++
		}
		if phones, _ := a["businessPhones"].([]any); len(phones) == 1 && phones[0] == "+1 555 0100" {
			written++
		}
	}
	d.show.check("offices and phones written after the approval of the offices", fmt.Sprint(len(list), 0), fmt.Sprint(moved, written))
	if _, err := d.editPhones(ctx, "", "Annex"); err != nil {
		return err
	}
	if err := d.settled(ctx); err != nil {
		return err
	}
	return d.agree(ctx)
}

// editPhones gives users of the file a phone and an office; an empty phone is
// that of the file.
func (d *demonstration) editPhones(ctx context.Context, phone, office string) ([]map[string]string, error) {
	list := d.rows[100:150]
	for _, r := range list {
		u, err := d.userByEmail(ctx, r["email"])
		if err != nil {
			return nil, err
		}
		work := phone
		if work == "" {
			work = r["phones.work"]
		}
		if _, err := d.api.patch(ctx, "/v1/users/"+u.text("id"), object{"phones": object{"work": work}, "location": office}); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// mistake switches an attribute on that is wrong for 50 users: the what-if
// shows it, an admin approves the first plan with it, which touches more accounts
// than go by themselves on a connection's first day, and the undo takes it back, once
// it is approved as well: it empties as many values.
func (d *demonstration) mistake(ctx context.Context) error {
	list := d.bound[500 : 500+mistaken]
	for _, id := range list {
		if _, err := d.api.patch(ctx, "/v1/users/"+id, object{"company": "Old Name Ltd"}); err != nil {
			return err
		}
	}
	if err := d.settled(ctx); err != nil {
		return err
	}
	// The edits say nothing to Microsoft yet, and what they marked may still wait,
	// say behind a worker that died. Planned with the mapping to come, a few of
	// them would be a small run of their own, which goes unheld, and 50 are not
	// held together any more.
	if _, err := d.fullRun(ctx); err != nil {
		return err
	}
	before, err := d.accountsOf(ctx, list)
	if err != nil {
		return err
	}
	wrong := object{"settings": object{"attributes": object{"companyName": object{"export": true}}}}
	what, err := d.api.postJSON(ctx, "/v1/connections/"+d.conn+"/runs", object{"dryRun": true, "settings": wrong["settings"]})
	if err != nil {
		return err
	}
	if what, err = d.awaitState(ctx, "/v1/runs/"+what.text("id"), "planned"); err != nil {
		return err
	}
	counts, _ := what["counts"].(map[string]any)
	d.show.check("updates that the what-if of the new mapping shows", mistaken, object(counts).number("update"))
	if _, err := d.api.patch(ctx, "/v1/connections/"+d.conn, wrong); err != nil {
		return err
	}
	held, err := d.awaitHeld(ctx, "update", mistaken)
	if err != nil {
		return err
	}
	run, err := d.approved(ctx, held)
	if err != nil {
		return err
	}
	undo, err := d.api.postJSON(ctx, "/v1/runs/"+run.text("id")+"/undo", nil)
	if err != nil {
		return err
	}
	if undo, err = d.awaitState(ctx, "/v1/runs/"+undo.text("id"), "held"); err != nil { // it empties as many values
		return err
	}
	if undo, err = d.approved(ctx, undo); err != nil {
		return err
	}
	d.show.check("changes undone", mistaken, undo.number("applied"))
	after, err := d.accountsOf(ctx, list)
	if err != nil {
		return err
	}
	same := 0
	for i := range before {
		if maps.EqualFunc(before[i], after[i], func(a, b any) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
			same++
		}
	}
	d.show.check("accounts equal to before the mistake", mistaken, same)
	paused, err := d.all(ctx, "/v1/connections/"+d.conn+"/bindings?status=paused")
	d.show.check("bindings paused until somebody acts", mistaken, len(paused))
	if err != nil {
		return err
	}
	// The mapping is mended, and so are the users: they are synced again.
	right := object{"settings": object{"attributes": object{"companyName": nil}}}
	if _, err := d.api.patch(ctx, "/v1/connections/"+d.conn, right); err != nil {
		return err
	}
	for _, id := range list {
		if _, err := d.api.patch(ctx, "/v1/users/"+id, object{"company": nil}); err != nil {
			return err
		}
	}
	if err := d.settled(ctx); err != nil {
		return err
	}
	return d.agree(ctx)
}

// approved has all of a held run go on, and waits until it is done.
func (d *demonstration) approved(ctx context.Context, held object) (object, error) {
	for _, r := range held["held"].(map[string]any)["reasons"].([]any)[:1] {
		d.show.note("held, and approved: " + fmt.Sprint(r))
	}
	if _, err := d.api.postJSON(ctx, "/v1/runs/"+held.text("id")+"/approve", nil); err != nil {
		return nil, err
	}
	return d.awaitState(ctx, "/v1/runs/"+held.text("id"), "done")
}

// accountsOf reads the accounts of users on Microsoft's side.
func (d *demonstration) accountsOf(ctx context.Context, ids []string) ([]map[string]any, error) {
	list := make([]map[string]any, len(ids))
	for i, id := range ids {
		u, err := d.api.get(ctx, "/v1/users/"+id)
		if err != nil {
			return nil, err
		}
		a, _ := d.stack.Sim.Account(d.tenant, u.text("email"))
		list[i] = maps.Clone(a)
		maps.DeleteFunc(list[i], func(_ string, v any) bool { return v == nil })
	}
	return list, nil
}
