package reconcile

import (
	"testing"

	"bindery/shared/core/runs"
	"bindery/shared/directory"
)

// TestAdoptionKeepsAlias: an adopted account keeps its mailNickname, and its name
// where the directory has none. By the setting the alias follows the address,
// which a what-if run shows before; a release with restore takes it back.
func TestAdoptionKeepsAlias(t *testing.T) {
	w := newWorld(t,
		map[string]any{"userPrincipalName": "ann@" + simDomain, "displayName": "Ann", "mailNickname": "ann.smith", "accountEnabled": true},
		map[string]any{"userPrincipalName": "bea@" + simDomain, "displayName": "Bea B.", "mailNickname": "bea.b", "accountEnabled": true})
	ann := w.user("ann", func(u *directory.User) { u.DisplayName = "Ann Smith" })
	bea := w.user("bea", func(u *directory.User) { u.GivenName, u.FamilyName = "", "" })
	cid := w.user("cid")
	w.bind(ann, bea, cid)
	w.sync()
	for _, u := range []directory.User{ann, bea} {
		a, b := w.account(u.Email), w.binding(u)
		want := map[string]string{ann.Email: "Ann Smith ann.smith", bea.Email: "Bea B. bea.b"}[u.Email]
		if got := a["displayName"].(string) + " " + a["mailNickname"].(string); got != want || b.Status != directory.BindingInSync {
			t.Errorf("the account is %s (%s), want %s", got, b.Status, want)
		}
		if v := b.Base[directory.PropMailNickname]; v.String() != a["mailNickname"] {
			t.Errorf("mailNickname %s counts as agreed, and was never written", v)
		}
	}
	if got := w.account(cid.Email)["mailNickname"]; got != "cid" {
		t.Errorf("a new account has the mailNickname %v", got)
	}
	w.skew.Add(2 * Grace)
	if sum := w.sync(); sum.Planned != 0 {
		t.Errorf("the next sync plans %d changes", sum.Planned)
	}

	// What has the address follows it, and the alias stays.
	w.edit(cid, func(u *directory.User) { u.Email = "cyd@" + simDomain })
	w.sync()
	if got := w.account("cyd@" + simDomain)["mailNickname"]; got != "cid" {
		t.Errorf("after the rename the mailNickname is %v", got)
	}

	wish := w.conn.Settings
	wish.UpdateMailNickname = true
	r, err := w.runs().Start(t.Context(), directory.Caller{}, &w.conn, runs.Request{DryRun: true, Settings: &wish})
	w.do(err)
	w.sync()
	if dry, err := w.store.Runs.Run(t.Context(), r.ID); err != nil || dry.Counts[directory.EffectUpdate] != 3 {
		t.Errorf("the what-if run counts %v, %v", dry.Counts, err)
	}
	if got := w.account(ann.Email)["mailNickname"]; got != "ann.smith" {
		t.Errorf("the what-if run wrote %v", got)
	}
	// Whatever is to become of foreign changes: the alias never was one.
	w.settings(func(s *directory.Settings) {
		s.UpdateMailNickname = true
		s.ForeignChange = map[string]directory.ForeignPolicy{"default": directory.ForeignReport}
	})
	w.skew.Add(2 * Grace)
	w.sync()
	for email, want := range map[string]string{ann.Email: "ann", bea.Email: "bea", "cyd@" + simDomain: "cyd"} {
		if got := w.account(email)["mailNickname"]; got != want {
			t.Errorf("%s: by the setting the mailNickname is %v, want %s", email, got, want)
		}
	}
	b := w.binding(ann)
	if was := b.Before[directory.PropMailNickname]; was.String() != "ann.smith" {
		t.Errorf("before the binding it was %q", was)
	}
}
