package store

import (
	"context"
	"slices"
	"sync"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// acting is an act under way. The first write of the store that concerns it
// stores it in its own transaction: what was done and that it was done stand in
// the table together, or neither.
type acting struct {
	mu   sync.Mutex
	act  directory.Act
	hook string // whose transaction stores it
}

type actingKey struct{}

// Acting returns a context in which the next write that an admin's act can be
// (a connection, a binding, a job, a run, a user) records the act beside it,
// unless that write is given one. An act without a kind ends it.
//
// Deprecated: give the act to the method that does it.
func Acting(ctx context.Context, act directory.Act) context.Context {
	return context.WithValue(ctx, actingKey{}, &acting{act: act})
}

// actOf is the act of a context; the zero Act when there is none, or when another
// hook's transaction records it.
func actOf(ctx context.Context, hook string) directory.Act {
	a, _ := ctx.Value(actingKey{}).(*acting)
	if a == nil {
		return directory.Act{}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.act.Kind == "" || a.hook != "" && a.hook != hook {
		return directory.Act{}
	}
	a.hook = hook
	act := a.act
	act.UserIDs, act.Properties = slices.Clone(act.UserIDs), slices.Clone(act.Properties)
	return act
}

// actWrites returns the writes that record an act, or that of ctx, beside what
// was done.
func (d *db) actWrites(ctx context.Context, act directory.Act, hook string, sub subject) []table.Write {
	if act.Kind == "" {
		act = actOf(ctx, hook)
	}
	return d.record(act, sub)
}
