package assign

import (
	"fmt"
	"testing"

	"bindery/shared/directory"
)

// Who asked for a release, or a move that writes, is known as well.
func TestReleaseHasWhoAskedForIt(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	sister := w.Connection("Sister", "sister.example")
	for i, do := range []func(directory.UserID) error{
		func(id directory.UserID) error {
			_, err := w.Release(ctx, w.conn.ID, id, directory.ReleaseBlock, directory.Caller{Subject: "ann"})
			return err
		},
		func(id directory.UserID) error {
			_, err := w.Move(ctx, id, MoveRequest{To: sister.ID, Email: "x@sister.example", Then: directory.ReleaseBlock}, directory.Caller{Subject: "ann"})
			return err
		},
	} {
		u := w.user(fmt.Sprintf(`{"email":"u%d@corp.example"}`, i))
		_, err := w.Bind(ctx, w.conn.ID, []directory.UserID{u.ID}, admin)
		w.must(err)
		b, err := w.store.Bindings.Binding(ctx, u.ID)
		w.must(err)
		b.AccountID = directory.AccountID(fmt.Sprint("account-", i))
		w.must(w.store.Bindings.UpdateBinding(ctx, directory.AuditEvent{}, &b, false, false))
		w.must(do(u.ID))
		if b, err = w.store.Bindings.Binding(ctx, u.ID); err != nil || b.Release != directory.ReleaseBlock || b.ReleasedBy != "ann" {
			t.Errorf("%d: the binding is %+v, %v", i, b, err)
		}
	}
}
