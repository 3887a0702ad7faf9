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
			_, err := w.Release(ctx, directory.Caller{Subject: "ann"}, w.conn.ID, id, directory.ReleaseBlock)
			return err
		},
		func(id directory.UserID) error {
			_, err := w.Move(ctx, directory.Caller{Subject: "ann"}, id, MoveRequest{To: sister.ID, Email: "x@sister.example", Then: directory.ReleaseBlock})
			return err
		},
	} {
		u := w.user(fmt.Sprintf(`{"email":"u%d@corp.example"}`, i))
		_, err := w.Bind(ctx, admin, w.conn.ID, []directory.UserID{u.ID})
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
