package store

import (
	"context"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// releasedBeside are the writes by which the release of an account reaches the records of
// its user's manager and licences, in the same transaction: what was given by them is given
// back with the values from before the binding, or is not when the release is taken back.
// Then they are looked at anew in any case, since edits that came meanwhile were for nobody:
// who leaves keeps what he has. So are they when a pause of the account ends, for which they
// waited. When any release begins the licences are, since rules of the user's own count no
// longer.
func (d *db) releasedBeside(ctx context.Context, old, b *directory.Binding) ([]table.Write, error) {
	restores, stays := b.Release == directory.ReleaseRestore, old.Release != "" && b.Release == ""
	same := !stays && restores == (old.Release == directory.ReleaseRestore)
	resumed := old.Status == directory.BindingPaused && b.Status != directory.BindingPaused
	switch u := b.Ref().User(); {
	case u == "":
		return nil, nil
	case old.Release == "" && b.Release != "" && !restores:
		return d.looksAtLicences(ctx, b)
	case same && !resumed:
		return nil, nil
	}
	keys := []table.Key{bindingKey(directory.ManagerOf(b.UserID), b.ConnectionID), bindingKey(directory.LicenceOf(b.UserID), b.ConnectionID)}
	var writes []table.Write
	for it, err := range d.each(ctx, keys) {
		if err != nil {
			return nil, fail("records beside an account", err)
		}
		r, err := decodeBinding(it)
		if err != nil {
			return nil, err
		}
		if r.ConnectionID != b.ConnectionID || r.Epoch != b.Epoch {
			continue
		}
		if same || !restores && r.Release == "" {
			writes = append(writes, recheckWrite(it, d.now()))
			continue
		}
		r.Release, r.ReleasedBy = "", ""
		if restores {
			r.Release, r.ReleasedBy, r.AskedBy = b.Release, b.ReleasedBy, b.AskedBy
		}
		if r.Status != directory.BindingPaused {
			r.Status = directory.BindingPending
		}
		writes = append(writes, renewedWrite(it, &r, r.Wanted+1, d.now()))
	}
	return writes, nil
}

// looksAtLicences are the writes that have the licences of a user looked at whose account
// is being let go, or is let go of: rules of the user's own count no longer.
func (d *db) looksAtLicences(ctx context.Context, b *directory.Binding) ([]table.Write, error) {
	u := b.Ref().User()
	if u == "" {
		return nil, nil
	}
	it, there, err := d.find(ctx, bindingKey(directory.LicenceOf(u), b.ConnectionID))
	if err != nil {
		return nil, fail("licences beside an account", err)
	}
	if !there || it.Numbers[numEpoch] != b.Epoch {
		return nil, nil
	}
	return []table.Write{recheckWrite(it, d.now())}, nil
}

// recheckWrite has a record looked at, whatever was agreed about it.
func recheckWrite(it table.Item, now time.Time) table.Write {
	w := markWrite(it, it.Numbers[numUserVersion], false, now)
	w.Update.SetNumbers[numRecheck] = 1
	return w
}

// renewedWrite stores what is wanted of a record, as it was read, and marks it.
func renewedWrite(it table.Item, b *directory.Binding, version int64, now time.Time) table.Write {
	b.Version++
	w := markWrite(it, version, false, now)
	w.Update.AddVersion, w.Update.SetBody = 1, encodeBinding(b)
	w.Update.SetStrings = map[string]string{strStatus: string(b.Status)}
	w.If.AnyOf[0] = append(w.If.AnyOf[0], table.VersionIs(it.Version), table.NumberIs(numUserVersion, table.Equal, it.Numbers[numUserVersion]))
	return w
}
