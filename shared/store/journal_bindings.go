package store

import (
	"context"
	"maps"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// bindingWriter turns the changes of a journal's bindings into writes on the items
// as they were read, and adds up what they change of the counters.
type bindingWriter struct {
	db    *db
	lease *Lease
	conn  *directory.Connection
	items map[table.Key]table.Item // of the bindings and of what is claimed

	bound       map[directory.Kind]gains
	given       map[directory.SKUID]int64 // licences that ledgers have more than before
	newAccounts map[string]int64          // bindings that got their account, or object, by the name of the number
	arrivals    arrivals
}

// gains are what a journal adds to the number of bindings of a kind, and of those
// with an account.
type gains struct{ bound, accounts int64 }

func (w *bindingWriter) gain(kind directory.Kind, bound, accounts int64) {
	g := w.bound[kind]
	g.bound += bound
	g.accounts += accounts
	w.bound[kind] = g
	if accounts > 0 {
		if w.newAccounts == nil {
			w.newAccounts = map[string]int64{}
		}
		w.newAccounts[gainedName(kind)] += accounts
	}
}

// licencesOf are the products that a record of licences says were given.
func licencesOf(b *directory.Binding) []directory.SKUID {
	if b.Ref().Kind != directory.KindLicence {
		return nil
	}
	var list []directory.SKUID
	for name, v := range b.Base {
		if sku, is := directory.LicenceOfProperty(name); is && !v.IsNull() {
			list = append(list, sku)
		}
	}
	return list
}

// ledger counts what a record of licences says was given, and what it said before.
func (w *bindingWriter) ledger(was, is []directory.SKUID) {
	if w.given == nil {
		w.given = map[directory.SKUID]int64{}
	}
	for _, sku := range was {
		w.given[sku]--
	}
	for _, sku := range is {
		w.given[sku]++
	}
}

// counters are the writes that add up what all changes come to.
func (w *bindingWriter) counters() []table.Write {
	var writes []table.Write
	for kind, g := range w.bound {
		if kind != directory.KindLicence && g != (gains{}) {
			writes = append(writes, addBound(w.lease.ConnectionID, w.lease.Epoch, kind, g.bound, g.accounts))
		}
	}
	maps.DeleteFunc(w.given, func(_ directory.SKUID, n int64) bool { return n == 0 })
	if g := w.bound[directory.KindLicence]; g != (gains{}) || len(w.given) > 0 {
		add := addBound(w.lease.ConnectionID, w.lease.Epoch, directory.KindLicence, g.bound, g.accounts)
		for sku, n := range w.given {
			add.Update.AddNumbers[givenName(sku)] = n
		}
		writes = append(writes, add)
	}
	for id, a := range w.arrivals {
		writes = append(writes, checkTarget(&a.conn), addBound(id, a.conn.Epoch, directory.KindAccount, a.n, 0))
	}
	return writes
}

// change returns the writes of one change; none when there is nothing of ours to
// write any more.
func (w *bindingWriter) change(ctx context.Context, bc BindingChange) ([]table.Write, error) {
	it, there := w.items[bindingKey(bc.Ref, w.lease.ConnectionID)]
	if !there && bc.Create != nil {
		return w.create(ctx, bc)
	}
	ours := there && it.Numbers[numEpoch] == w.lease.Epoch && it.Strings[strConnection] == string(w.lease.ConnectionID)
	if !ours {
		return nil, nil // released meanwhile
	}
	if bc.Leave {
		return w.leave(bc, it), nil
	}
	old, err := decodeBinding(it)
	if err != nil {
		return nil, err
	}
	b, gave := old, licencesOf(&old) // which share what Mutate may write to
	if !bc.Mutate(&b) {
		return nil, nil
	}
	if bc.Remove && b.MoveTo != nil {
		target, err := w.arrivals.target(ctx, w.db, b.MoveTo)
		if err != nil {
			return nil, err
		}
		if target != nil {
			target.n++
			w.gain(directory.KindAccount, -1, -accountsOf(&old))
			return replacement(w.conn, &old, it, it.Numbers[numUserVersion], b.MoveTo, &target.conn, w.db.now(), w.db.expiry()), nil
		}
		stay(&b, w.db.now())
		bc.Remove, bc.Later = false, time.Second
	}
	if bc.Remove {
		w.ledger(gave, nil)
		freed, err := w.db.freed(ctx, &b)
		return append(w.remove(bc, &old, &b, it), freed...), err
	}
	w.ledger(gave, licencesOf(&b))
	return w.update(ctx, bc, &old, &b, it)
}

// stay keeps a binding where it is whose target nobody can be bound through any
// more.
func stay(b *directory.Binding, now time.Time) {
	b.MoveTo, b.Release, b.Status = nil, "", directory.BindingConflict
	b.Problem = &directory.Problem{Code: directory.CodeMoveTargetGone, Kind: directory.ProblemConflict, Since: now.UTC(), Attempts: 1,
		Message: "The user could not be moved: nobody can be bound through the other connection any more. The user stays bound here.",
		Next:    "Authorise that connection and move the user again, or leave it here."}
}

// asRead is the condition that a binding's item is as it was read.
func (w *bindingWriter) asRead(it table.Item) table.Condition {
	return table.When(table.VersionIs(it.Version), table.NumberIs(numEpoch, table.Equal, w.lease.Epoch),
		table.NumberIs(numUserVersion, table.Equal, it.Numbers[numUserVersion]),
		table.NumberIs(numMarked, table.Equal, it.Numbers[numMarked]))
}

func (w *bindingWriter) remove(bc BindingChange, old, b *directory.Binding, it table.Item) []table.Write {
	key := it.Key
	writes := []table.Write{{Delete: &key, If: w.asRead(it)}, forget(b)}
	if b.AccountID != "" {
		claim := claimKey(w.conn.Tenant.ID, b.Ref().Kind, b.AccountID)
		writes = append(writes, table.Write{Delete: &claim})
		writes = append(writes, beforeImageWrite(w.conn, w.conn.Tenant.ID, b, w.db.now())...)
	}
	writes = append(writes, deletedGroupWrite(w.conn.Tenant.ID, b, bc.Deleted, w.db.now())...)
	w.gain(b.Ref().Kind, -1, -accountsOf(old))
	return append(writes, problemWrites(old, nil, w.db.expiry())...)
}

func (w *bindingWriter) update(ctx context.Context, bc BindingChange, old, b *directory.Binding, it table.Item) ([]table.Write, error) {
	if old.AccountID != b.AccountID {
		b.AccountSince = accountSince(b.AccountID, w.db.now().UTC())
	}
	b.Version++
	up := &table.Update{
		Key: it.Key, AddVersion: 1, SetBody: encodeBinding(b),
		SetNumbers: map[string]int64{numApplied: b.Applied, numDigest: b.Digest, numBlocked: 0, numRecheck: 0},
		SetStrings: map[string]string{strAccount: string(b.AccountID), strStatus: string(b.Status)},
	}
	if b.Blocked {
		up.SetNumbers[numBlocked] = 1
	}
	w.remark(up, bc, b, it)
	writes := append([]table.Write{{Update: up, If: w.asRead(it)}}, problemWrites(old, b, w.db.expiry())...)
	if old.AccountID == "" && b.AccountID != "" {
		writes = append(writes, forgetDeletedGroup(w.conn.Tenant.ID, b)...)
	}
	if bc.Claim != "" {
		cl := accountClaim(w.conn.Tenant.ID, bc.Claim, bc.Ref)
		var held *table.Item
		if it, there := w.items[cl.key]; there {
			held = &it
		}
		put, err := w.db.claimOver(ctx, held, cl, w.conn)
		if err != nil {
			return nil, err
		}
		writes = append(writes, put)
	}
	w.gain(b.Ref().Kind, 0, accountsOf(b)-accountsOf(old))
	return writes, nil
}

// leave has a binding looked at again later, and keeps it as it is.
func (w *bindingWriter) leave(bc BindingChange, it table.Item) []table.Write {
	at := w.db.now().Add(bc.Later)
	key := markPlace(w.lease.ConnectionID, w.lease.Epoch, bc.Ref, false, at)
	up := &table.Update{Key: it.Key, SetIndex2: &key, SetNumbers: map[string]int64{numMarked: at.UnixMilli(), numUrgent: 0}}
	return []table.Write{{Update: up, If: w.asRead(it)}}
}

// remark says what becomes of the mark of a binding that is dealt with: it moves to
// a later time, stays since a newer version is wanted, or goes.
func (w *bindingWriter) remark(up *table.Update, bc BindingChange, b *directory.Binding, it table.Item) {
	switch {
	case bc.Later > 0 && b.Applied >= b.Wanted:
		at := w.db.now().Add(bc.Later)
		urgent := bc.Urgent && it.Numbers[numUrgent] != 0
		key := markPlace(w.lease.ConnectionID, w.lease.Epoch, b.Ref(), urgent, at)
		up.SetIndex2 = &key
		up.SetNumbers[numMarked] = at.UnixMilli()
		up.SetNumbers[numUrgent] = 0
		up.SetNumbers[numRecheck] = 1
		if urgent {
			up.SetNumbers[numUrgent] = 1
		}
	case b.Dirty():
		if b.Recheck {
			up.SetNumbers[numRecheck] = 1
		}
	default:
		up.SetIndex2 = &table.Key{}
		up.SetNumbers[numMarked] = 0
		up.SetNumbers[numUrgent] = 0
	}
}

// create makes a binding that a journal brings back.
func (w *bindingWriter) create(ctx context.Context, bc BindingChange) ([]table.Write, error) {
	b := *bc.Create
	if !bc.Mutate(&b) {
		return nil, nil
	}
	now := w.db.now().UTC()
	b.AccountSince = accountSince(b.AccountID, now)
	b.TenantID, b.Version = w.conn.TenantID(), 1
	item := markedItem(&b, now)
	if b.Blocked {
		item.Numbers[numBlocked] = 1
	}
	writes := []table.Write{{Put: &item, If: table.Condition{Absent: true}}}
	if bc.Claim != "" {
		claim, err := w.db.claimAccount(ctx, w.conn, bc.Claim, b.Ref())
		if err != nil {
			return nil, err
		}
		writes = append(writes, claim)
	}
	if b.AccountID != "" {
		writes = append(writes, forgetDeletedGroup(w.conn.Tenant.ID, &b)...)
	}
	if b.UserID != "" {
		profile := profileKey(b.UserID)
		writes = append(writes, table.Write{Check: &profile, If: table.When(table.VersionIs(b.Wanted))})
	}
	w.gain(b.Ref().Kind, 1, accountsOf(&b))
	w.ledger(nil, licencesOf(&b))
	return append(writes, problemWrites(nil, &b, w.db.expiry())...), nil
}
