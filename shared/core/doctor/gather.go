package doctor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"bindery/shared/core/incident"
	"bindery/shared/core/mapping"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Tenant is what a check reads of a tenant.
type Tenant interface {
	TenantDomains(ctx context.Context) ([]directory.TenantDomain, error)
	ServiceRecords(ctx context.Context, domain string) ([]directory.ExpectedRecord, error)
	Lookup(ctx context.Context, refs []string, selected []string) ([]directory.Found, error)
	List(ctx context.Context, selected []string, link string) (directory.AccountPage, error)
	MyRoles(ctx context.Context) ([]directory.Role, error)
	Holders(ctx context.Context, addresses []string) (directory.Holders, error)
	groupTenant
}

// Stores are the records that a check looks at, by concern.
type Stores struct {
	Connections connections
	Leases      leases
	Domains     domains
	Runs        openRuns
	Work        openWork
	Users       users
	Bindings    bindings
	Groups      groups
	Uses        uses
	Checks      checks
}

// StoresOf are those of a store.
func StoresOf(s *store.Store) Stores {
	return Stores{
		Connections: s.Connections, Leases: s.Leases, Domains: s.Claims, Runs: s.Runs, Work: s.Schedule,
		Users: s.Users, Bindings: s.Bindings, Groups: s.Groups, Uses: s.Uses, Checks: s.Connections,
	}
}

type connections interface {
	Connection(ctx context.Context, id directory.ConnectionID) (directory.Connection, error)
	NoteDomains(ctx context.Context, read *directory.Connection, verified []directory.Domain) (directory.Connection, error)
}

type leases interface {
	PeekLease(ctx context.Context, id directory.ConnectionID) (store.Lease, directory.Connection, error)
}

type domains interface {
	DomainOwners(ctx context.Context, domains []string) (map[string]directory.ConnectionID, error)
}

type openRuns interface {
	OpenRuns(ctx context.Context, c directory.ConnectionID) ([]directory.RunID, error)
	RunsByID(ctx context.Context, ids []directory.RunID) (map[directory.RunID]store.RunRecord, error)
}

type openWork interface {
	OpenWork(ctx context.Context, c *directory.Connection, markedBefore time.Time) (store.OpenWork, error)
}

type users interface {
	ListUsers(ctx context.Context, cursor string, limit int, keep func(*directory.User) bool) (store.UserPage, error)
}

type bindings interface {
	Subjects(ctx context.Context, ids []directory.UserID) (map[directory.UserID]store.Subject, error)
	ListBindings(ctx context.Context, kind directory.Kind, c directory.ConnectionID, epoch int64, cursor string, limit int) ([]directory.Binding, string, error)
}

// checks keeps what the last check of a connection came to.
type checks interface {
	SaveHealth(ctx context.Context, c directory.ConnectionID, report any, at time.Time) error
	Health(ctx context.Context, c directory.ConnectionID, report any) error
	CheckedAt(ctx context.Context, c directory.ConnectionID) (time.Time, error)
}

// Doctor checks connections. Its fields are set once, before use.
type Doctor struct {
	Stores Stores
	Open   func(ctx context.Context, c *directory.Connection) (Tenant, error)
	Realm  func(ctx context.Context, domain string) (directory.Realm, error)
	// TokensUsed is when the authorisation was last renewed.
	TokensUsed func(ctx context.Context, c *directory.Connection) (time.Time, error)
	Look       func(ctx context.Context, domain string) *DNS
	Needed     []string // permissions that no connection can do without
	Ask        func(ctx context.Context, id directory.ConnectionID) error
	Now        func() time.Time // nil means time.Now
	Log        *slog.Logger     // nil means silence
}

func (d *Doctor) now() time.Time {
	if d.Now != nil {
		return d.Now()
	}
	return time.Now()
}

// What one check looks at, at most.
const (
	mostDomains = 50
	mostUsers   = 20_000
	mostPages   = 40  // of accounts
	mostHolders = 400 // addresses that are looked for among groups and deleted users
	// lookTime is for the name servers of all domains together: a check must not
	// fail for one that is silent. What is not known by then is a finding.
	lookTime = time.Minute
)

// Check gathers what there is to know about a connection, judges it and stores
// the report. What cannot be read is told in it; an error means that there is no
// report.
func (d *Doctor) Check(ctx context.Context, id directory.ConnectionID) (Report, error) {
	f, err := d.gather(ctx, id)
	if err != nil {
		return Report{}, err
	}
	r := Judge(f)
	return r, d.Stores.Checks.SaveHealth(ctx, id, r, r.CheckedAt)
}

// Report returns the last check's report. directory.ErrNotFound when there is none.
func (d *Doctor) Report(ctx context.Context, id directory.ConnectionID) (Report, error) {
	var r Report
	err := d.Stores.Checks.Health(ctx, id, &r)
	return r, err
}

// Request asks for a check, which is made soon.
func (d *Doctor) Request(ctx context.Context, id directory.ConnectionID) error { return d.Ask(ctx, id) }

func (d *Doctor) gather(ctx context.Context, id directory.ConnectionID) (*Facts, error) {
	c, err := d.Stores.Connections.Connection(ctx, id)
	if err != nil {
		return nil, err
	}
	f := &Facts{Now: d.now().UTC(), Connection: &c, Needed: d.Needed, Unread: map[string]string{}, ClaimedElsewhere: map[string]string{}}
	if d.TokensUsed != nil && c.Tenant != nil {
		if f.TokensUsed, err = d.TokensUsed(ctx, &c); err != nil {
			d.miss(ctx, f, "tokens", err)
		}
	}
	if err := d.work(ctx, f); err != nil {
		return nil, err
	}
	l, _, err := d.Stores.Leases.PeekLease(ctx, id)
	if err != nil {
		return nil, err
	}
	f.ReadLoop = l.Link.Loop
	if c.Tenant == nil {
		f.Unread["tenant"] = "the connection is " + string(c.Status) + ": no tenant has authorised it"
		return f, nil
	}
	var t Tenant
	if c.Authorized() {
		if t, err = d.Open(ctx, &c); err != nil {
			d.miss(ctx, f, "tenant", err)
		}
	} else {
		f.Unread["tenant"] = "the connection is " + string(c.Status)
	}
	if t != nil {
		d.admin(ctx, f, t)
	}
	d.domains(ctx, f, t)
	if d.Look == nil {
		f.Unread["mail"] = "no name server is asked here"
	}
	if err := d.people(ctx, f, t); err != nil {
		return f, err
	}
	if err := d.groupsAndLicences(ctx, f, t); err != nil || t == nil {
		return f, err
	}
	// Looking may have told that the authorisation is lost.
	now, err := d.Stores.Connections.Connection(ctx, id)
	if err != nil {
		return nil, err
	}
	if now.Epoch == c.Epoch && now.Status == directory.StatusNeedsAuthorization {
		f.Connection, f.Unread = &now, map[string]string{"tenant": "the connection is " + string(now.Status)}
	}
	return f, nil
}

// miss notes that something could not be read.
func (d *Doctor) miss(ctx context.Context, f *Facts, what string, err error) {
	f.Unread[what] = incident.Unread(ctx, d.Log, what, err, "connectionId", string(f.Connection.ID))
	if p, ok := errors.AsType[*directory.Problem](err); ok && p.Code == directory.CodePagingLoop {
		f.Loops = append(f.Loops, *p)
	}
}

// work looks at what stands open.
func (d *Doctor) work(ctx context.Context, f *Facts) error {
	c := f.Connection
	ids, err := d.Stores.Runs.OpenRuns(ctx, c.ID)
	if err != nil {
		return err
	}
	runs, err := d.Stores.Runs.RunsByID(ctx, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		r, there := runs[id]
		switch {
		case !there: // it was held for longer than records are kept
		case r.Epoch != c.Epoch || r.DryRun || r.State.Ended():
		case r.State == directory.RunHeld:
			f.HeldRuns++
		case f.Now.Sub(r.StartedAt) > longWait && (f.SlowRun == nil || r.StartedAt.Before(f.SlowRun.StartedAt)):
			f.SlowRun = &r.Run
		}
	}
	if !c.Authorized() {
		return nil
	}
	p, err := d.Stores.Work.OpenWork(ctx, c, f.Now.Add(-longWait))
	f.OldestMark = p.MarkedAt
	return err
}

func (d *Doctor) admin(ctx context.Context, f *Facts, t Tenant) {
	by := f.Connection.AuthorizedBy
	if by == nil {
		return
	}
	found, err := t.Lookup(ctx, []string{string(by.ObjectID)}, []string{directory.PropUserPrincipalName, directory.PropAccountEnabled})
	if err != nil || len(found) != 1 || found[0].Problem != nil || found[0].Retry {
		switch {
		case err == nil && len(found) == 1 && found[0].Problem != nil:
			d.miss(ctx, f, "admin", found[0].Problem)
		case err == nil:
			f.Unread["admin"] = "the account that authorised could not be read this time"
		default:
			d.miss(ctx, f, "admin", err)
		}
		return
	}
	f.Admin = &AdminFacts{Found: found[0].Account != nil}
	if found[0].Account != nil {
		f.Admin.Enabled = found[0].Account.Enabled()
	}
	roles, err := t.MyRoles(ctx)
	if err != nil {
		d.miss(ctx, f, "roles", err)
		return
	}
	f.Admin.Roles = roles
}

func (d *Doctor) domains(ctx context.Context, f *Facts, t Tenant) {
	var list []directory.TenantDomain
	if t != nil {
		var err error
		if list, err = t.TenantDomains(ctx); err != nil {
			d.miss(ctx, f, "domains", err)
			list = nil
		}
	}
	unread := len(list) == 0
	if unread {
		if t != nil && f.Unread["domains"] == "" {
			f.Unread["domains"] = "the tenant named none of its domains"
		}
		for _, one := range slices.Concat(f.Connection.Tenant.Domains, f.Connection.Tenant.Offered) { // as they were last read
			list = append(list, directory.TenantDomain{Domain: one})
		}
	} else if now, err := d.Stores.Connections.NoteDomains(ctx, f.Connection, directory.VerifiedDomains(list)); err == nil {
		f.Connection = &now
	} else if !errors.Is(err, directory.ErrStale) { // authorised anew meanwhile: the next check tells
		d.miss(ctx, f, "record of domains", err)
	}
	names := make([]string, 0, len(list))
	for _, one := range list {
		names = append(names, one.Name)
	}
	owners, err := d.Stores.Domains.DomainOwners(ctx, names)
	if err != nil {
		d.miss(ctx, f, "claims", err)
	}
	looking, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	for i, one := range list {
		is := DomainIs{Name: one.Name, Verified: one.Verified, AuthenticationType: one.AuthenticationType, IsDefault: one.IsDefault, IsInitial: one.IsInitial, Email: one.Email,
			Unread: unread, LostSince: one.LostSince}
		if owner := owners[one.Name]; owner != "" && owner != f.Connection.ID {
			f.ClaimedElsewhere[one.Name] = string(owner)
		}
		if i < mostDomains {
			d.domain(ctx, f, t, &is)
			d.mail(looking, &is)
		}
		f.Domains = append(f.Domains, is)
	}
	if len(list) > mostDomains {
		f.Unread["domains"] = fmt.Sprintf("the tenant has %d domains; the first %d were looked at", len(list), mostDomains)
	}
}

func (d *Doctor) domain(ctx context.Context, f *Facts, t Tenant, is *DomainIs) {
	if d.Realm != nil && is.verified() {
		r, err := d.Realm(ctx, is.Name)
		if err != nil {
			d.miss(ctx, f, "sign-in of "+is.Name, err)
		}
		is.Realm = r
	}
	if t != nil && is.keepsRecords() {
		records, err := t.ServiceRecords(ctx, is.Name)
		if err != nil {
			d.miss(ctx, f, "expected records of "+is.Name, err)
		}
		for _, r := range records {
			is.Expected = append(is.Expected, Record(r))
		}
	}
}

func (d *Doctor) mail(ctx context.Context, is *DomainIs) {
	if d.Look == nil || !is.keepsRecords() {
		return
	}
	is.DNS = d.Look(ctx, is.Name)
	// Domains carry many texts that are nobody's business here.
	is.DNS.TXT = slices.DeleteFunc(is.DNS.TXT, func(t string) bool { return !isSPF(t) })
}

// keepsRecords reports whether a domain's records are the tenant's to keep:
// Microsoft keeps those of its own.
func (d *DomainIs) keepsRecords() bool {
	return d.verified() && !d.IsInitial && !strings.HasSuffix(strings.ToLower(d.Name), ".onmicrosoft.com")
}

// seen is what people looks up users by.
type seen struct {
	mapper    *mapping.Mapper
	byAddress map[string]Person // mapped addresses of users without an account
	held      map[string]Person // those of them that another account has
	byAccount map[directory.AccountID]Person
	values    map[string]Person // that should tell people apart
	domains   map[string]*DomainIs
	n         int
}

// people holds the users of the directory against the tenant's accounts.
func (d *Doctor) people(ctx context.Context, f *Facts, t Tenant) error {
	f.People.Outside = map[string][]Person{}
	var verified []directory.Domain
	s := &seen{byAddress: map[string]Person{}, held: map[string]Person{}, byAccount: map[directory.AccountID]Person{}, values: map[string]Person{}, domains: map[string]*DomainIs{}}
	for i := range f.Domains {
		is := &f.Domains[i]
		s.domains[directory.FoldDomain(is.Name)] = is
		if is.verified() && f.ClaimedElsewhere[is.Name] == "" {
			verified = append(verified, directory.Domain{Name: is.Name, AuthenticationType: is.AuthenticationType, IsDefault: is.IsDefault, IsInitial: is.IsInitial})
		}
	}
	s.mapper = mapping.New(f.Connection.Settings, verified)
	cursor := ""
	for s.n < mostUsers {
		page, err := d.Stores.Users.ListUsers(ctx, cursor, 500, nil)
		if err != nil {
			return err
		}
		ids := make([]directory.UserID, len(page.Users))
		for i := range page.Users {
			ids[i] = page.Users[i].ID
		}
		rows, err := d.Stores.Bindings.Subjects(ctx, ids)
		if err != nil {
			return err
		}
		for i := range page.Users {
			u := &page.Users[i]
			s.user(f, u, rows[u.ID].Binding)
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	f.People.More = cursor != ""
	if t == nil {
		return nil
	}
	d.accounts(ctx, f, t, s)
	s.clashes(f)
	d.holders(ctx, f, t, s)
	return nil
}

func (s *seen) user(f *Facts, u *directory.User, b *directory.Binding) {
	s.n++
	c := f.Connection
	ours := b != nil && b.ConnectionID == c.ID && b.Epoch == c.Epoch
	if b != nil && !ours && b.ConnectionID != c.ID {
		return // another connection's
	}
	who := Person{UserID: u.ID, Name: u.Email}
	address, problem := s.mapper.Address(u)
	domain := directory.DomainOf(u.Email)
	if problem == nil {
		domain = directory.DomainOf(address)
	}
	if is := s.domains[domain]; is != nil {
		is.Users++
		if ours {
			is.Bound++
			if len(is.Examples) < mostExamples {
				is.Examples = append(is.Examples, who)
			}
		}
	}
	if ours {
		f.People.values(u, b)
	}
	s.twice(f, u)
	if problem != nil {
		if domain != "" && s.domains[domain] == nil {
			f.People.Outside[domain] = append(f.People.Outside[domain], who)
		} else if !ours || u.Enabled() {
			f.People.Refused = append(f.People.Refused, Person{UserID: u.ID, Name: u.Email, Detail: problem.Message, Code: problem.Code})
		}
		return
	}
	if _, problems := s.mapper.Desired(u); len(problems) > 0 {
		f.People.Refused = append(f.People.Refused, Person{UserID: u.ID, Name: u.Email, Detail: problems[0].Message, Code: problems[0].Code})
	}
	if ours && b.AccountID != "" {
		s.byAccount[directory.AccountID(strings.ToLower(string(b.AccountID)))] = who
	} else if u.Enabled() {
		s.byAddress[directory.FoldAddress(address)] = who
	}
}

// values notes which values of a bound user Microsoft refused, or kept otherwise.
func (p *People) values(u *directory.User, b *directory.Binding) {
	for _, name := range slices.Sorted(maps.Keys(b.Refused)) {
		p.NotTaken = append(p.NotTaken, Person{UserID: u.ID, Name: u.Email, Detail: name + ": " + b.Refused[name].Problem.Message, Code: b.Refused[name].Problem.Code})
	}
	for _, name := range slices.Sorted(maps.Keys(b.Kept)) {
		p.Kept = append(p.Kept, Person{UserID: u.ID, Name: u.Email, Detail: name, Code: b.Kept[name].Code})
	}
}

// twice notes what a user has that another one, seen before, has too.
func (s *seen) twice(f *Facts, u *directory.User) {
	for _, v := range []struct{ space, kind, value string }{
		{"id", "employeeId", u.EmployeeID}, {"@", "address", directory.FoldAddress(u.Email)}, {"@", "other address", directory.FoldAddress(u.AlternateEmail)},
	} {
		if v.value == "" {
			continue
		}
		key := v.space + v.value
		if other, taken := s.values[key]; taken && other.UserID != u.ID {
			f.People.Twice = append(f.People.Twice, Person{UserID: u.ID, Name: u.Email, Detail: v.kind + " " + v.value + " is also that of " + other.Name})
		} else {
			s.values[key] = Person{UserID: u.ID, Name: u.Email}
		}
	}
}

// accounts goes through the tenant's accounts.
func (d *Doctor) accounts(ctx context.Context, f *Facts, t Tenant, s *seen) {
	link := ""
	var progress directory.Paging
	for range mostPages {
		page, err := t.List(ctx, []string{directory.PropUserPrincipalName, directory.PropAccountEnabled, "mail"}, link)
		if err != nil {
			d.miss(ctx, f, "accounts", err)
			return
		}
		fresh, loop := progress.Add("the tenant's accounts", page.IDs(), page.Next)
		for _, i := range fresh {
			s.account(f, &page.Accounts[i])
		}
		if loop != nil {
			d.miss(ctx, f, "accounts", loop)
			return
		}
		if link = page.Next; link == "" {
			return
		}
	}
	f.People.More = true
}

func (s *seen) account(f *Facts, a *directory.Account) {
	upn := a.UserPrincipalName()
	if who, ours := s.byAccount[directory.AccountID(strings.ToLower(string(a.ID)))]; ours {
		if a.OnPremisesSync {
			f.People.Synced = append(f.People.Synced, who)
		}
		return
	}
	name := directory.FoldAddress(upn)
	if who, matches := s.byAddress[name]; matches {
		delete(s.byAddress, name)
		delete(s.held, name)
		who.Detail = "account " + upn
		switch {
		case a.Guest():
			f.People.Guests = append(f.People.Guests, who)
		case a.External():
			f.People.External = append(f.People.External, who)
		case a.OnPremisesSync:
			f.People.Synced = append(f.People.Synced, who)
		case !a.Enabled():
			f.People.Blocked = append(f.People.Blocked, who)
		}
		return
	}
	addresses := []string{a.Properties["mail"].String()}
	for _, p := range a.ProxyAddresses {
		if kind, address, ok := strings.Cut(p, ":"); ok && strings.EqualFold(kind, "smtp") {
			addresses = append(addresses, address)
		}
	}
	for _, address := range addresses {
		if who, matches := s.byAddress[directory.FoldAddress(address)]; matches && address != "" {
			who.Detail = "the account " + upn + " has " + address
			s.held[directory.FoldAddress(address)] = who
		}
	}
}

// clashes tells of the addresses that only another account has: accounts are
// listed in any order, and a user's own may come behind it.
func (s *seen) clashes(f *Facts) {
	for _, address := range slices.Sorted(maps.Keys(s.held)) {
		f.People.Clashes = append(f.People.Clashes, s.held[address])
		delete(s.byAddress, address)
	}
}

// holders looks for the addresses of those without an account among groups and
// deleted users, as far as there are few.
func (d *Doctor) holders(ctx context.Context, f *Facts, t Tenant, s *seen) {
	if f.Unread["accounts"] != "" || len(s.byAddress) == 0 {
		return
	}
	addresses := make([]string, 0, len(s.byAddress))
	for a := range s.byAddress {
		addresses = append(addresses, a)
	}
	slices.Sort(addresses)
	if len(addresses) > mostHolders {
		f.Unread["some holders of addresses"] = fmt.Sprintf("%d users have no account yet; the addresses of %d were looked for among groups and deleted users", len(addresses), mostHolders)
		addresses = addresses[:mostHolders]
	}
	h, err := t.Holders(ctx, addresses)
	if err != nil {
		d.miss(ctx, f, "holders of addresses", err)
		return
	}
	for _, kind := range h.LeftOut {
		f.Unread["holders of addresses"] = string(kind) + "s could not be searched; the permission to read groups is asked for when the connection is authorised again, unless protectGroups is false"
	}
	for _, one := range h.Found {
		who, ours := s.byAddress[directory.FoldAddress(one.Address)]
		if !ours || one.Kind == directory.HolderUser && one.Property == directory.PropUserPrincipalName {
			continue
		}
		who.Detail = "the " + strings.ReplaceAll(string(one.Kind), "-", " ") + " " + one.Name + " has " + one.Address
		f.People.Clashes = append(f.People.Clashes, who)
	}
}
