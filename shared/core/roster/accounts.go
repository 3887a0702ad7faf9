package roster

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"bindery/shared/core/mapping"
	"bindery/shared/core/recall"
	"bindery/shared/directory"
)

// Verdict says what an import would do with an account.
type Verdict string

// The verdicts.
const (
	VerdictNew         Verdict = "new"
	VerdictInDirectory Verdict = "in-directory" // a user was imported from it, or has its address
	VerdictBound       Verdict = "bound"        // through this connection
	VerdictExternal    Verdict = "external"     // its person signs in at another tenant or provider
	VerdictExcluded    Verdict = "excluded"     // Reason says why
)

// Candidate is an account of a tenant with its verdict.
type Candidate struct {
	ID                directory.AccountID `json:"id"`
	UserPrincipalName string              `json:"userPrincipalName"`
	Mail              string              `json:"mail,omitempty"`
	DisplayName       string              `json:"displayName,omitempty"`
	GivenName         string              `json:"givenName,omitempty"`
	Surname           string              `json:"surname,omitempty"`
	Enabled           bool                `json:"enabled"`
	Verdict           Verdict             `json:"verdict"`
	// Reason of an exclusion: external-member, guest, synced-on-premises, protected, blocked,
	// no-last-name or no-address; of an account in the directory adopt-other-employee.
	// Detail is the same as a sentence.
	Reason string `json:"reason,omitempty"`
	Detail string `json:"detail,omitempty"`
	// UserID is the user that is bound to the account, was imported from it or has
	// its address.
	UserID directory.UserID `json:"userId,omitempty"`
	// Warnings are what of the account's values would be changed on their way into
	// the directory, by Graph's names.
	Warnings []directory.Warning `json:"warnings,omitempty"`
	// Writes is what the first sync would write to the account if its user were
	// bound as it is, or as the import makes it.
	Writes []directory.PropertyChange `json:"writes,omitempty"`
	// BoundAs is the userPrincipalName that the account has once the user is
	// bound: another one than now when the binding renames it. It is empty for an
	// account that is bound or cannot be.
	BoundAs string `json:"boundAs,omitempty"`

	profile  directory.Profile
	employee directory.Value // the account's employeeId
}

// AccountFilter chooses accounts; the zero filter chooses all.
type AccountFilter struct {
	Text  string // a verdict, or a part of a name or address, case-folded
	Bound *bool
}

func (f *AccountFilter) keeps(c *Candidate) bool {
	if f.Bound != nil && *f.Bound != (c.Verdict == VerdictBound) {
		return false
	}
	switch v := Verdict(f.Text); v {
	case "":
		return true
	case VerdictNew, VerdictInDirectory, VerdictBound, VerdictExternal, VerdictExcluded:
		return c.Verdict == v
	}
	return contains(f.Text, string(c.ID), c.UserPrincipalName, c.Mail, c.DisplayName, c.GivenName+" "+c.Surname)
}

// accountPages is how many pages of the tenant one call looks at: an API call
// must end within 30 s.
const accountPages = 3

// accountCursor is a place in the listing of a tenant's accounts: a page, by
// the link that Microsoft gave, and how many of its accounts are dealt with.
type accountCursor struct {
	Link   string `json:"link,omitempty"`
	Offset int    `json:"offset,omitempty"`
	// Paging proves that the listing comes forward.
	Paging directory.Paging `json:"paging,omitzero"`
}

// next is the place behind a page that is dealt with, by the IDs of its accounts
// and its link onward. Its error says that the
// listing turns in a circle.
func (c *accountCursor) next(ids []string, link string) (accountCursor, error) {
	behind := accountCursor{Link: link, Paging: c.Paging}
	if _, err := behind.Paging.Add("the tenant's accounts", ids, link); err != nil {
		return behind, fmt.Errorf("%w: %w", directory.ErrUnavailable, err)
	}
	return behind, nil
}

// Accounts lists the accounts of a connection's tenant as they are now, each
// with its verdict. A page may hold fewer than limit and still have a next.
func (s *Service) Accounts(ctx context.Context, id directory.ConnectionID, f AccountFilter, cursor string, limit int) ([]Candidate, string, error) {
	at, err := parseAccountCursor(cursor)
	if err != nil {
		return nil, "", err
	}
	c, err := s.working(ctx, id)
	if err != nil {
		return nil, "", err
	}
	reader, err := s.Open(ctx, &c)
	if err != nil {
		return nil, "", err
	}
	return s.judge(&c, reader).list(ctx, f, at, limit)
}

// list fills a list from a place in the tenant's listing on.
func (j *judge) list(ctx context.Context, f AccountFilter, at accountCursor, limit int) ([]Candidate, string, error) {
	var list []Candidate
	for range accountPages {
		page, err := j.reader.List(ctx, j.selected, at.Link)
		if errors.Is(err, directory.ErrForeignLink) || errors.Is(err, directory.ErrResync) {
			return nil, "", badCursor()
		}
		if err != nil {
			return nil, "", err
		}
		for at.Offset < len(page.Accounts) && len(list) < limit {
			// Only as many as may fill the list are judged at a time.
			n := min(limit, len(page.Accounts)-at.Offset)
			accounts := page.Accounts[at.Offset : at.Offset+n]
			judged, err := j.judge(ctx, accounts)
			if err == nil {
				err = j.writes(ctx, judged, accounts)
			}
			if err != nil {
				return nil, "", err
			}
			for i := range judged {
				if len(list) == limit {
					break
				}
				at.Offset++
				if f.keeps(&judged[i]) {
					list = append(list, judged[i])
				}
			}
		}
		if at.Offset >= len(page.Accounts) {
			if page.Next == "" {
				return list, "", nil
			}
			if at, err = at.next(page.IDs(), page.Next); err != nil {
				return nil, "", err
			}
		}
		if len(list) >= limit {
			break
		}
	}
	return list, at.String(), nil
}

// String makes the cursor opaque.
func (c accountCursor) String() string {
	data, err := json.Marshal(c)
	if err != nil {
		return "" // a text and a number always marshal
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

// parseAccountCursor accepts only links to a further page of the list of
// users: the host is the adapter's to check, but with our tokens a caller must
// not be able to read anything else there.
func parseAccountCursor(s string) (accountCursor, error) {
	var c accountCursor
	if s == "" {
		return c, nil
	}
	data, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || json.Unmarshal(data, &c) != nil || c.Offset < 0 {
		return c, badCursor()
	}
	if c.Link == "" {
		return c, nil
	}
	u, err := url.Parse(c.Link)
	if err != nil || !strings.HasSuffix(u.Path, "/users") || strings.Contains(u.Path, "..") || u.User != nil || u.Fragment != "" {
		return c, badCursor()
	}
	for name := range u.Query() {
		if !slices.Contains([]string{"$select", "$top", "$skiptoken", "$count"}, strings.ToLower(name)) {
			return c, badCursor()
		}
	}
	return c, nil
}

func badCursor() error {
	return directory.Refuse(directory.ErrInvalid, "invalid-cursor", "The value of next was not given out by this API, or has expired.",
		"Start the listing without next.")
}

// judge gives accounts of one tenant their verdicts.
type judge struct {
	*Service
	conn     *directory.Connection
	reader   Tenant
	selected []string
	reverse  map[string][]string // their domain → ours that map to it
	mapper   *mapping.Mapper
}

func (s *Service) judge(c *directory.Connection, reader Tenant) *judge {
	j := &judge{Service: s, conn: c, reader: reader, reverse: map[string][]string{}, mapper: mapping.New(c.Settings, c.Tenant.Domains)}
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
	return j
}

// addresses lists the e-mail addresses by which a user would be this
// account's, the likeliest first.
func (j *judge) addresses(a *directory.Account) []string {
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

// judge gives each account its verdict. Bound comes first, then what excludes,
// then the address.
func (j *judge) judge(ctx context.Context, accounts []directory.Account) ([]Candidate, error) {
	ids := make([]directory.AccountID, len(accounts))
	var addresses []string
	for i := range accounts {
		ids[i] = accounts[i].ID
		addresses = append(addresses, j.addresses(&accounts[i])...)
	}
	bound, err := j.Store.AccountOwners(ctx, j.conn, ids)
	if err != nil {
		return nil, err
	}
	owners, err := j.Store.UserIDsByEmail(ctx, addresses)
	if err != nil {
		return nil, err
	}
	imported, err := j.Store.ImportedUsers(ctx, j.conn.TenantID(), ids)
	if err != nil {
		return nil, err
	}
	holders, err := j.roleHolders(ctx, j.conn, j.reader)
	if err != nil {
		return nil, err
	}
	list := make([]Candidate, len(accounts))
	for i := range accounts {
		a := &accounts[i]
		c := &list[i]
		*c = Candidate{
			ID: a.ID, UserPrincipalName: a.UserPrincipalName(), Mail: a.Properties[directory.PropMail].String(),
			DisplayName: a.Properties[directory.PropDisplayName].String(), GivenName: a.Properties[directory.PropGivenName].String(),
			Surname: a.Properties[directory.PropSurname].String(), Enabled: a.Enabled(), Verdict: VerdictNew,
			employee: a.Properties[directory.PropEmployeeID],
		}
		if user, ok := bound[a.ID]; ok {
			c.Verdict, c.UserID = VerdictBound, user
			continue
		}
		if a.External() && !a.Guest() {
			c.Verdict, c.Reason = VerdictExternal, "external-member"
			c.Detail = "The account is that of an external member: its person signs in at another tenant or provider. It is not imported and never written."
			continue
		}
		email := ""
		for _, address := range j.addresses(a) {
			if id, ok := owners[address]; ok && !a.Guest() {
				c.Verdict, c.UserID, email = VerdictInDirectory, id, address
				break
			}
		}
		if u, ok := imported[a.ID]; ok && !a.Guest() {
			c.Verdict, c.UserID, email = VerdictInDirectory, u.ID, u.Email // whatever its address is by now
		}
		if c.Reason, c.Detail = j.excluded(a, holders, &c.profile); c.Reason != "" {
			c.Verdict = VerdictExcluded
			continue
		}
		if c.Verdict == VerdictNew {
			c.Warnings = j.warnings(a)
		}
		j.name(c, cmp.Or(email, c.profile.Email))
	}
	return list, nil
}

// name says what the account will be called once a user with this address is
// bound to it.
func (j *judge) name(c *Candidate, email string) {
	c.BoundAs = c.UserPrincipalName
	address, p := j.mapper.Address(&directory.User{Profile: directory.Profile{Email: email}})
	switch {
	case p != nil:
		c.BoundAs, c.Detail = "", "Its user cannot be bound: "+sentence(p)
	case directory.FoldAddress(address) == directory.FoldAddress(c.UserPrincipalName):
	case j.conn.Settings.AdoptedUserPrincipalName == directory.AdoptedNameEmail:
		c.BoundAs = address
		c.Detail = "Binding the user renames the account to " + address + ": adoptedUserPrincipalName is email."
	default:
		c.Detail = "The account keeps its userPrincipalName when the user is bound, although the user's address makes it " + address + ": adoptedUserPrincipalName is keep."
	}
}

// excluded says why an account is not for import, or fills in its profile.
func (j *judge) excluded(a *directory.Account, holders map[string]bool, into *directory.Profile) (reason, detail string) {
	if a.Guest() {
		return "guest", "The account is a guest of the tenant, by its userType."
	}
	if why, yes := protected(j.conn, holders, a); yes {
		return "protected", "The account is protected: " + why + "."
	}
	if a.OnPremisesSync {
		return "synced-on-premises", "The account is synced from an Active Directory on premises and is changed there only."
	}
	if !a.Enabled() {
		return "blocked", "The account is blocked from signing in, as those of shared mailboxes, rooms and equipment are."
	}
	p, problem := mapping.Profile(a, j.conn.Settings.Import.Attributes)
	if problem != nil {
		return problem.Code, sentence(problem)
	}
	*into = p
	return "", ""
}

// warnings says what of an account's values an import would change.
func (j *judge) warnings(a *directory.Account) []directory.Warning {
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
	switch {
	case holders[strings.ToLower(string(a.ID))]:
		return "it holds a directory role", true
	case c.AuthorizedBy != nil && strings.EqualFold(string(a.ID), string(c.AuthorizedBy.ObjectID)):
		return "it authorised this connection", true
	}
	for _, p := range c.Settings.Protected {
		if p = strings.TrimSpace(p); p != "" && (strings.EqualFold(p, string(a.ID)) || directory.FoldAddress(p) == directory.FoldAddress(a.UserPrincipalName())) {
			return "the settings name it", true
		}
	}
	return "", false
}

// remembered is who holds a role in the tenant of which connection.
func (s *Service) remembered() *recall.Memory[directory.ConnectionID, map[string]bool] {
	s.once.Do(func() { s.holders.For, s.holders.Now = directory.RolesLife, s.now })
	return &s.holders
}

// roleHolders returns the accounts that hold a directory role, by folded ID.
func (s *Service) roleHolders(ctx context.Context, c *directory.Connection, reader Tenant) (map[string]bool, error) {
	return s.remembered().Get(ctx, c.ID, c.Authorization(), func(ctx context.Context) (map[string]bool, error) {
		list, err := reader.RoleHolders(ctx)
		if err != nil {
			return nil, fmt.Errorf("role holders: %w", err)
		}
		ids := make(map[string]bool, len(list.Holders))
		for _, id := range list.Holders {
			ids[strings.ToLower(string(id))] = true
		}
		return ids, nil
	})
}
