package storetest

import (
	"encoding/json"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table"
)

// testBindingsPacked: whoever writes a binding packs it, over either form, and what
// the version before has written in between is read: it wrote JSON.
func testBindingsPacked(s *suite) {
	ctx := s.Context()
	from, to := s.connection("from"), s.connection("to")
	ann := s.user("ann@from.example")
	ref := directory.AccountOf(ann.ID)
	key := table.Key{Partition: "U#" + string(ann.ID), Sort: "binding"}
	l := s.lease(&from)

	// packed returns the binding, which must lie there packed. The version before then
	// writes it in its form.
	packed := func(what string) directory.Binding {
		s.Helper()
		it, err := s.table.Get(ctx, key)
		if s.must(err); len(it.Body) == 0 || it.Body[0] != 1 {
			s.Errorf("%s: the body is %q", what, it.Body)
		}
		b, err := s.Bindings.Binding(ctx, ann.ID)
		s.must(err)
		body, err := json.Marshal(b)
		s.must(err)
		s.must(s.table.Write(ctx, table.Write{Update: &table.Update{Key: key, SetBody: body}, If: table.Condition{Present: true}}))
		return b
	}
	journal := func(bc store.BindingChange) {
		s.Helper()
		bc.Ref = ref
		s.must(s.Runs.Journal(ctx, &l, &from, store.Journal{Bindings: []store.BindingChange{bc}}))
	}

	s.bind(&from, ann)
	packed("bound")
	journal(store.BindingChange{Claim: "acc-1", Mutate: func(b *directory.Binding) bool {
		b.AccountID, b.Applied, b.Status = "acc-1", b.Wanted, directory.BindingInSync
		b.Base = directory.Properties{"jobTitle": directory.StringValue("Pilot")}
		return true
	}})
	b := packed("journalled")
	b.ResumedBy = by.Subject
	s.must(s.Bindings.UpdateBinding(ctx, quiet, &b, false, false))
	b = packed("edited by an admin")
	journal(store.BindingChange{Later: time.Minute, Leave: true})
	s.must(s.Bindings.TakePassword(ctx, quiet, &b))

	journal(store.BindingChange{Remove: true, Mutate: func(*directory.Binding) bool { return true }})
	journal(store.BindingChange{Create: &b, Claim: "acc-1", Mutate: func(b *directory.Binding) bool { return true }})
	if b = packed("made again"); b.AccountID != "acc-1" || b.ResumedBy != by.Subject || b.Base["jobTitle"].String() != "Pilot" {
		s.Errorf("what was journalled and edited: %+v", b)
	}

	b.MoveTo = &directory.Move{ConnectionID: to.ID, By: by.Subject, At: s.Now()}
	s.must(s.Bindings.MoveAfter(ctx, quiet, &ann, &ann, &b))
	packed("to be moved")
	journal(store.BindingChange{Remove: true, Mutate: func(*directory.Binding) bool { return true }})
	if b = packed("moved by the journal"); b.ConnectionID != to.ID || b.MovedFrom != from.ID {
		s.Errorf("moved by the journal: %+v", b)
	}
	s.must(s.Bindings.MoveNow(ctx, quiet, &to, &from, &ann, &ann, &b, by.Subject))
	if b = packed("moved at once"); b.ConnectionID != from.ID {
		s.Errorf("moved at once: %+v", b)
	}
}
