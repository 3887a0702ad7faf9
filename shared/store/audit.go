package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Audit is what was done: the acts of people and of Bindery itself, and, with the
// results that the journals of runs write, the activity. An act is stored in the
// transaction that does it: every method that an act can be takes it as an
// argument. The zero Act records nothing: somebody else records what was done, or
// nobody asked for it.
type Audit struct{ db *db }

// RecordAuditEvent stores an event that no write of the store goes with.
func (s *Audit) RecordAuditEvent(ctx context.Context, act directory.AuditEvent) error {
	return fail("record act", s.db.table.Write(ctx, s.db.record(act, subject{})...))
}

// subject is what a write says of the act that it is.
type subject struct {
	connection directory.ConnectionID
	run        directory.RunID
	job        directory.JobID
	users      []directory.UserID
	groups     []directory.GroupID
	account    directory.AccountID
	properties []directory.PropertyChange
	detail     string
}

// maxActBytes bounds the values that an act keeps: settings may be long.
const maxActBytes = 200 << 10

// record returns the writes that store an act, with what it was done to, and the
// hints for the users and groups that it concerns; none for the zero Act. Whoever repeats a
// transaction records the act anew, under a new ID.
func (d *db) record(act directory.AuditEvent, sub subject) []table.Write {
	if act.Kind == "" {
		return nil
	}
	act.At = d.now().UTC()
	act.ID = directory.NewAuditEventID(act.At)
	act.ConnectionID = cmp.Or(act.ConnectionID, sub.connection)
	act.RunID = cmp.Or(act.RunID, sub.run)
	act.JobID = cmp.Or(act.JobID, sub.job)
	act.AccountID = cmp.Or(act.AccountID, sub.account)
	act.Detail = directory.Explained(cmp.Or(act.Detail, sub.detail), act.Reason)
	act.UserIDs = slices.Concat(act.UserIDs, sub.users)
	act.GroupIDs = slices.Concat(act.GroupIDs, sub.groups)
	act.Properties = slices.Concat(act.Properties, sub.properties)
	body := encode(act)
	if len(body) > maxActBytes {
		for i := range act.Properties {
			p := &act.Properties[i]
			p.Before, p.After = directory.StringValue("(too long)"), directory.StringValue("(too long)")
		}
		body = encode(act)
	}
	at := place(act.At, actRef+act.ID)
	item := table.Item{
		Key: actKey(act.At, act.ID), Index2: table.Key{Partition: activityPartition, Sort: at}, Body: body, Expires: act.At.Add(d.retention),
	}
	if act.ConnectionID != "" {
		item.Index1 = table.Key{Partition: connectionActivity(act.ConnectionID), Sort: at}
	}
	writes := []table.Write{{Put: &item}}
	concerned := directory.AccountsOf(act.UserIDs)
	for _, g := range act.GroupIDs {
		concerned = append(concerned, directory.GroupRef(g))
	}
	writes = append(writes, hintWrites(concerned, at, item.Expires)...)
	if act.ByHand() {
		writes = append(writes, hintWrite(handActivity, at, item.Expires))
	}
	return writes
}

// AuditRecord is an audit event as it stands in the table.
type AuditRecord struct {
	directory.AuditEvent
	Expires time.Time
	// Misplaced says that it does not stand in the listings where it belongs.
	Misplaced bool

	item table.Item
}

// AuditState says whether an audit event is as it was written.
func (s *Audit) AuditState(ctx context.Context, a *AuditRecord) (SealState, error) {
	return s.db.itemState(ctx, &a.item)
}

// AuditEvents reads the audit events of an hour (since 1970) in the order of their places,
// strongly consistent. Those that have expired are among them.
func (s *Audit) AuditEvents(ctx context.Context, hour int64) ([]AuditRecord, error) {
	var list []AuditRecord
	for it, err := range s.db.list(ctx, table.Query{Partition: actsPartition(hour)}) {
		if err != nil {
			return nil, fail("acts", err)
		}
		a := AuditRecord{Expires: it.Expires, item: it}
		if err := decode(it, &a.AuditEvent); err != nil {
			return nil, err
		}
		a.Misplaced = !a.placed(&it)
		list = append(list, a)
	}
	return list, nil
}

// placed reports whether an act's item stands in the listings where it belongs.
func (a *AuditRecord) placed(it *table.Item) bool {
	want := place(a.At, actRef+a.ID)
	return it.Sort == want && it.Index2 == table.Key{Partition: activityPartition, Sort: want} &&
		(a.ConnectionID == "" || it.Index1 == table.Key{Partition: connectionActivity(a.ConnectionID), Sort: want})
}
