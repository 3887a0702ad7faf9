package assign

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"bindery/shared/core/recall"
	"bindery/shared/directory"
)

// Tenant reads the accounts of one tenant. A list of properties names flat
// ones; id, userType, onPremisesSyncEnabled and mail come in any case.
type Tenant interface {
	List(ctx context.Context, selected []string, link string) (directory.AccountPage, error)
	Lookup(ctx context.Context, refs []string, selected []string) ([]directory.Found, error)
	RoleHolders(ctx context.Context) (directory.Privileged, error)
}

// OpenTenant returns the reader of a connection's tenant.
type OpenTenant func(ctx context.Context, c *directory.Connection) (Tenant, error)

// CandidatesConfig is what Candidates stand on.
type CandidatesConfig struct {
	Stores Stores
	Open   OpenTenant
	Now    func() time.Time // nil means time.Now
}

// Candidates gives the accounts of tenants their verdicts. It may be used by many
// goroutines.
type Candidates struct {
	connections connections
	users       userFinder
	owners      accountOwners
	open        OpenTenant
	// holders is who holds a role in the tenant of which connection, by folded ID.
	holders recall.Memory[directory.ConnectionID, map[string]bool]
}

// NewCandidates returns Candidates.
func NewCandidates(cfg CandidatesConfig) *Candidates {
	return &Candidates{
		connections: cfg.Stores.Connections, users: cfg.Stores.Users, owners: cfg.Stores.Owners, open: cfg.Open,
		holders: recall.Memory[directory.ConnectionID, map[string]bool]{For: directory.RolesLife, Now: orNow(cfg.Now)},
	}
}

// accountPages is how many pages of the tenant one call looks at: an API call
// must end within 30 s.
const accountPages = 3

// List lists the accounts of a connection's tenant as they are now, each
// with its verdict. A page may hold fewer than limit and still have a next.
func (s *Candidates) List(ctx context.Context, id directory.ConnectionID, f AccountFilter, cursor string, limit int) ([]Candidate, string, error) {
	at, err := parseAccountPlace(cursor)
	if err != nil {
		return nil, "", err
	}
	c, err := Working(ctx, s.connections, id)
	if err != nil {
		return nil, "", err
	}
	j, err := s.Judge(ctx, &c)
	if err != nil {
		return nil, "", err
	}
	var list []Candidate
	for range accountPages {
		page, err := j.Page(ctx, at.Link)
		if errors.Is(err, directory.ErrForeignLink) || errors.Is(err, directory.ErrResync) {
			return nil, "", BadCursor()
		}
		if err != nil {
			return nil, "", err
		}
		if err := j.fill(ctx, &list, page.Accounts, f, &at, limit); err != nil {
			return nil, "", err
		}
		if at.Offset >= len(page.Accounts) {
			if page.Next == "" {
				return list, "", nil
			}
			if at, err = at.Next(Accounts, page.IDs(), page.Next); err != nil {
				return nil, "", err
			}
		}
		if len(list) >= limit {
			break
		}
	}
	return list, at.String(), nil
}

// mostNamed is how many accounts one call names: they are read one by one, in batches.
const mostNamed = 100

// objectIDLength is how long an ID of Microsoft's is; what settings name may be anything.
const objectIDLength = 36

// Names tells the userPrincipalNames of accounts of a connection's tenant, by folded ID: of the
// first of them, as far as the tenant tells. An account that is not there has none.
func (s *Candidates) Names(ctx context.Context, c *directory.Connection, ids []directory.AccountID) (map[directory.AccountID]string, error) {
	var refs []string
	for _, id := range ids {
		if len(refs) < mostNamed && len(id) == objectIDLength {
			refs = append(refs, string(id))
		}
	}
	if len(refs) == 0 {
		return nil, nil
	}
	tenant, err := s.open(ctx, c)
	if err != nil {
		return nil, err
	}
	found, err := tenant.Lookup(ctx, refs, []string{directory.PropUserPrincipalName})
	if err != nil {
		return nil, err
	}
	names := map[directory.AccountID]string{}
	for i := range found {
		if a := found[i].Account; a != nil {
			names[directory.AccountID(strings.ToLower(string(a.ID)))] = a.UserPrincipalName()
		}
	}
	return names, nil
}

// fill adds accounts of a page, from a place on, to a list of at most limit, and
// moves the place on.
func (j *Judge) fill(ctx context.Context, list *[]Candidate, accounts []directory.Account, f AccountFilter, at *ListPlace, limit int) error {
	for at.Offset < len(accounts) && len(*list) < limit {
		// Only as many as may fill the list are judged at a time.
		n := min(limit, len(accounts)-at.Offset)
		part := accounts[at.Offset : at.Offset+n]
		judged, err := j.Accounts(ctx, part)
		if err != nil {
			return err
		}
		if err := j.writes(ctx, judged, part); err != nil {
			return err
		}
		for i := range judged {
			if len(*list) == limit {
				break
			}
			at.Offset++
			if f.keeps(&judged[i]) {
				*list = append(*list, judged[i])
			}
		}
	}
	return nil
}

// roleHolders returns the accounts that hold a directory role, by folded ID.
func (s *Candidates) roleHolders(ctx context.Context, c *directory.Connection, tenant Tenant) (map[string]bool, error) {
	return s.holders.Get(ctx, c.ID, c.Authorization(), func(ctx context.Context) (map[string]bool, error) {
		list, err := tenant.RoleHolders(ctx)
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
