package reconcile

import (
	"context"
	"slices"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// onlookers are the kinds that look at what rounds of accounts show.
func (rd *rounds) onlookers() (list []Onlooker) {
	for _, name := range rd.kinds.names {
		if of, looks := rd.kinds.of(name).(Onlooker); looks && len(of.Selects()) > 0 {
			list = append(list, of)
		}
	}
	return list
}

// selected are the properties that rounds ask for.
func (rd *rounds) selected() []string {
	names := rd.managed
	for _, of := range rd.onlookers() {
		names = slices.Concat(names, of.Selects())
	}
	return names
}

// shown says what other kinds want looked at because of accounts that a round showed.
func (rd *rounds) shown(ctx context.Context, link *store.ReadLink, accounts []directory.Account) (now, later []directory.Ref, err error) {
	list := rd.onlookers()
	if len(list) == 0 || len(accounts) == 0 {
		return nil, nil, nil
	}
	ids := make([]directory.AccountID, len(accounts))
	for i := range accounts {
		ids[i] = accounts[i].ID
	}
	owners, err := rd.owners(ctx, link, ids)
	if err != nil || len(owners) == 0 {
		return nil, nil, err
	}
	return askOnlookers(ctx, list, accounts, owners)
}

func askOnlookers(ctx context.Context, list []Onlooker, accounts []directory.Account, owners map[directory.AccountID]directory.UserID) (now, later []directory.Ref, err error) {
	for _, of := range list {
		n, l, err := of.Shown(ctx, accounts, owners)
		if err != nil {
			return nil, nil, err
		}
		now, later = append(now, n...), append(later, l...)
	}
	return now, later, nil
}

// markShown marks what other kinds want looked at because of a page of accounts.
func (rd *rounds) markShown(ctx context.Context, accounts []directory.Account, owners map[directory.AccountID]directory.UserID) error {
	now, later, err := askOnlookers(ctx, rd.onlookers(), accounts, owners)
	if err != nil {
		return err
	}
	at := rd.s.now()
	if err := rd.marks.MarkRecheck(ctx, &rd.s.lease, now, at); err != nil {
		return err
	}
	return rd.marks.MarkRecheck(ctx, &rd.s.lease, later, at.Add(Grace))
}
