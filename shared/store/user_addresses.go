package store

import (
	"context"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// An address or a user name is taken by an item whose key is made of it in the
// form directory.FoldAddress. Earlier versions folded less: what they took has
// another key where the address has characters that nobody sees, special forms
// of characters, or a domain in other letters than ASCII's. A lookup tries both
// keys, a new user must find both free, and whoever stores a user again brings
// its own to the present form. RenewAddressForms does that for all, once; until
// then, a user of an earlier version whose address has invisible characters is
// found under its own spelling only.

// takenKeys are the keys under which an address, or a name, may be taken: the
// present one first.
func takenKeys(value string, key func(string) table.Key) []table.Key {
	forms := directory.AddressForms(value)
	keys := make([]table.Key, len(forms))
	for i, form := range forms {
		keys[i] = key(form)
	}
	return keys
}

// holding is what a user holds of the keys under which a value may be taken.
type holding struct {
	held []table.Key
	// other has the key of the present form, of a value that has others too.
	other directory.UserID
}

// holding reads what a user holds. Of a value that has one form only, that is
// known without a look.
func (d *db) holding(ctx context.Context, value string, key func(string) table.Key, u directory.UserID) (holding, error) {
	keys := takenKeys(value, key)
	if len(keys) == 1 {
		return holding{held: keys}, nil
	}
	items, err := d.table.GetMany(ctx, keys)
	if err != nil {
		return holding{}, fail("user's address", err)
	}
	var h holding
	for _, it := range items {
		switch owner := directory.UserID(it.Strings[strUser]); {
		case owner == u:
			h.held = append(h.held, it.Key)
		case it.Key == keys[0]:
			h.other = owner
		}
	}
	return h, nil
}

// takenEarlier says whether somebody else has taken an address or the name of a
// user under a key of an earlier version. No version that is in use takes any
// more of them, so a look before the write is enough.
func (d *db) takenEarlier(ctx context.Context, users ...*directory.User) error {
	type slot struct {
		user         *directory.User
		field, value string
	}
	slots := map[table.Key]slot{}
	var keys []table.Key
	look := func(u *directory.User, field, value string, key func(string) table.Key) {
		for _, k := range takenKeys(value, key)[1:] {
			if _, twice := slots[k]; !twice {
				keys = append(keys, k)
			}
			slots[k] = slot{u, field, value}
		}
	}
	for _, u := range users {
		look(u, "email", u.Email, emailKey)
		look(u, "userName", u.UserName, userNameKey)
	}
	for it, err := range d.each(ctx, keys) {
		if err != nil {
			return fail("users by address", err)
		}
		at := slots[it.Key]
		if owner := directory.UserID(it.Strings[strUser]); owner != at.user.ID {
			return &AddressTaken{Field: at.field, Value: at.value, Owner: owner}
		}
	}
	return nil
}

// presentForms is the version of the forms of addresses that the directory's
// items are in once RenewAddressForms has come to its end.
const presentForms = 1

// AddressFormsSince says since when the directory is known to hold addresses in forms
// of earlier versions; the zero time says that it holds none. The first call
// notes the time. A directory without users holds none.
func (s *Users) AddressFormsSince(ctx context.Context) (time.Time, error) {
	it, found, err := s.db.find(ctx, formsKey())
	switch {
	case err != nil:
		return time.Time{}, fail("forms", err)
	case found && it.Numbers[numForms] >= presentForms:
		return time.Time{}, nil
	case found:
		return time.UnixMilli(it.Numbers[numAt]), nil
	}
	users, err := s.CountUsers(ctx)
	if err != nil {
		return time.Time{}, err
	}
	now := s.db.now()
	next := table.Item{Key: formsKey(), Numbers: map[string]int64{numAt: now.UnixMilli()}}
	if users == 0 {
		next.Numbers[numForms], now = presentForms, time.Time{}
	}
	return now, fail("forms", s.db.table.Write(ctx, table.Write{Put: &next}))
}

const numForms = "forms" // of the item of the forms: presentForms

// RenewAddressForms brings addresses and names that earlier versions took to the
// present form: those of some hundred users, from a cursor on. next is "" at the
// end. Of two users who have become one by that, the one who holds the key
// already keeps it; the other is among twins, and stays as it is until somebody
// edits it.
func (s *Users) RenewAddressForms(ctx context.Context, cursor string) (twins []directory.User, next string, err error) {
	page, err := s.ListUsers(ctx, cursor, table.MaxGet, func(u *directory.User) bool {
		return len(directory.AddressForms(u.Email))+len(directory.AddressForms(u.UserName)) > 2
	})
	if err != nil {
		return nil, "", err
	}
	for i := range page.Users {
		twin, err := s.renew(ctx, &page.Users[i])
		if err != nil {
			return nil, "", err
		}
		if twin {
			twins = append(twins, page.Users[i])
		}
	}
	if page.Next == "" {
		err = s.db.table.Write(ctx, table.Write{Put: &table.Item{Key: formsKey(), Numbers: map[string]int64{numForms: presentForms}}})
	}
	return twins, page.Next, fail("forms", err)
}

// renew brings what one user has taken to the present form; twin says that
// another one holds a key of it.
func (s *Users) renew(ctx context.Context, u *directory.User) (twin bool, err error) {
	profile := profileKey(u.ID)
	writes := []table.Write{{Check: &profile, If: table.When(table.VersionIs(u.Version))}}
	for _, taken := range []struct {
		value string
		key   func(string) table.Key
	}{{u.Email, emailKey}, {u.UserName, userNameKey}} {
		h, err := s.db.holding(ctx, taken.value, taken.key, u.ID)
		if err != nil {
			return false, err
		}
		if h.other != "" {
			twin = true
			continue
		}
		writes = append(writes, moveClaim(u.ID, h.held, taken.key(directory.FoldAddress(taken.value)))...)
	}
	if len(writes) == 1 {
		return twin, nil
	}
	err = s.db.table.Write(ctx, writes...)
	if f, ok := failed(err); ok {
		_, moved := f[0]
		return !moved, nil // one that was edited meanwhile was brought to the form by that
	}
	return twin, fail("renew user", err)
}

// moveClaim lets a user who holds some keys hold another one in their place.
func moveClaim(u directory.UserID, held []table.Key, to table.Key) []table.Write {
	if len(held) == 1 && held[0] == to {
		return nil
	}
	writes := []table.Write{{Put: ownerItem(to, u), If: table.Condition{Absent: true, AnyOf: [][]table.Test{{table.StringIs(strUser, string(u))}}}}}
	for _, k := range held {
		if k != to {
			writes = append(writes, table.Write{Delete: &k})
		}
	}
	return writes
}
