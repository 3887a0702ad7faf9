package uses_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/uses"
	"bindery/shared/directory"
	"bindery/shared/store"
)

const (
	oneTenantGroup     = "11111111-aaaa-4bbb-8ccc-000000000011"
	anotherTenantGroup = "11111111-aaaa-4bbb-8ccc-000000000012"
)

// TestAnotherExport: which group of the tenant an export is cannot be changed before the
// record of it has gone, by whichever road.
func TestAnotherExport(t *testing.T) {
	t.Parallel()
	one := directory.UseRules{Export: &directory.ExportRule{Kind: directory.ExportSecurity, Adopt: oneTenantGroup}}
	another := directory.UseRules{Export: &directory.ExportRule{Kind: directory.ExportSecurity, Adopt: anotherTenantGroup}}
	made := directory.UseRules{Export: &directory.ExportRule{Kind: directory.ExportMicrosoft365}}
	none := directory.UseRules{Select: &directory.SelectRule{}}
	for _, tt := range []struct {
		name string
		// by are the steps that lead there: rules that are put, "expand", "end" and "gone", the
		// end of the record.
		by   []any
		next directory.UseRules
		ok   bool
	}{
		{"another one", []any{one, "expand"}, another, false},
		{"another kind", []any{one, "expand"}, made, false},
		{"the same, taken out", []any{one, "expand", none}, one, true},
		{"another one, taken out", []any{one, "expand", none}, another, false},
		{"another kind, taken out", []any{one, "expand", none}, made, false},
		{"another one, taken out, about to end", []any{one, "expand", none, "expand"}, another, false},
		{"another one, taken out and gone", []any{one, "expand", none, "expand", "gone"}, another, true},
		{"another kind, taken out and gone", []any{one, "expand", none, "expand", "gone"}, made, true},
		{"another one, taken out before anything came of it", []any{one, none}, another, true},
		{"another one, ending", []any{one, "expand", "end"}, another, false},
		{"another one, ended, about to go", []any{one, "expand", "end", "expand"}, another, false},
		{"the same, ended, about to go", []any{one, "expand", "end", "expand"}, one, true},
		{"another one, ended and gone", []any{one, "expand", "end", "expand", "gone"}, another, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1)
			g := w.addGroup()
			service := w.service()
			for _, step := range tt.by {
				switch step := step.(type) {
				case directory.UseRules:
					_, err := service.Put(t.Context(), boss, w.conn.ID, g, step, 0)
					w.must(err)
				case string:
					w.exportStep(service, g, step)
				}
			}
			_, err := service.Put(t.Context(), boss, w.conn.ID, g, tt.next, 0)
			refusal, refused := errors.AsType[*directory.Refusal](err)
			if ok := err == nil; ok != tt.ok || !ok && (!refused || refusal.Code != directory.CodeExportFixed) {
				t.Errorf("Put = %v", err)
			}
		})
	}
}

var boss = directory.Caller{Subject: "boss", Approve: true}

// service is the Service over the world, of a connection that may do everything.
func (w *world) service() *uses.Service {
	w.Helper()
	c, err := w.s.Connections.ModifyConnection(w.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
		c.Settings.Groups, c.Settings.Licences = true, true
		return nil
	})
	w.must(err)
	w.conn = c
	return uses.New(uses.Config{Store: w.s, Now: w.clock.Now, Wake: func(context.Context, directory.ConnectionID) error { return nil }})
}

// exportStep is one thing that becomes of an export.
func (w *world) exportStep(service *uses.Service, g directory.GroupID, step string) {
	w.Helper()
	ref := directory.GroupRef(g)
	switch step {
	case "end":
		_, err := service.End(w.Context(), boss, w.conn.ID, g, 0)
		w.must(err)
	case "expand":
		w.expand(0)
		if found, err := w.s.Bindings.BindingsOf(w.Context(), w.conn.ID, []directory.Ref{ref}); err != nil || found[ref].AccountID != "" {
			w.must(err)
			return
		}
		w.journal(store.BindingChange{Ref: ref, Claim: oneTenantGroup, Mutate: func(b *directory.Binding) bool {
			b.AccountID = oneTenantGroup
			return true
		}})
	case "gone":
		w.journal(store.BindingChange{Ref: ref, Remove: true, Mutate: func(*directory.Binding) bool { return true }})
	}
}

func (w *world) journal(bc store.BindingChange) {
	w.Helper()
	l, conn, err := w.s.Leases.AcquireLease(w.Context(), w.conn.ID, "worker", time.Minute)
	w.must(err)
	w.must(w.s.Runs.Journal(w.Context(), &l, &conn, store.Journal{Bindings: []store.BindingChange{bc}}))
	w.must(w.s.Leases.ReleaseLease(w.Context(), &l, store.RunEnd{}, true))
}

// TestTooManyNested: a use of a group with more groups in it than can be gone through is
// refused, and says so when they become too many later, until some are taken out.
func TestTooManyNested(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	top := w.addGroup()
	service := w.service()
	rules := directory.UseRules{Select: &directory.SelectRule{}}
	_, err := service.Put(t.Context(), boss, w.conn.ID, top, rules, 0)
	w.must(err)
	w.expand(0)
	nest := func(from, to int, in bool) {
		var ch store.MemberChange
		for i := from; i < to; i++ {
			id := directory.GroupID(fmt.Sprintf("grp_in%04d", i))
			if !in {
				ch.Remove = append(ch.Remove, directory.GroupMember(id))
				continue
			}
			g := directory.Group{ID: id, Created: w.clock.Now(), Updated: w.clock.Now()}
			g.Name = string(id)
			if _, err := w.s.Groups.Group(t.Context(), id); err != nil {
				w.must(w.s.Groups.CreateGroups(t.Context(), directory.AuditEvent{}, &g))
			}
			ch.Add = append(ch.Add, directory.Membership{Group: top, Member: directory.GroupMember(id), Added: w.clock.Now()})
		}
		group, err := w.s.Groups.Group(t.Context(), top)
		w.must(err)
		_, err = w.s.Groups.ChangeMembers(t.Context(), directory.AuditEvent{}, &group, ch)
		w.must(err)
		w.tell(top)
	}
	for i := 0; i < store.MaxNested; i += 20 {
		nest(i, i+20, true)
	}
	w.expand(0)
	used, err := service.Get(t.Context(), w.conn.ID, top)
	if w.must(err); !strings.Contains(used.State.Problem, "2000 groups") {
		t.Errorf("the use says %q", used.State.Problem)
	}
	_, err = service.Put(t.Context(), boss, w.conn.ID, top, rules, 0)
	if r, refused := errors.AsType[*directory.Refusal](err); !refused || r.Code != directory.CodeGroupNesting {
		t.Errorf("Put = %v", err)
	}
	nest(0, 1, false)
	w.expand(0)
	if used, err = service.Get(t.Context(), w.conn.ID, top); err != nil || used.State.Problem != "" {
		t.Errorf("with fewer the use says %q, %v", used.State.Problem, err)
	}
}
