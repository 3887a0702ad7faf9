package uses_test

import (
	"context"
	"errors"
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
