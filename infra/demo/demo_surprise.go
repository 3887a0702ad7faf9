package demo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"bindery/infra/stack"
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
	token, err := d.tokens.Issue("editor@local", stack.TokenFiles["write-token"]...)
	if err != nil {
		return err
	}
	editor := &stack.Client{Handler: d.api.Handler, Token: token}
	status, _, err := editor.Raw(ctx, http.MethodPatch, "/v1/connections/"+d.conn, "application/json", `{"settings":{"guard":{"block":{"count":1000}}}}`)
	if err != nil {
		return err
	}
	d.show.check("the guard raised with a token that may write", http.StatusForbidden, status)
	before := d.enabledBound(ctx)
	victims := d.bound[100 : 100+botched]
	var active []string
	for _, id := range victims {
		u, err := d.api.Get(ctx, "/v1/users/"+id)
		if err != nil {
			return err
		}
		if u.Text("state") != "active" {
			continue
		}
		if _, err := d.api.PostJSON(ctx, "/v1/users/"+id+"/suspend", nil); err != nil {
			return err
		}
		active = append(active, id)
	}
	blocked := 0
	held, err := d.decide(ctx, "block", func(n int) bool {
		blocked = before - d.enabledBound(ctx)
		return n+blocked >= len(active)
	}, "decline", nil)
	if err != nil {
		return err
	}
	d.show.check("accounts blocked by a botched edit of 300, at most the guard's 5", true, blocked <= 5)
	d.show.check("blocks that wait for an admin, with them", len(active), held.Object("counts").Number("block")+blocked)
	declined, err := d.api.All(ctx, "/v1/runs/"+held.Text("id")+"/changes?state=declined&effect=block")
	d.show.check("blocks declined", len(active)-blocked, len(declined))
	if err != nil {
		return err
	}
	for _, id := range active {
		if _, err := d.api.PostJSON(ctx, "/v1/users/"+id+"/activate", nil); err != nil {
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
		if !slices.Contains(d.bound, u.Text("id")) {
			continue
		}
		if a, ok := d.sim.Account(d.tenant, u.Text("email")); ok && a["accountEnabled"] == true {
			n++
		}
	}
	return n
}

// decide waits for a held run with enough changes of an effect, answers it as an
// admin does, and waits until it is done; the run is returned as it was held. A run
// that a later one took the place of meanwhile, since further users changed, is
// no longer there to be decided: then the later one is.
func (d *demonstration) decide(ctx context.Context, effect string, enough func(changes int) bool, answer string, body any) (object, error) {
	var runs object
	for until := time.Now().Add(d.patience); time.Now().Before(until); {
		var err error
		if runs, err = d.api.Get(ctx, "/v1/connections/"+d.conn+"/runs?limit=20"); err != nil {
			return nil, err
		}
		for _, held := range runs.List("items") {
			if held.Text("state") != "held" || !enough(held.Object("counts").Number(effect)) {
				continue
			}
			answered, err := d.answer(ctx, held, answer, body)
			if err != nil || answered {
				return held, err
			}
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("no run is held with enough changes of the effect %s; there are: %v", effect, runs["items"])
}

// answer approves or declines a held run and waits until it is done, unless
// a later run has taken its place.
func (d *demonstration) answer(ctx context.Context, held object, answer string, body any) (bool, error) {
	path := "/v1/runs/" + held.Text("id")
	if _, err := d.api.PostJSON(ctx, path+"/"+answer, body); err != nil {
		r, readErr := d.api.Get(ctx, path)
		if readErr == nil && r.Text("state") == "superseded" {
			return false, nil
		}
		return false, errors.Join(err, readErr)
	}
	for _, r := range held.Object("held")["reasons"].([]any)[:1] {
		d.show.note("held: " + fmt.Sprint(r) + "; the admin says: " + answer)
	}
	_, err := d.awaitState(ctx, path, "done")
	return true, err
}

// phones edits users whose phones need an admin's approval by the settings. The
// admin lets the rest go and declines the phones, which are then mended.
func (d *demonstration) phones(ctx context.Context) error {
	list, err := d.editPhones(ctx, "+1 555 0100", "Annex")
	if err != nil {
		return err
	}
	held, err := d.decide(ctx, "update-sensitive", func(n int) bool { return n >= len(list) }, "approve", object{"effects": []string{"update"}})
	if err != nil {
		return err
	}
	d.show.check("phones that wait for an admin", len(list), held.Object("counts").Number("update-sensitive"))
	moved, written := 0, 0
	for _, r := range list {
		a, _ := d.sim.Account(d.tenant, r["email"])
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
		if _, err := d.api.Patch(ctx, "/v1/users/"+u.Text("id"), object{"phones": object{"work": work}, "location": office}); err != nil {
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
		if _, err := d.api.Patch(ctx, "/v1/users/"+id, object{"company": "Old Name Ltd"}); err != nil {
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
	what, err := d.api.PostJSON(ctx, "/v1/connections/"+d.conn+"/runs", object{"dryRun": true, "settings": wrong["settings"]})
	if err != nil {
		return err
	}
	if what, err = d.awaitState(ctx, "/v1/runs/"+what.Text("id"), "planned"); err != nil {
		return err
	}
	d.show.check("updates that the what-if of the new mapping shows", mistaken, what.Object("counts").Number("update"))
	if _, err := d.api.Patch(ctx, "/v1/connections/"+d.conn, wrong); err != nil {
		return err
	}
	run, err := d.decide(ctx, "update", func(n int) bool { return n >= mistaken }, "approve", nil)
	if err != nil {
		return err
	}
	undo, err := d.api.PostJSON(ctx, "/v1/runs/"+run.Text("id")+"/undo", nil)
	if err != nil {
		return err
	}
	if undo, err = d.awaitState(ctx, "/v1/runs/"+undo.Text("id"), "held"); err != nil { // it empties as many values
		return err
	}
	if _, err := d.answer(ctx, undo, "approve", nil); err != nil {
		return err
	}
	if undo, err = d.api.Get(ctx, "/v1/runs/"+undo.Text("id")); err != nil {
		return err
	}
	d.show.check("changes undone", mistaken, undo.Number("applied"))
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
	paused, err := d.api.All(ctx, "/v1/connections/"+d.conn+"/bindings?status=paused")
	d.show.check("bindings paused until somebody acts", mistaken, len(paused))
	if err != nil {
		return err
	}
	// The mapping is mended, and so are the users: they are synced again.
	right := object{"settings": object{"attributes": object{"companyName": nil}}}
	if _, err := d.api.Patch(ctx, "/v1/connections/"+d.conn, right); err != nil {
		return err
	}
	for _, id := range list {
		if _, err := d.api.Patch(ctx, "/v1/users/"+id, object{"company": nil}); err != nil {
			return err
		}
	}
	if err := d.settled(ctx); err != nil {
		return err
	}
	return d.agree(ctx)
}

// accountsOf reads the accounts of users on Microsoft's side.
func (d *demonstration) accountsOf(ctx context.Context, ids []string) ([]map[string]any, error) {
	list := make([]map[string]any, len(ids))
	for i, id := range ids {
		u, err := d.api.Get(ctx, "/v1/users/"+id)
		if err != nil {
			return nil, err
		}
		a, _ := d.sim.Account(d.tenant, u.Text("email"))
		list[i] = maps.Clone(a)
		maps.DeleteFunc(list[i], func(_ string, v any) bool { return v == nil })
	}
	return list, nil
}
