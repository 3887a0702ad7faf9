package entra

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"bindery/shared/directory"
)

// managerSelect is what is read of accounts and their managers. Asked for by itself, a
// manager who is not there would have the answer of an account that is not there.
const managerSelect = "$select=id&$expand=manager($select=id)"

// Managers reads the managers of accounts directly and answers each in its place: ""
// when there is none. An answer without a value says that there is no such account.
func (t *Tenant) Managers(ctx context.Context, ids []directory.AccountID) ([]directory.Read[directory.AccountID], error) {
	decode := func(body []byte) (directory.AccountID, error) {
		m, err := decodeManager(body)
		return m.ManagerID, err
	}
	return readEach(ctx, t, ids, decode, func(id directory.AccountID) (string, bool) {
		return "/users/" + url.PathEscape(string(id)) + "?" + managerSelect, validID(string(id))
	})
}

// ListManagers reads one page of the tenant's accounts with their managers; link is the
// page's Next, or "" for the first one. Errors as those of List.
func (t *Tenant) ListManagers(ctx context.Context, link string) (directory.ManagerPage, error) {
	p, err := readPage(ctx, t, "/users?$top="+pageSize+"&"+managerSelect, link, decodeManager)
	return directory.ManagerPage{Managers: p.items, Next: p.next}, err
}

func decodeManager(body []byte) (directory.AccountManager, error) {
	var a struct {
		ID      string               `json:"id"`
		Manager *struct{ ID string } `json:"manager"`
	}
	if json.Unmarshal(body, &a) != nil || !validID(a.ID) || a.Manager != nil && !validID(a.Manager.ID) {
		return directory.AccountManager{}, fmt.Errorf("%w: an account with its manager", errJSON)
	}
	out := directory.AccountManager{AccountID: directory.AccountID(a.ID)}
	if a.Manager != nil {
		out.ManagerID = directory.AccountID(a.Manager.ID)
	}
	return out, nil
}
