package control

import (
	"io"
	"net/http"
	"strconv"
	"strings"

	"bindery/shared/entra/entratest/portal"
	"bindery/shared/entra/entratest/state"
)

// account resolves tenant and account of a path; the account must exist.
func (a *API) account(r *http.Request) (tenantID string, account map[string]any, err error) {
	tenantID, err = a.tenant(r)
	if err != nil {
		return "", nil, err
	}
	account, ok := a.on.Portal.Account(tenantID, r.PathValue("account"))
	if !ok {
		return "", nil, missing("there is no account %s in this tenant", r.PathValue("account"))
	}
	return tenantID, account, nil
}

// edit resolves the account of a path, has it changed, and answers with what became
// of it. change gets the account by the name in the path.
func (a *API) edit(r *http.Request, body any, change func(tenantID, account string) error) (int, any, error) {
	tenantID, before, err := a.account(r)
	if err != nil {
		return 0, nil, err
	}
	if err := read(r, body); err != nil {
		return 0, nil, err
	}
	if err := change(tenantID, r.PathValue("account")); err != nil {
		return 0, nil, err
	}
	return a.show(http.StatusOK, tenantID, state.Text(before["id"])) // the userPrincipalName may be another now
}

// show answers with an account.
func (a *API) show(status int, tenantID, id string) (int, any, error) {
	account, _ := a.on.Portal.Account(tenantID, id)
	return status, account, nil
}

func (a *API) listAccounts(r *http.Request) (int, any, error) {
	tenantID, err := a.tenant(r)
	if err != nil {
		return 0, nil, err
	}
	limit := 100
	if text := r.URL.Query().Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 {
			return 0, nil, bad("limit must be a number from 1 on, not %q", text)
		}
	}
	ids, more := a.on.Portal.AccountIDs(tenantID, strings.ToLower(r.URL.Query().Get("after")), limit)
	list := []map[string]any{}
	for _, id := range ids {
		if account, ok := a.on.Portal.Account(tenantID, id); ok {
			list = append(list, account)
		}
	}
	out := map[string]any{"accounts": list}
	if more {
		out["next"] = ids[len(ids)-1]
	}
	return http.StatusOK, out, nil
}

func (a *API) getAccount(r *http.Request) (int, any, error) {
	_, account, err := a.account(r)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, account, nil
}

func (a *API) addAccount(r *http.Request) (int, any, error) {
	tenantID, err := a.tenant(r)
	if err != nil {
		return 0, nil, err
	}
	var given map[string]any
	if err := read(r, &given); err != nil {
		return 0, nil, err
	}
	id, err := a.on.Portal.AddAccount(tenantID, given)
	if err != nil {
		return 0, nil, err
	}
	return a.show(http.StatusCreated, tenantID, id)
}

func (a *API) patchAccount(r *http.Request) (int, any, error) {
	var given map[string]any
	return a.edit(r, &given, func(tenantID, account string) error {
		return a.on.Portal.EditAccount(tenantID, account, given)
	})
}

func (a *API) deleteAccount(r *http.Request) (int, any, error) {
	tenantID, _, err := a.account(r)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, a.on.Portal.DeleteAccount(tenantID, r.PathValue("account"))
}

func (a *API) addExternal(r *http.Request) (int, any, error) {
	tenantID, err := a.tenant(r)
	if err != nil {
		return 0, nil, err
	}
	var spec portal.ExternalSpec
	if err := read(r, &spec); err != nil {
		return 0, nil, err
	}
	id, err := a.on.Portal.AddExternal(tenantID, spec)
	if err != nil {
		return 0, nil, err
	}
	return a.show(http.StatusCreated, tenantID, id)
}

func (a *API) invite(r *http.Request) (int, any, error) {
	var in struct {
		Mail string `json:"mail"`
	}
	return a.edit(r, &in, func(tenantID, account string) error {
		return a.on.Portal.InviteAccount(tenantID, account, in.Mail)
	})
}

func (a *API) convertToInternal(r *http.Request) (int, any, error) {
	var in struct {
		UserPrincipalName string `json:"userPrincipalName"`
	}
	return a.edit(r, &in, func(tenantID, account string) error {
		return a.on.Portal.ConvertToInternal(tenantID, account, in.UserPrincipalName)
	})
}

func (a *API) putRoles(r *http.Request) (int, any, error) {
	tenantID, _, err := a.account(r)
	if err != nil {
		return 0, nil, err
	}
	var in struct {
		Roles []string `json:"roles"`
	}
	if err := read(r, &in); err != nil {
		return 0, nil, err
	}
	if err := a.on.Portal.SetRoles(tenantID, r.PathValue("account"), in.Roles...); err != nil {
		return 0, nil, err
	}
	return a.getTenant(r)
}

// maxPhoto bounds the file that a photo is set to.
const maxPhoto = 4 << 20

func (a *API) putPhoto(r *http.Request) (int, any, error) {
	tenantID, _, err := a.account(r)
	if err != nil {
		return 0, nil, err
	}
	data, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxPhoto))
	if err != nil || len(data) == 0 {
		return 0, nil, bad("the body must be the file, of at most 4 MB")
	}
	return http.StatusNoContent, nil, a.on.Portal.SetPhoto(tenantID, r.PathValue("account"), data)
}

func (a *API) deletePhoto(r *http.Request) (int, any, error) {
	tenantID, _, err := a.account(r)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, a.on.Portal.SetPhoto(tenantID, r.PathValue("account"), nil)
}

func (a *API) putManager(r *http.Request) (int, any, error) {
	return a.setManager(r, r.PathValue("manager"))
}

func (a *API) deleteManager(r *http.Request) (int, any, error) { return a.setManager(r, "") }

// setManager makes the account of a path somebody's manager, or nobody.
func (a *API) setManager(r *http.Request, manager string) (int, any, error) {
	tenantID, _, err := a.account(r)
	if err != nil {
		return 0, nil, err
	}
	if err := a.on.Portal.SetManager(tenantID, actor(r), r.PathValue("account"), manager); err != nil {
		return 0, nil, err
	}
	return a.getAccount(r)
}
