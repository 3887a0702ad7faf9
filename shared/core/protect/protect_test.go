package protect

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// tenant has some role holders and accounts, and notes what is written.
type tenant struct {
	holders directory.Privileged
	refused error
	enabled map[string]bool // accounts, by reference
	reads   int
	written []directory.AccountID
}

func (t *tenant) RoleHolders(context.Context) (directory.Privileged, error) {
	t.reads++
	return t.holders, t.refused
}

func (t *tenant) Lookup(_ context.Context, refs []string) ([]directory.Found, error) {
	found := make([]directory.Found, len(refs))
	for i, ref := range refs {
		if on, there := t.enabled[ref]; there {
			id := directory.AccountID(ref)
			if strings.Contains(ref, "@") {
				id = directory.AccountID("id-of-" + ref)
			}
			found[i].Account = &directory.Account{ID: id,
				Properties: directory.Properties{directory.PropAccountEnabled: directory.BoolValue(on)}}
		}
	}
	return found, nil
}

func (t *tenant) Write(_ context.Context, writes []directory.Write) ([]directory.Outcome, error) {
	outs := make([]directory.Outcome, len(writes))
	for i, w := range writes {
		t.written = append(t.written, w.AccountID)
		outs[i] = directory.Outcome{Status: 204, AccountID: w.AccountID}
	}
	return outs, nil
}

// records are the store's, in memory.
type records struct {
	lifts []store.ProtectionOverride
	named map[string]directory.AccountID
}

func (r *records) ProtectionOverrides(context.Context, directory.ConnectionID) ([]store.ProtectionOverride, error) {
	return r.lifts, nil
}

func (r *records) Named(context.Context, directory.ConnectionID) (map[string]directory.AccountID, error) {
	return maps.Clone(r.named), nil
}

func (r *records) SaveNamed(_ context.Context, _ directory.ConnectionID, names map[string]directory.AccountID) error {
	r.named = names
	return nil
}

var at = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func connection(names ...string) *directory.Connection {
	return &directory.Connection{ID: "con_1", AuthorizedBy: &directory.Administrator{ObjectID: "Admin"}, Settings: directory.Settings{Protected: names}}
}

func read(t *testing.T, c *directory.Connection, x *tenant, r *records) *Protection {
	t.Helper()
	p, err := NewReader(r, func() time.Time { return at }).Read(t.Context(), c, x, time.Minute, true)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWhoIsProtected(t *testing.T) {
	t.Parallel()
	x := &tenant{holders: directory.Privileged{Holders: []directory.AccountID{"Holder", "lifted", "over"}}, enabled: map[string]bool{"boss@corp.example": true}}
	r := &records{named: map[string]directory.AccountID{"boss@corp.example": "former-boss"}, lifts: []store.ProtectionOverride{
		{AccountID: "lifted", Until: at.Add(time.Hour)}, {AccountID: "over", Until: at}, {AccountID: "admin", Until: at.Add(time.Hour)}}}
	p := read(t, connection("Boss@corp.example", "plain-id"), x, r)
	for _, tt := range []struct {
		id   directory.AccountID
		upn  string
		want bool
	}{
		{"admin", "", true}, // a lift does not count for who authorised us
		{"HOLDER", "", true},
		{"lifted", "", false},
		{"over", "", true},
		{"plain-ID", "", true},
		{"id-of-boss@corp.example", "renamed@corp.example", true},
		{"former-boss", "", true},
		{"", "BOSS@corp.example", true},
		{"somebody", "somebody@corp.example", false},
		{"", "", false},
	} {
		if reason, got := p.Of(tt.id, tt.upn); got != tt.want || got == (reason == "") {
			t.Errorf("%s %s is protected: %v (%s), want %v", tt.id, tt.upn, got, reason, tt.want)
		}
	}
	if _, yes := p.OfNamed([]string{"somebody"}, "somebody", ""); !yes {
		t.Error("other settings name nobody")
	}
	if r.named["boss@corp.example"] != "id-of-boss@corp.example" {
		t.Errorf("the name is remembered as %v", r.named)
	}
	if n := len(p.List()); n != 7 {
		t.Errorf("%d accounts are listed, want 7: %+v", n, p.List())
	}
}

// TestLastGlobalAdministrators: as long as one enabled Global Administrator is not
// lifted, the others can be.
func TestLastGlobalAdministrators(t *testing.T) {
	t.Parallel()
	both := []directory.AccountID{"a", "b"}
	for name, tt := range map[string]struct {
		lifted  []directory.AccountID
		enabled map[string]bool
		want    bool // a is protected
	}{
		"one remains":               {both[:1], map[string]bool{"a": true, "b": true}, false},
		"all are lifted":            {both, map[string]bool{"a": true, "b": true}, true},
		"the other one is disabled": {both[:1], map[string]bool{"a": true, "b": false}, true},
	} {
		x := &tenant{holders: directory.Privileged{Holders: both, GlobalAdministrators: both}, enabled: tt.enabled}
		r := &records{}
		for _, id := range tt.lifted {
			r.lifts = append(r.lifts, store.ProtectionOverride{AccountID: id, Until: at.Add(time.Hour)})
		}
		if _, got := read(t, connection(), x, r).Of("a", ""); got != tt.want {
			t.Errorf("%s: protected is %v, want %v", name, got, tt.want)
		}
	}
}

// TestRolesThatCannotBeRead: what Microsoft does not tell is no error, and is asked
// for again; what may pass is one.
func TestRolesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	x := &tenant{refused: &directory.Problem{Code: "role-missing", Kind: directory.ProblemTenant, Message: "No."}}
	reader := NewReader(&records{}, func() time.Time { return at })
	for range 2 {
		p, err := reader.Read(t.Context(), connection(), x, time.Minute, true)
		if err != nil || p.Unread() != "No." {
			t.Fatalf("Read = %v, %v", p, err)
		}
	}
	if x.reads != 2 {
		t.Errorf("the roles were read %d times, want twice: what could not be read is not remembered", x.reads)
	}
	x.refused = directory.ErrUnavailable
	if _, err := reader.Read(t.Context(), connection(), x, time.Minute, true); !errors.Is(err, directory.ErrUnavailable) {
		t.Errorf("Read = %v, want that it is unavailable", err)
	}
	x.refused = nil
	for range 2 {
		if _, err := reader.Read(t.Context(), connection(), x, time.Minute, true); err != nil {
			t.Fatal(err)
		}
	}
	if x.reads != 4 {
		t.Errorf("the roles were read %d times, want 4: what was read is remembered", x.reads)
	}
}

// TestGate: none to a protected account gets through, whatever the effect; a
// creation has no account yet; each is answered in its place.
func TestGate(t *testing.T) {
	t.Parallel()
	x := &tenant{}
	g := NewGate(x, Known(connection("named@corp.example"), func() time.Time { return at }))
	write := func(e directory.Effect, id directory.AccountID, upn string) Write {
		return Write{directory.Write{Effect: e, AccountID: id}, upn}
	}
	outs, err := g.Write(t.Context(), []Write{
		write(directory.EffectBlock, "Admin", ""), write(directory.EffectUpdate, "a", "a@corp.example"),
		write(directory.EffectDelete, "b", "named@corp.example"), write(directory.EffectCreate, "", "named@corp.example"),
	})
	if err != nil || len(outs) != 4 {
		t.Fatalf("Write = %v, %v", outs, err)
	}
	for i, refused := range []bool{true, false, true, false} {
		if p := outs[i].Problem; (p != nil) != refused || refused && p.Code != directory.CodeAccountProtected {
			t.Errorf("write %d is answered %+v", i, outs[i])
		}
	}
	if len(x.written) != 2 || x.written[0] != "a" || x.written[1] != "" {
		t.Errorf("written to %v", x.written)
	}
	if outs, err := g.Write(t.Context(), []Write{write(directory.EffectRevoke, "Admin", "")}); err != nil || outs[0].Problem == nil || len(x.written) != 2 {
		t.Errorf("Write = %v, %v", outs, err)
	}
}
