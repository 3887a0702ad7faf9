package seats

import (
	"context"
	"errors"
	"maps"
	"time"

	"bindery/shared/core/assign"
	"bindery/shared/core/jobs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// countInput is the input of a count.
type countInput struct {
	Epoch int64 `json:"epoch"`
}

// countPlace is the place of a count in the tenant's list of accounts, with what was
// counted before it. It fits where a place must: a tenant has some dozens of products.
type countPlace struct {
	assign.ListPlace
	Count store.LicenceCount `json:"count"`
}

// StartCount starts a count of who has which product, over all accounts of the tenant.
func (s *Service) StartCount(ctx context.Context, by directory.Caller, id directory.ConnectionID) (directory.Job, error) {
	c, err := assign.Working(ctx, s.stores.Connections, id)
	if err != nil {
		return directory.Job{}, err
	}
	if err := mayRead(&c); err != nil {
		return directory.Job{}, err
	}
	return s.jobs.Start(ctx, jobs.Order{Kind: directory.JobLicences, ConnectionID: c.ID, By: by, Audit: directory.AuditCountLicences, Input: countInput{Epoch: c.Epoch}})
}

// Count is the kind of jobs that StartCount starts.
func (s *Service) Count(*jobs.Job) jobs.Worker { return &counter{service: s} }

// counter is one slice of a count.
type counter struct {
	service *Service
	tenant  Tenant
}

// Step counts the accounts of one page. Of a page that is read again after a crash nothing
// was kept. A list whose link is not known any more is counted from the start.
func (w *counter) Step(ctx context.Context, j *jobs.Job) (jobs.Result, error) {
	var in countInput
	at := countPlace{Count: store.LicenceCount{AsOf: w.service.now().UTC()}}
	if err := j.ReadInput(&in); err != nil {
		return jobs.Result{}, err
	}
	if err := j.ReadPlace(&at); err != nil {
		return jobs.Result{}, err
	}
	c, err := assign.WorkingSince(ctx, w.service.stores.Connections, j.ConnectionID, in.Epoch)
	if err != nil {
		return jobs.Result{}, err
	}
	if w.tenant == nil {
		if w.tenant, err = w.service.open(ctx, &c); err != nil {
			return jobs.Result{}, err
		}
	}
	page, err := w.tenant.ListLicences(ctx, at.Link)
	if errors.Is(err, directory.ErrResync) && at.Link != "" {
		first, err := at.Restart()
		if err != nil {
			return jobs.Result{}, err
		}
		j.Done = 0
		return jobs.Result{}, j.SetPlace(countPlace{ListPlace: first, Count: store.LicenceCount{AsOf: w.service.now().UTC()}})
	}
	if err != nil {
		return jobs.Result{}, err
	}
	if err := w.add(ctx, &c, &at.Count, page.Accounts); err != nil {
		return jobs.Result{}, err
	}
	j.Done += len(page.Accounts)
	if page.Next == "" {
		j.Total = j.Done
		j.Count("products", len(at.Count.Products))
		return jobs.Result{Ended: true}, w.service.stores.Counters.SaveLicenceCount(ctx, &c, at.Count)
	}
	if at.ListPlace, err = at.Next(assign.Accounts, idsOf(page.Accounts), page.Next); err != nil {
		return jobs.Result{}, err
	}
	return jobs.Result{Next: pageTime}, j.SetPlace(at)
}

// pageTime is what a page may take, with our records beside it.
const pageTime = 20 * time.Second

func idsOf(accounts []directory.AccountLicences) []string {
	ids := make([]string, len(accounts))
	for i := range accounts {
		ids[i] = string(accounts[i].AccountID)
	}
	return ids
}

// add adds accounts to a count, beside what the ledgers say of them.
func (w *counter) add(ctx context.Context, c *directory.Connection, n *store.LicenceCount, accounts []directory.AccountLicences) error {
	ours, err := w.ours(ctx, c, accounts)
	if err != nil {
		return err
	}
	n.Accounts += len(accounts)
	if n.Products = maps.Clone(n.Products); n.Products == nil {
		n.Products = map[directory.SKUID]directory.LicenceTally{}
	}
	for i := range accounts {
		a := &accounts[i]
		for sku, has := range sourcesOf(a) {
			t := n.Products[sku]
			gave := has.direct && ours[a.AccountID][sku]
			t.Ours += one(gave)
			t.Others += one(has.direct && !gave)
			t.Inherited += one(has.group)
			t.OursDisabled += one(gave && !a.Enabled)
			t.AllDisabled += one(!a.Enabled)
			n.Products[sku] = t
		}
	}
	return nil
}

func one(is bool) int {
	if is {
		return 1
	}
	return 0
}

// sources are where an account has a product from.
type sources struct{ direct, group bool }

// sourcesOf are the products that are in force on an account.
func sourcesOf(a *directory.AccountLicences) map[directory.SKUID]sources {
	of := map[directory.SKUID]sources{}
	for i := range a.States {
		s := &a.States[i]
		if !s.InForce() {
			continue
		}
		has := of[s.SKU]
		has.direct = has.direct || s.AssignedByGroup == ""
		has.group = has.group || s.AssignedByGroup != ""
		of[s.SKU] = has
	}
	return of
}

// ours says of which products the ledgers say that we gave them to those of some accounts
// that have any.
func (w *counter) ours(ctx context.Context, c *directory.Connection, accounts []directory.AccountLicences) (map[directory.AccountID]map[directory.SKUID]bool, error) {
	var ids []directory.AccountID
	for i := range accounts {
		if len(accounts[i].States) > 0 {
			ids = append(ids, accounts[i].AccountID)
		}
	}
	owners, err := w.service.stores.Owners.AccountOwners(ctx, c, ids)
	if err != nil {
		return nil, err
	}
	var refs []directory.Ref
	of := map[directory.Ref]directory.AccountID{}
	for a, u := range owners {
		refs = append(refs, directory.LicenceOf(u))
		of[directory.LicenceOf(u)] = a
	}
	records, err := w.service.stores.Records.BindingsOf(ctx, c.ID, refs)
	if err != nil {
		return nil, err
	}
	ours := map[directory.AccountID]map[directory.SKUID]bool{}
	for ref, b := range records {
		if b.Epoch != c.Epoch {
			continue
		}
		given := map[directory.SKUID]bool{}
		for name, v := range b.Base {
			if sku, is := directory.LicenceOfProperty(name); is && !v.IsNull() {
				given[sku] = true
			}
		}
		ours[of[ref]] = given
	}
	return ours, nil
}
