package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Counters are what the guard measures by: how much is bound, and what was applied
// in each hour. They are added to in the transactions that bind and journal.
type Counters struct{ db *db }

// Names of the numbers beside a connection. What bindings gained and lost of
// accounts is added up in the transactions that do it; base is what there was
// when the adding began, once it has been counted.
const (
	numBound        = "bound"
	numAccounts     = "accounts"
	numAccountsBase = "accountsBase"
)

// addBound adds to the number of what is bound of a kind, and of those of them
// whose binding has an account.
func addBound(id directory.ConnectionID, epoch int64, kind directory.Kind, bound, accounts int64) table.Write {
	return table.Write{Update: &table.Update{
		Key: boundKey(id, epoch, kind), AddNumbers: map[string]int64{numBound: bound, numAccounts: accounts},
	}}
}

// countFromNone begins an epoch's number of bindings with an account: there is none
// yet, and what comes is added up. Without it the first guard counts all bindings,
// for which somebody who leaves in a first load would wait.
func countFromNone(c *directory.Connection) table.Write {
	return table.Write{Update: &table.Update{Key: boundKey(c.ID, c.Epoch, directory.KindAccount), SetNumbers: map[string]int64{numAccountsBase: 0}}}
}

// BoundCount returns how many users are bound through a connection's epoch.
func (s *Counters) BoundCount(ctx context.Context, id directory.ConnectionID, epoch int64) (int, error) {
	it, _, err := s.db.find(ctx, boundKey(id, epoch, directory.KindAccount))
	return int(it.Numbers[numBound]), fail("bound count", err)
}

// Accounts is how many bindings of a connection's epoch have an account.
type Accounts struct {
	N int
	// Counted is false, for an epoch that an earlier version began, until
	// CountAccounts: N is then no more than what has changed since the adding began,
	// and may be negative.
	Counted bool
}

// BoundAccounts returns how many users are bound through a connection's epoch
// whose bindings have an account.
func (s *Counters) BoundAccounts(ctx context.Context, id directory.ConnectionID, epoch int64) (Accounts, error) {
	it, _, err := s.db.find(ctx, boundKey(id, epoch, directory.KindAccount))
	base, counted := it.Numbers[numAccountsBase]
	return Accounts{N: int(it.Numbers[numAccounts] + base), Counted: counted}, fail("bound accounts", err)
}

// BoundObjects returns how many objects of another kind than accounts are bound
// through a connection's epoch, and by how many of them something is in the tenant
// (directory.Binding.Holds).
func (s *Counters) BoundObjects(ctx context.Context, kind directory.Kind, id directory.ConnectionID, epoch int64) (bound, inTenant int, err error) {
	it, _, err := s.db.find(ctx, boundKey(id, epoch, kind))
	return int(it.Numbers[numBound]), int(it.Numbers[numAccounts]), fail("bound objects", err)
}

// givenName names the number of licences of a product that ledgers have.
func givenName(sku directory.SKUID) string { return givenPrefix + string(sku) }

const givenPrefix = "given#"

// GivenLicences returns of how many accounts the ledgers of a connection's epoch say that
// they were given which product. It is added up in the transactions that write them.
func (s *Counters) GivenLicences(ctx context.Context, id directory.ConnectionID, epoch int64) (map[directory.SKUID]int, error) {
	it, _, err := s.db.find(ctx, boundKey(id, epoch, directory.KindLicence))
	given := map[directory.SKUID]int{}
	for name, n := range it.Numbers {
		if sku, is := strings.CutPrefix(name, givenPrefix); is && n > 0 {
			given[directory.SKUID(sku)] = int(n)
		}
	}
	return given, fail("given licences", err)
}

// LicenceCount is what a count of all accounts of a tenant found of their licences.
type LicenceCount struct {
	Epoch    int64                                      `json:"epoch"`
	AsOf     time.Time                                  `json:"asOf"` // when it began
	Accounts int                                        `json:"accounts"`
	Products map[directory.SKUID]directory.LicenceTally `json:"products"`
}

// LicenceCount reads the last count of a connection; ErrNotFound when there is none in
// its present epoch.
func (s *Counters) LicenceCount(ctx context.Context, c *directory.Connection) (LicenceCount, error) {
	var n LicenceCount
	it, err := s.db.table.Get(ctx, licenceCountKey(c.ID))
	if err != nil {
		return n, fail("count of licences", err)
	}
	if err := decode(it, &n); err != nil {
		return n, err
	}
	if n.Epoch != c.Epoch {
		return LicenceCount{}, fail("count of licences", table.ErrNotFound)
	}
	return n, nil
}

// SaveLicenceCount stores a count that has come to its end, unless the connection's epoch
// has passed meanwhile: ErrStale.
func (s *Counters) SaveLicenceCount(ctx context.Context, c *directory.Connection, n LicenceCount) error {
	n.Epoch = c.Epoch
	err := s.db.table.Write(ctx, checkTarget(c), table.Write{Put: &table.Item{Key: licenceCountKey(c.ID), Body: encode(n)}})
	if refused(err) {
		return fmt.Errorf("count of licences: %w", directory.ErrStale)
	}
	return fail("count of licences", err)
}

// CountAccounts notes what a count of all bindings found, while a, read before
// it, still stands; otherwise it does nothing, and the next guard counts again.
// gained of them got their account within a day and were not counted by the hour
// then. ErrLeaseLost.
func (s *Counters) CountAccounts(ctx context.Context, l *Lease, a Accounts, all, gained int) error {
	still := table.NumberIs(numAccounts, table.Equal, int64(a.N))
	missing := table.Test{Number: numAccountsBase, Op: table.IsMissing}
	w := table.Write{
		Update: &table.Update{Key: boundKey(l.ConnectionID, l.Epoch, directory.KindAccount), SetNumbers: map[string]int64{numAccountsBase: int64(all - a.N)}},
		If:     table.When(still, missing),
	}
	if a.N == 0 { // an earlier version's item has no such number
		w.If.AnyOf = append(w.If.AnyOf, []table.Test{{Number: numAccounts, Op: table.IsMissing}, missing})
	}
	writes := []table.Write{l.check(), w}
	if gained > 0 {
		writes = append(writes, hourWrite(l.ConnectionID, 0, map[string]int64{numAccounts: int64(gained)}, s.db.now()))
	}
	err := s.db.table.Write(ctx, writes...)
	if f, refused := failed(err); refused {
		if _, lost := f[0]; lost {
			return fmt.Errorf("count accounts: %w", directory.ErrLeaseLost)
		}
		return nil
	}
	return fail("count accounts", err)
}

const (
	// hoursKept is how long the counts of an hour are kept.
	hoursKept = 9 * 24 * time.Hour
	// hourParts is over how many items an hour's counts are spread, by chunk: in
	// a load of many departments each part stays far below what an item may hold.
	hourParts = 16
)

// hourWrite adds to the counts of this hour.
func hourWrite(c directory.ConnectionID, chunk int, counts map[string]int64, now time.Time) table.Write {
	until := now.Add(hoursKept)
	return table.Write{Update: &table.Update{Key: hourKey(c, now.Unix()/3600, chunk%hourParts), AddNumbers: counts, SetExpires: &until}}
}

// gainedName names the number of bindings of a kind that got their account, or
// object, in an hour.
func gainedName(kind directory.Kind) string {
	if kind == directory.KindAccount {
		return numAccounts
	}
	return numAccounts + "#" + string(kind)
}

// GainedSince is how many bindings of a kind got an account, or object, in the hours
// from one on, of what AppliedSince returned.
func GainedSince(hours map[int64]map[string]int64, kind directory.Kind, from int64) int {
	n := int64(0)
	for hour, counts := range hours {
		if hour >= from {
			n += counts[gainedName(kind)]
		}
	}
	return int(n)
}

// AppliedSince returns what was counted by journals, by hour since 1970, from
// the hour that a time lies in; runs that an admin approved are not among it. GainedSince reads the rest.
func (s *Counters) AppliedSince(ctx context.Context, c directory.ConnectionID, since time.Time) (map[int64]map[string]int64, error) {
	first := hourKey(c, since.Unix()/3600, 0)
	before := first.Sort[:len("hour#00000000")]
	hours := map[int64]map[string]int64{}
	for it, err := range s.db.list(ctx, table.Query{Partition: first.Partition, Prefix: "hour#", After: before}) {
		if err != nil {
			return nil, fail("applied since", err)
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(it.Sort, "hour#"), "#")
		hour, err := strconv.ParseInt(name, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("store: counts of an hour: %q: %w", it.Sort, err)
		}
		if hours[hour] == nil {
			hours[hour] = map[string]int64{}
		}
		for n, k := range it.Numbers {
			hours[hour][n] += k
		}
	}
	return hours, nil
}
