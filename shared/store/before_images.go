package store

import (
	"context"
	"fmt"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// BeforeImage is what an account, or an object of another kind, had before it was
// first bound: kept for a while after the binding has ended, so that whoever binds
// it again can still give it back.
type BeforeImage struct {
	UserID    directory.UserID     `json:"userId"`
	Object    directory.Ref        `json:"object,omitzero"` // see directory.Binding.Object
	AccountID directory.AccountID  `json:"accountId"`
	Before    directory.Properties `json:"before,omitempty"`
	Created   bool                 `json:"created,omitempty"` // made by us, so there is no before
}

// isOf reports whether the image was kept for an object.
func (b *BeforeImage) isOf(r directory.Ref) bool {
	if r.User() != "" {
		return b.UserID == r.User()
	}
	return b.Object == r
}

// beforeImageWrite keeps the before-image of a binding that ends; nothing for one
// that had no account.
func beforeImageWrite(c *directory.Connection, tenant directory.TenantID, b *directory.Binding, now time.Time) []table.Write {
	if b.AccountID == "" || len(b.Before) == 0 && !b.Created {
		return nil
	}
	days := c.Settings.Defaulted().KeepBeforeDays
	return []table.Write{{Put: &table.Item{
		Key: beforeImageKey(tenant, b.Ref().Kind, b.AccountID), Expires: now.Add(time.Duration(days) * 24 * time.Hour),
		Body: encode(BeforeImage{UserID: b.UserID, Object: b.Object, AccountID: b.AccountID, Before: b.Before, Created: b.Created}),
	}}}
}

// keptInBin is for how long it is remembered which tenant group we deleted with the end of
// an export: Microsoft keeps it for 30 days.
const keptInBin = 32 * 24 * time.Hour

// deletedGroupWrite notes which tenant group we deleted with the end of its export, so that
// another export of the same group finds it in the recycle bin. Any other end takes the note
// away: what others delete from then on is not ours to bring back.
func deletedGroupWrite(tenant directory.TenantID, b *directory.Binding, deleted directory.AccountID, now time.Time) []table.Write {
	switch {
	case b.Object.Kind != directory.KindGroup:
		return nil
	case deleted == "" || b.Release != directory.ReleaseDelete || b.AccountID != "" && !b.Created:
		return forgetDeletedGroup(tenant, b)
	}
	return []table.Write{{Put: &table.Item{
		Key: deletedGroupKey(tenant, b.Object), Expires: now.Add(keptInBin), Strings: map[string]string{strAccount: string(deleted)},
	}}}
}

// forgetDeletedGroup takes the note of a deletion of ours away, of a group that has a tenant
// group again or whose export has ended since; nothing for an object of another kind.
func forgetDeletedGroup(tenant directory.TenantID, b *directory.Binding) []table.Write {
	if b.Object.Kind != directory.KindGroup {
		return nil
	}
	key := deletedGroupKey(tenant, b.Object)
	return []table.Write{{Delete: &key}}
}

// DeletedWithExport returns the tenant groups that we made for exports of groups, and
// deleted when these ended, lately.
func (s *Bindings) DeletedWithExport(ctx context.Context, tenant directory.TenantID, refs []directory.Ref) (map[directory.Ref]directory.TenantGroupID, error) {
	keys := make([]table.Key, len(refs))
	of := make(map[table.Key]directory.Ref, len(refs))
	for i, r := range refs {
		keys[i] = deletedGroupKey(tenant, r)
		of[keys[i]] = r
	}
	out := map[directory.Ref]directory.TenantGroupID{}
	for it, err := range s.db.each(ctx, keys) {
		if err != nil {
			return nil, fmt.Errorf("deleted groups: %w", err)
		}
		if !s.db.expired(it) {
			out[of[it.Key]] = directory.TenantGroupID(it.Strings[strAccount])
		}
	}
	return out, nil
}

// BeforeImages returns what accounts, or objects of another kind, had before
// earlier bindings of the same users or objects, by account; refs, all of one kind,
// are in the order of accounts.
func (s *Bindings) BeforeImages(ctx context.Context, tenant directory.TenantID, accounts []directory.AccountID, refs []directory.Ref) (map[directory.AccountID]BeforeImage, error) {
	keys := make([]table.Key, len(accounts))
	of := map[table.Key]int{}
	for i, a := range accounts {
		keys[i] = beforeImageKey(tenant, refs[i].Kind, a)
		of[keys[i]] = i
	}
	out := map[directory.AccountID]BeforeImage{}
	for it, err := range s.db.each(ctx, keys) {
		if err != nil {
			return nil, fmt.Errorf("before-images: %w", err)
		}
		var b BeforeImage
		if err := decode(it, &b); err != nil {
			return nil, err
		}
		if i := of[it.Key]; b.isOf(refs[i]) && !s.db.expired(it) {
			out[accounts[i]] = b
		}
	}
	return out, nil
}
