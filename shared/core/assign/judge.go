package assign

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"bindery/shared/core/mapping"
	"bindery/shared/directory"
)

// Judge gives accounts of one tenant their verdicts.
type Judge struct {
	candidates *Candidates
	users      userFinder
	owners     accountOwners
	conn       *directory.Connection
	tenant     Tenant
	selected   []string
	reverse    map[string][]string // their domain → ours that map to it
	mapper     *mapping.Mapper
}

// Judge opens a connection's tenant. It is for one request, or a slice of a job.
func (s *Candidates) Judge(ctx context.Context, c *directory.Connection) (*Judge, error) {
	tenant, err := s.open(ctx, c)
	if err != nil {
		return nil, err
	}
	j := &Judge{
		candidates: s, users: s.users, owners: s.owners, conn: c, tenant: tenant,
		reverse: map[string][]string{}, mapper: mapping.New(c.Settings, c.Tenant.Domains),
	}
	j.selected = []string{
		directory.PropUserPrincipalName, directory.PropMail, directory.PropDisplayName, directory.PropGivenName,
		directory.PropSurname, directory.PropAccountEnabled, directory.PropEmployeeID,
	}
	for _, name := range slices.Concat(c.Settings.Import.Attributes, j.mapper.Managed()) {
		if !slices.Contains(j.selected, name) {
			j.selected = append(j.selected, name)
		}
	}
	slices.Sort(j.selected)
	for ours, theirs := range c.Settings.DomainMap {
		key := directory.FoldDomain(theirs)
		j.reverse[key] = append(j.reverse[key], directory.FoldDomain(ours))
	}
	for _, list := range j.reverse {
		slices.Sort(list)
	}
	return j, nil
}

// Page reads the page of the tenant's accounts that a link leads to; "" is the first.
func (j *Judge) Page(ctx context.Context, link string) (directory.AccountPage, error) {
	return j.tenant.List(ctx, j.selected, link)
}

// Lookup reads accounts by their IDs or userPrincipalNames, in their order.
func (j *Judge) Lookup(ctx context.Context, refs []string) ([]directory.Found, error) {
	return j.tenant.Lookup(ctx, refs, j.selected)
}

// directoryMatches is what the directory knows of accounts.
type directoryMatches struct {
	bound    map[directory.AccountID]directory.UserID // through this connection
	byEmail  map[string]directory.UserID
	imported map[directory.AccountID]directory.User
	holders  map[string]bool // of directory roles, by folded ID
}

// Accounts gives each account its verdict. Bound comes first, then what excludes,
// then the address.
func (j *Judge) Accounts(ctx context.Context, accounts []directory.Account) ([]Candidate, error) {
	known, err := j.findMatches(ctx, accounts)
	if err != nil {
		return nil, err
	}
	list := make([]Candidate, len(accounts))
	for i := range accounts {
		list[i] = newCandidate(&accounts[i])
		j.judge(&list[i], &accounts[i], known)
	}
	return list, nil
}

func (j *Judge) findMatches(ctx context.Context, accounts []directory.Account) (*directoryMatches, error) {
	ids := make([]directory.AccountID, len(accounts))
	var addresses []string
	for i := range accounts {
		ids[i] = accounts[i].ID
		addresses = append(addresses, j.addresses(&accounts[i])...)
	}
	bound, err := j.owners.AccountOwners(ctx, j.conn, ids)
	if err != nil {
		return nil, err
	}
	byEmail, err := j.users.UserIDsByEmail(ctx, addresses)
	if err != nil {
		return nil, err
	}
	imported, err := j.users.ImportedUsers(ctx, j.conn.TenantID(), ids)
	if err != nil {
		return nil, err
	}
	holders, err := j.candidates.roleHolders(ctx, j.conn, j.tenant)
	if err != nil {
		return nil, err
	}
	return &directoryMatches{bound: bound, byEmail: byEmail, imported: imported, holders: holders}, nil
}

// Users says who of the directory some accounts are, by the matching of an import: who is
// bound to one through this connection, was imported from it or, unless it is a guest's or
// an external member's, has its address.
func (j *Judge) Users(ctx context.Context, accounts []directory.Account) (map[directory.AccountID]directory.UserID, error) {
	known, err := j.findMatches(ctx, accounts)
	if err != nil {
		return nil, err
	}
	users := map[directory.AccountID]directory.UserID{}
	for i := range accounts {
		a := &accounts[i]
		var c Candidate
		if user, bound := known.bound[a.ID]; bound {
			c.UserID = user
		} else if !a.External() && !a.Guest() {
			j.inDirectory(&c, a, known)
		}
		if c.UserID != "" {
			users[a.ID] = c.UserID
		}
	}
	return users, nil
}

// judge gives one account its verdict.
func (j *Judge) judge(c *Candidate, a *directory.Account, known *directoryMatches) {
	if user, ok := known.bound[a.ID]; ok {
		c.Verdict = VerdictBound
		c.UserID = user
		return
	}
	if a.External() && !a.Guest() {
		c.Verdict = VerdictExternal
		c.Reason = directory.CodeExternalMember
		c.Detail = "The account is that of an external member: its person signs in at another tenant or provider. It is not imported and never written."
		return
	}
	email := ""
	if !a.Guest() {
		email = j.inDirectory(c, a, known)
	}
	if c.Reason, c.Detail = j.excluded(a, known.holders, &c.Profile); c.Reason != "" {
		c.Verdict = VerdictExcluded
		return
	}
	if c.Verdict == VerdictNew {
		c.Warnings = j.warnings(a)
	}
	j.name(c, cmp.Or(email, c.Profile.Email))
}

// inDirectory finds the user of an account, and returns the user's address; "" when
// there is no such user.
func (j *Judge) inDirectory(c *Candidate, a *directory.Account, known *directoryMatches) string {
	if u, ok := known.imported[a.ID]; ok {
		c.Verdict = VerdictInDirectory
		c.UserID = u.ID
		return u.Email // whatever its address is by now
	}
	for _, address := range j.addresses(a) {
		if id, ok := known.byEmail[address]; ok {
			c.Verdict = VerdictInDirectory
			c.UserID = id
			return address
		}
	}
	return ""
}

// addresses lists the e-mail addresses by which a user would be this
// account's, the likeliest first.
func (j *Judge) addresses(a *directory.Account) []string {
	var list []string
	if mail := directory.FoldAddress(a.Properties[directory.PropMail].String()); mail != "" {
		list = append(list, mail)
	}
	upn := directory.FoldAddress(a.UserPrincipalName())
	if upn == "" {
		return list
	}
	list = append(list, upn)
	at := strings.LastIndexByte(upn, '@')
	if at > 0 {
		for _, ours := range j.reverse[upn[at+1:]] {
			list = append(list, upn[:at+1]+ours)
		}
	}
	return list
}

// name says what the account will be called once a user with this address is
// bound to it.
func (j *Judge) name(c *Candidate, email string) {
	c.BoundAs = c.UserPrincipalName
	address, p := j.mapper.Address(&directory.User{Profile: directory.Profile{Email: email}})
	switch {
	case p != nil:
		c.BoundAs = ""
		c.Detail = "Its user cannot be bound: " + p.Advice()
	case directory.FoldAddress(address) == directory.FoldAddress(c.UserPrincipalName):
	case j.conn.Settings.AdoptedUserPrincipalName == directory.AdoptedNameEmail:
		c.BoundAs = address
		c.Detail = "Binding the user renames the account to " + address + ": adoptedUserPrincipalName is email."
	default:
		c.Detail = "The account keeps its userPrincipalName when the user is bound, although the user's address makes it " + address + ": adoptedUserPrincipalName is keep."
	}
}

// excluded says why an account is not for import, or fills in its profile.
func (j *Judge) excluded(a *directory.Account, holders map[string]bool, into *directory.Profile) (reason, detail string) {
	if a.Guest() {
		return "guest", "The account is a guest of the tenant, by its userType."
	}
	if why, yes := protected(j.conn, holders, a); yes {
		return "protected", "The account is protected: " + why + "."
	}
	if a.OnPremisesSync {
		return directory.CodeSyncedOnPremises, "The account is synced from an Active Directory on premises and is changed there only."
	}
	if !a.Enabled() {
		return "blocked", "The account is blocked from signing in, as those of shared mailboxes, rooms and equipment are."
	}
	p, problem := mapping.Profile(a, j.conn.Settings.Import.Attributes)
	if problem != nil {
		return problem.Code, problem.Advice()
	}
	*into = p
	return "", ""
}

// warnings says what of an account's values an import would change.
func (j *Judge) warnings(a *directory.Account) []directory.Warning {
	var list []directory.Warning
	for _, name := range j.selected {
		v := a.Properties[name]
		address := name == directory.PropMail || name == directory.PropUserPrincipalName || name == directory.PropOtherMails
		texts, ok := v.List()
		if !ok {
			texts = []string{v.String()}
		}
		for _, text := range texts {
			list = append(list, directory.FormNotes(name, text, address)...)
		}
	}
	return list
}

// protected says whether an account must never be written to, and why.
func protected(c *directory.Connection, holders map[string]bool, a *directory.Account) (string, bool) {
	if holders[strings.ToLower(string(a.ID))] {
		return "it holds a directory role", true
	}
	if c.AuthorizedBy != nil && strings.EqualFold(string(a.ID), string(c.AuthorizedBy.ObjectID)) {
		return "it authorised this connection", true
	}
	for _, p := range c.Settings.Protected {
		p = strings.TrimSpace(p)
		if p == "" {
			continue
		}
		if strings.EqualFold(p, string(a.ID)) || directory.FoldAddress(p) == directory.FoldAddress(a.UserPrincipalName()) {
			return "the settings name it", true
		}
	}
	return "", false
}
