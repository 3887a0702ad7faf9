package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"bindery/shared/entra/entratest/faults"
	"bindery/shared/entra/entratest/graph"
	"bindery/shared/entra/entratest/identity"
	"bindery/shared/entra/entratest/portal"
	"bindery/shared/entra/entratest/state"
)

// maxBody bounds a body of the control API; a tenant of 100,000 accounts
// given one by one fits.
const maxBody = 256 << 20

// refusal is a refusal of the control API.
type refusal struct {
	status int
	code   string
	detail string
}

func (e *refusal) Error() string { return e.code + ": " + e.detail }

func bad(format string, args ...any) error {
	return &refusal{http.StatusBadRequest, "bad-request", fmt.Sprintf(format, args...)}
}

func missing(format string, args ...any) error {
	return &refusal{http.StatusNotFound, "not-found", fmt.Sprintf(format, args...)}
}

// Config is what the control API works on.
type Config struct {
	State    *state.Store
	Faults   *faults.Set
	Portal   *portal.Portal
	Identity *identity.Platform
	Graph    *graph.Service
}

// API is the control API.
type API struct{ on Config }

// New makes the control API.
func New(c Config) *API { return &API{c} }

// route is one operation. do returns what to answer; a nil body answers without one.
type route struct {
	method, path, does string
	do                 func(a *API, r *http.Request) (status int, body any, err error)
}

// routes is the whole control API but the list of it, which GET /_control prints.
var routes = []route{
	{"POST", "/_control/tenants", "create a tenant: {tenantId?, name, domains, accounts, count, seed, admins, licences, groups}", (*API).createTenant},
	{"GET", "/_control/tenants", "all tenants", (*API).listTenants},
	{"GET", "/_control/tenants/{id}", "one tenant", (*API).getTenant},
	{"GET", "/_control/tenants/{id}/accounts", "accounts, raw; ?limit= (default 100), ?after= an id", (*API).listAccounts},
	{"POST", "/_control/tenants/{id}/accounts", "add an account as somebody in the portal", (*API).addAccount},
	{"GET", "/_control/tenants/{id}/accounts/{account}", "one account by id or userPrincipalName, raw and without lag", (*API).getAccount},
	{"PATCH", "/_control/tenants/{id}/accounts/{account}", "edit an account as somebody in the portal", (*API).patchAccount},
	{"DELETE", "/_control/tenants/{id}/accounts/{account}", "delete an account as somebody in the portal", (*API).deleteAccount},
	{"POST", "/_control/tenants/{id}/external-accounts", "give somebody from outside an account: {mail, userType, externalUserState, issuer, displayName, givenName, surname}", (*API).addExternal},
	{"POST", "/_control/tenants/{id}/accounts/{account}/invite", "turn an account into an external one: {mail} at home", (*API).invite},
	{"POST", "/_control/tenants/{id}/accounts/{account}/convert-to-internal", "turn an external account into a member of the tenant: {userPrincipalName}", (*API).convertToInternal},
	{"PUT", "/_control/tenants/{id}/accounts/{account}/manager/{manager}", "make an account the manager of another one; ?actor=", (*API).putManager},
	{"DELETE", "/_control/tenants/{id}/accounts/{account}/manager", "take the manager from an account; ?actor=", (*API).deleteManager},
	{"PUT", "/_control/tenants/{id}/accounts/{account}/photo", "set the photo: the file is the body, unchecked", (*API).putPhoto},
	{"DELETE", "/_control/tenants/{id}/accounts/{account}/photo", "remove the photo", (*API).deletePhoto},
	{"GET", "/_control/tenants/{id}/groups", "groups with the ids of their members and owners, raw", (*API).listGroups},
	{"POST", "/_control/tenants/{id}/groups", "add a group as somebody in the portal: {kind, displayName, mailNickname, members, owners, properties}; ?actor= an account", (*API).addGroup},
	{"GET", "/_control/tenants/{id}/groups/{group}", "one group by id or displayName, raw and without lag", (*API).getGroup},
	{"PATCH", "/_control/tenants/{id}/groups/{group}", "edit a group, also into a dynamic, synced or role-assignable one; ?actor=", (*API).patchGroup},
	{"DELETE", "/_control/tenants/{id}/groups/{group}", "delete a group; ?actor=", (*API).deleteGroup},
	{"PUT", "/_control/tenants/{id}/groups/{group}/members/{account}", "put an account or a group into a group; ?actor=", (*API).putMember},
	{"DELETE", "/_control/tenants/{id}/groups/{group}/members/{account}", "take one out of a group; ?actor=", (*API).deleteMember},
	{"PUT", "/_control/tenants/{id}/groups/{group}/owners/{account}", "make an account an owner of a group; ?actor=", (*API).putOwner},
	{"DELETE", "/_control/tenants/{id}/groups/{group}/owners/{account}", "take ownership from an account; ?actor=", (*API).deleteOwner},
	{"PUT", "/_control/tenants/{id}/group-settings", "set what is demanded of Microsoft 365 groups: {settings: {name: value}, lifetime: days}", (*API).putGroupSettings},
	{"PUT", "/_control/tenants/{id}/domains/{domain}", "add a domain, or change its state: {isVerified, authenticationType, isDefault, federationConfiguration}", (*API).putDomain},
	{"DELETE", "/_control/tenants/{id}/domains/{domain}", "remove a domain; its accounts are named in the initial one", (*API).deleteDomain},
	{"GET", "/_control/tenants/{id}/licences", "subscriptions, their seats and how many are taken", (*API).listLicences},
	{"PUT", "/_control/tenants/{id}/licences/{sku}", "buy a subscription by id or part number, or change its seats: {enabled, warning, suspended, lockedOut, appliesTo, servicePlans}", (*API).putLicence},
	{"POST", "/_control/tenants/{id}/licences/{sku}/expire", "the next step of its end: grace, suspended, gone", (*API).expireLicence},
	{"POST", "/_control/tenants/{id}/licence-assignments", "give and take licences as an admin of the tenant: {actor, to: user or group, addLicenses, removeLicenses}", (*API).assignLicences},
	{"PUT", "/_control/tenants/{id}/licence-service", "how licences are worked on: {processingSeconds, busySeconds, takenAddresses}", (*API).putLicenceService},
	{"PUT", "/_control/tenants/{id}/admins/{account}/roles", "set directory roles: {roles: [name or template id]}", (*API).putRoles},
	{"GET", "/_control/tenants/{id}/mutations", "every change of state, once each", (*API).listMutations},
	{"GET", "/_control/tenants/{id}/grants", "delegated grants", (*API).listGrants},
	{"POST", "/_control/tenants/{id}/grants", "grant: {clientId, scope, userId?}; without userId for the whole organization", (*API).postGrant},
	{"DELETE", "/_control/tenants/{id}/grants", "remove grants of ?clientId=", (*API).deleteGrants},
	{"GET", "/_control/apps", "registered applications, without secrets", (*API).listApps},
	{"POST", "/_control/apps", "register an application: {clientId, clientSecret, redirectUris, name, …}", (*API).postApp},
	{"GET", "/_control/clock", "the simulator's time", (*API).getClock},
	{"POST", "/_control/clock", `advance it: {"advance": "72h"}`, (*API).postClock},
	{"GET", "/_control/faults", "faults that are set", (*API).listFaults},
	{"POST", "/_control/faults", "set a fault", (*API).postFault},
	{"DELETE", "/_control/faults", "clear all faults", (*API).deleteFaults},
	{"POST", "/_control/keys", `sign with a new key: {"retire": true} drops the old ones at once`, (*API).postKeys},
	{"GET", "/_control/requests", "requests seen, with their cost; ?since= an RFC 3339 time", (*API).listRequests},
	{"DELETE", "/_control/requests", "forget the requests seen", (*API).deleteRequests},
}

// ServeHTTP answers a request whose path begins with /_control.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimSuffix(r.URL.Path, "/")
	status, body, err := a.answer(r, path)
	if err != nil {
		refused, ok := errors.AsType[*refusal](err)
		if !ok {
			refused = &refusal{http.StatusUnprocessableEntity, "refused", err.Error()}
		}
		Refuse(w, refused.status, refused.code, refused.detail)
		return
	}
	if body == nil {
		w.WriteHeader(status)
		return
	}
	write(w, status, body)
}

// answer finds the operation and does it.
func (a *API) answer(r *http.Request, path string) (int, any, error) {
	if path == "/_control" && r.Method == http.MethodGet {
		return http.StatusOK, map[string]any{"routes": describe()}, nil
	}
	var allowed []string
	for _, c := range routes {
		values, ok := matchPath(c.path, path)
		if !ok {
			continue
		}
		if c.method != r.Method {
			allowed = append(allowed, c.method)
			continue
		}
		for k, v := range values {
			r.SetPathValue(k, v)
		}
		return c.do(a, r)
	}
	if allowed != nil {
		return 0, nil, &refusal{http.StatusMethodNotAllowed, "method-not-allowed",
			fmt.Sprintf("%s takes %s", path, strings.Join(allowed, ", "))}
	}
	return 0, nil, missing("there is no %s; GET /_control lists what there is", path)
}

// describe is the list of routes.
func describe() []map[string]string {
	list := []map[string]string{{"method": "GET", "path": "/_control", "does": "this list"}}
	for _, c := range routes {
		list = append(list, map[string]string{"method": c.method, "path": c.path, "does": c.does})
	}
	return list
}

// Refuse answers with a refusal.
func Refuse(w http.ResponseWriter, status int, code, detail string) {
	write(w, status, map[string]string{"error": code, "detail": detail})
}

// matchPath compares a path with a pattern whose {x} stand for one segment each.
func matchPath(pattern, path string) (map[string]string, bool) {
	ps, xs := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(ps) != len(xs) {
		return nil, false
	}
	values := map[string]string{}
	for i, p := range ps {
		switch {
		case strings.HasPrefix(p, "{") && xs[i] != "":
			values[strings.Trim(p, "{}")] = xs[i]
		case p != xs[i]:
			return nil, false
		}
	}
	return values, true
}

func write(w http.ResponseWriter, status int, body any) {
	out, err := json.MarshalIndent(body, "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(append(out, '\n'))
}

// read decodes a body and refuses members that do not exist.
func read(r *http.Request, into any) error {
	d := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return bad("the body is not what this route takes: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return bad("there is something after the JSON value")
	}
	return nil
}
