package people

import (
	"fmt"
	"testing"

	"bindery/shared/core/assign"
	"bindery/shared/directory"
)

// Whatever road an edit takes, who made it is known: fourEyes is asked about it.
func TestEveryEditHasAnEditor(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	sister := w.Connection("Sister", "sister.example")
	u := w.user(`{"email":"a@corp.example"}`, directory.Caller{Subject: "creator"})
	_, err := w.bindings.Bind(ctx, admin, w.conn.ID, []directory.UserID{u.ID})
	w.must(err)
	version := u.Version
	for _, step := range []struct {
		by string
		do func(directory.Caller) error
	}{
		{"patcher", func(by directory.Caller) error {
			_, err := w.Patch(ctx, by, u.ID, []byte(`{"jobTitle":"Chief"}`), 0)
			return err
		}},
		{"suspender", func(by directory.Caller) error {
			_, err := w.SetState(ctx, by, u.ID, directory.StateSuspended, 0)
			return err
		}},
		{"loader", func(by directory.Caller) error {
			j, err := w.StartLoad(ctx, by, []byte(`{"email":"a@corp.example","department":"Sales"}`), LoadOptions{Format: FormatJSONLines})
			w.must(err)
			w.run(j.ID)
			return nil
		}},
		{"deleter", func(by directory.Caller) error { return w.Delete(ctx, by, u.ID, 0) }},
		{"restorer", func(by directory.Caller) error {
			_, err := w.Restore(ctx, by, u.ID, 0)
			return err
		}},
		{"mover", func(by directory.Caller) error {
			_, err := w.moves.Move(ctx, by, u.ID, assign.MoveRequest{To: sister.ID, Email: "a@sister.example"})
			return err
		}},
	} {
		w.Advance(1)
		w.must(step.do(directory.Caller{Subject: step.by}))
		got, err := w.Get(ctx, u.ID)
		w.must(err)
		if by := got.EditorsSince(version, u.Created); fmt.Sprint(by) != "["+step.by+"]" {
			t.Errorf("version %d, by %s, has the editors %q since %d", got.Version, step.by, by, version)
		}
		version = got.Version
	}
	if by := u.EditorsSince(0, u.Created.Add(-1)); fmt.Sprint(by) != "[creator]" {
		t.Errorf("the creator is %q", by)
	}

	load, err := w.StartLoad(ctx, directory.Caller{Subject: "loader"}, []byte(`{"email":"new@corp.example"}`), LoadOptions{Format: FormatJSONLines})
	w.must(err)
	w.run(load.ID)
	w.zoo()
	imported, err := w.StartImport(ctx, directory.Caller{Subject: "importer"}, w.conn.ID, ImportRequest{All: true})
	w.must(err)
	w.run(imported.ID)
	want := map[directory.Source]string{directory.SourceManual: "[loader]", directory.SourceM365: "[importer]"}
	seen := 0
	for _, got := range w.all() {
		if got.ID == u.ID {
			continue
		}
		if by := got.EditorsSince(0, got.Created.Add(-1)); fmt.Sprint(by) != want[got.Source] {
			t.Errorf("%s of %s is by %q", got.Email, got.Source, by)
		}
		seen++
	}
	if seen < 2 {
		t.Errorf("%d users were made", seen)
	}
}
