package seats

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"bindery/shared/core/assign"
	"bindery/shared/core/jobs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Tenant reads what one tenant has of licences.
type Tenant interface {
	SKUs(ctx context.Context) ([]directory.LicenceSKU, error)
	ListLicences(ctx context.Context, link string) (directory.LicencePage, error)
}

// Config is what a Service stands on.
type Config struct {
	Stores Stores
	Open   func(ctx context.Context, c *directory.Connection) (Tenant, error)
	Jobs   *jobs.Service
	Now    func() time.Time // nil means time.Now
}

// Stores are the records that this package reads, by concern.
type Stores struct {
	Connections connections
	Counters    counters
	Problems    problemLister
	Users       userReader
	Owners      accountOwners
	Records     recordReader
}

// StoresOf are those of a store.
func StoresOf(s *store.Store) Stores {
	return Stores{Connections: s.Connections, Counters: s.Counters, Problems: s.Bindings, Users: s.Users, Owners: s.Claims, Records: s.Bindings}
}

type connections interface {
	Connection(ctx context.Context, id directory.ConnectionID) (directory.Connection, error)
}

// counters are the numbers that are kept of licences.
type counters interface {
	GivenLicences(ctx context.Context, id directory.ConnectionID, epoch int64) (map[directory.SKUID]int, error)
	LicenceCount(ctx context.Context, c *directory.Connection) (store.LicenceCount, error)
	SaveLicenceCount(ctx context.Context, c *directory.Connection, n store.LicenceCount) error
}

type problemLister interface {
	ListProblems(ctx context.Context, c directory.ConnectionID, epoch int64, code, cursor string, limit int) ([]store.ProblemRecord, string, error)
}

type userReader interface {
	UsersByID(ctx context.Context, ids []directory.UserID) (map[directory.UserID]directory.User, error)
}

type accountOwners interface {
	AccountOwners(ctx context.Context, c *directory.Connection, ids []directory.AccountID) (map[directory.AccountID]directory.UserID, error)
}

type recordReader interface {
	BindingsOf(ctx context.Context, c directory.ConnectionID, refs []directory.Ref) (map[directory.Ref]directory.Binding, error)
}

// Service shows what tenants have of licences. It may be used by many goroutines.
type Service struct {
	stores Stores
	open   func(ctx context.Context, c *directory.Connection) (Tenant, error)
	jobs   *jobs.Service
	now    func() time.Time
}

// New returns a Service.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Service{stores: cfg.Stores, open: cfg.Open, jobs: cfg.Jobs, now: cfg.Now}
}

// Product is a product of a tenant with its seats.
type Product struct {
	SKU        directory.SKUID `json:"skuId"`
	PartNumber string          `json:"skuPartNumber,omitempty"`
	Name       string          `json:"name" doc:"What people call it; of a product that is not known here, its part number"`
	Status     string          `json:"capabilityStatus" doc:"Enabled, Warning, Suspended, Deleted or LockedOut, as Microsoft says; Gone: the tenant does not have the product any more"`
	Detail     string          `json:"detail,omitempty" doc:"What the status means, a sentence"`
	Assignable bool            `json:"assignable" doc:"It can be given to accounts now."`
	Seats      Seats           `json:"seats"`
	Given      int             `json:"given" doc:"How many accounts have it from us, as the ledgers say now"`
	Waiting    SeatLine        `json:"waiting"`
	// Counted is what the last count found; nil: nobody counted.
	Counted *directory.LicenceTally `json:"counted,omitempty" doc:"How many accounts had it, by where it came from, when they were last counted"`
}

// Seats are the seats of a product, as Microsoft says.
type Seats struct {
	Enabled   int `json:"enabled"`
	Warning   int `json:"warning" doc:"In their grace: the subscription has run out, and they still count"`
	Suspended int `json:"suspended"`
	LockedOut int `json:"lockedOut,omitempty"`
	Used      int `json:"used" doc:"Microsoft's own number, which lags by minutes"`
	Free      int `json:"free"`
}

// SeatLine is who waits for a seat of a product.
type SeatLine struct {
	Users int `json:"users"`
	// Line are the first of them.
	Line []Waits `json:"line,omitempty" doc:"The first 50 of them, in their order; GET …/problems/waiting-for-seat lists all"`
}

// Waits is somebody who waits for a seat.
type Waits struct {
	UserID directory.UserID `json:"userId"`
	Name   string           `json:"name"`
	Place  int              `json:"place,omitempty" doc:"In the line, as of the last plan; without one, the next plan says"`
	Since  time.Time        `json:"since,omitzero"`
}

// Listing is what a tenant has of licences.
type Listing struct {
	Products []Product `json:"products"`
	// Counted says when, and over how many accounts, the last count was made.
	Counted *Counted `json:"counted,omitempty" doc:"The last count of who has which product; without it, POST …/licences/count makes one"`
	// MoreWaiting says that there are more who wait than were looked at.
	MoreWaiting bool `json:"moreWaiting,omitempty" doc:"More wait than one call looks at: the numbers of who waits are too small."`
}

// Counted is when a count began, and over how many accounts it was.
type Counted struct {
	AsOf     time.Time `json:"asOf"`
	Accounts int       `json:"accounts"`
}

// Bounds of one call.
const (
	mostWaiting = 2000 // who waits, that it looks at
	mostLine    = 50   // of one product, that it names
)

// statuses say what a status of a product means (GG 9.1). No date comes with them.
var statuses = map[string]string{
	"Warning":   "The subscription has run out and is in its grace: what it gives works on, and its seats still count. Renew it before Microsoft suspends it.",
	"Suspended": "The subscription has run out and its grace is over: people cannot use it. Renew it, or give them another product.",
	"Deleted":   "The subscription was deleted. Give people another product.",
	"LockedOut": "Microsoft has locked the subscription. Look at it in the Microsoft 365 admin center.",
	gone:        "The tenant does not have the product any more; the ledgers still tell of it.",
}

const gone = "Gone"

// List shows the products of a connection's tenant. Errors: directory.ErrNotFound, those
// of the tenant, and a refusal when the connection lacks the permission for licences.
func (s *Service) List(ctx context.Context, id directory.ConnectionID) (Listing, error) {
	c, tenant, err := s.tenant(ctx, id)
	if err != nil {
		return Listing{}, err
	}
	skus, err := tenant.SKUs(ctx)
	if err != nil {
		return Listing{}, err
	}
	given, err := s.stores.Counters.GivenLicences(ctx, c.ID, c.Epoch)
	if err != nil {
		return Listing{}, err
	}
	out := Listing{Products: []Product{}}
	counted, err := s.stores.Counters.LicenceCount(ctx, &c)
	switch {
	case err == nil:
		out.Counted = &Counted{counted.AsOf, counted.Accounts}
	case !errors.Is(err, directory.ErrNotFound):
		return Listing{}, err
	}
	lines, more, err := s.lines(ctx, &c)
	if err != nil {
		return Listing{}, err
	}
	out.MoreWaiting = more
	for i := range skus {
		out.Products = append(out.Products, productOf(&skus[i]))
	}
	out.addGone(slices.Concat(slices.Collect(maps.Keys(given)), slices.Collect(maps.Keys(lines))))
	for i := range out.Products {
		p := &out.Products[i]
		p.Given = given[p.SKU]
		p.Waiting = lines[p.SKU]
		if out.Counted != nil {
			tally := counted.Products[p.SKU]
			p.Counted = &tally
		}
	}
	slices.SortFunc(out.Products, func(a, b Product) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.SKU, b.SKU)) })
	return out, s.name(ctx, out.Products)
}

// addGone adds the products that the directory knows of and the tenant does not have.
func (l *Listing) addGone(known []directory.SKUID) {
	slices.Sort(known)
	for _, sku := range slices.Compact(known) {
		if !slices.ContainsFunc(l.Products, func(p Product) bool { return p.SKU == sku }) {
			l.Products = append(l.Products, Product{SKU: sku, Name: string(sku), Status: gone, Detail: statuses[gone]})
		}
	}
}

// productOf is a product as Microsoft tells of it.
func productOf(s *directory.LicenceSKU) Product {
	u := s.Units
	p := Product{SKU: s.ID, PartNumber: s.PartNumber, Name: directory.ProductName(s.PartNumber), Status: s.Status, Detail: statuses[s.Status], Assignable: s.Assignable(),
		Seats: Seats{Enabled: u.Enabled, Warning: u.Warning, Suspended: u.Suspended, LockedOut: u.LockedOut, Used: s.Consumed, Free: s.Free()}}
	if p.Detail == "" && !p.Assignable {
		p.Detail = "It is a product of the whole organisation and cannot be given to accounts."
	}
	return p
}

// lines are who waits for seats, by product, each in order. more says that there are more
// than it looked at.
func (s *Service) lines(ctx context.Context, c *directory.Connection) (lines map[directory.SKUID]SeatLine, more bool, err error) {
	lines = map[directory.SKUID]SeatLine{}
	looked := 0
	for cursor, first := "", true; first || cursor != ""; first = false {
		if looked >= mostWaiting {
			more = true
			break
		}
		var page []store.ProblemRecord
		page, cursor, err = s.stores.Problems.ListProblems(ctx, c.ID, c.Epoch, directory.CodeWaitingForSeat, cursor, mostWaiting-looked)
		if err != nil {
			return nil, false, err
		}
		looked += len(page)
		for i := range page {
			ref, p := page[i].Ref(), &page[i].Problem
			sku, is := directory.LicenceOfProperty(p.Property)
			if ref.Kind != directory.KindLicence || !is {
				continue
			}
			w := lines[sku]
			w.Users++
			w.Line = append(w.Line, Waits{UserID: directory.UserID(ref.ID), Place: p.Place, Since: p.Since})
			lines[sku] = w
		}
	}
	for sku, w := range lines {
		slices.SortFunc(w.Line, func(a, b Waits) int {
			return cmp.Or(cmp.Compare(placeOf(a), placeOf(b)), cmp.Compare(a.UserID, b.UserID))
		})
		w.Line = w.Line[:min(len(w.Line), mostLine)]
		lines[sku] = w
	}
	return lines, more, nil
}

// placeOf is a place for sorting: who has none yet comes last.
func placeOf(w Waits) int {
	if w.Place == 0 {
		return mostWaiting + 1
	}
	return w.Place
}

// name gives those in the lines their names.
func (s *Service) name(ctx context.Context, products []Product) error {
	var ids []directory.UserID
	for _, p := range products {
		for _, w := range p.Waiting.Line {
			ids = append(ids, w.UserID)
		}
	}
	slices.Sort(ids)
	users, err := s.stores.Users.UsersByID(ctx, slices.Compact(ids))
	if err != nil {
		return err
	}
	for _, p := range products {
		for i := range p.Waiting.Line {
			u := users[p.Waiting.Line[i].UserID]
			p.Waiting.Line[i].Name = cmp.Or(u.DisplayName, u.Email, string(p.Waiting.Line[i].UserID))
		}
	}
	return nil
}

// tenant opens the tenant of a connection that may read licences.
func (s *Service) tenant(ctx context.Context, id directory.ConnectionID) (directory.Connection, Tenant, error) {
	c, err := assign.Working(ctx, s.stores.Connections, id)
	if err != nil {
		return c, nil, err
	}
	if err := mayRead(&c); err != nil {
		return c, nil, err
	}
	tenant, err := s.open(ctx, &c)
	return c, tenant, err
}

// mayRead refuses a connection that lacks the permission for licences.
func mayRead(c *directory.Connection) error {
	return c.MustHave(directory.ScopeLicences, "licences", "the tenant's licences cannot be read")
}
