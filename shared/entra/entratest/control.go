package entratest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// maxControlBody bounds a body of the control API; a tenant of 100,000 accounts
// given one by one fits.
const maxControlBody = 256 << 20

// controlError is a refusal of the control API.
type controlError struct {
	status int
	code   string
	detail string
}

func (e *controlError) Error() string { return e.code + ": " + e.detail }

func badControl(format string, args ...any) error {
	return &controlError{http.StatusBadRequest, "bad-request", fmt.Sprintf(format, args...)}
}

func noControl(format string, args ...any) error {
	return &controlError{http.StatusNotFound, "not-found", fmt.Sprintf(format, args...)}
}

// controlRoute is one operation of the control API. do returns what to answer;
// a nil body answers without one.
type controlRoute struct {
	method, path, does string
	do                 func(s *Server, r *http.Request) (status int, body any, err error)
}

// controlRoutes is the whole control API; GET /_control prints this list.
func controlRoutes() []controlRoute {
	return []controlRoute{
		{"GET", "/_control", "this list", nil},
		{"POST", "/_control/tenants", "create a tenant: {tenantId?, name, domains, accounts, count, seed, admins, licences, groups}", controlCreateTenant},
		{"GET", "/_control/tenants", "all tenants", controlListTenants},
		{"GET", "/_control/tenants/{id}", "one tenant", controlGetTenant},
		{"GET", "/_control/tenants/{id}/accounts", "accounts, raw; ?limit= (default 100), ?after= an id", controlListAccounts},
		{"POST", "/_control/tenants/{id}/accounts", "add an account as somebody in the portal", controlAddAccount},
		{"GET", "/_control/tenants/{id}/accounts/{account}", "one account by id or userPrincipalName, raw and without lag", controlGetAccount},
		{"PATCH", "/_control/tenants/{id}/accounts/{account}", "edit an account as somebody in the portal", controlPatchAccount},
		{"DELETE", "/_control/tenants/{id}/accounts/{account}", "delete an account as somebody in the portal", controlDeleteAccount},
		{"POST", "/_control/tenants/{id}/external-accounts", "give somebody from outside an account: {mail, userType, externalUserState, issuer, displayName, givenName, surname}", controlAddExternal},
		{"POST", "/_control/tenants/{id}/accounts/{account}/invite", "turn an account into an external one: {mail} at home", controlInvite},
		{"POST", "/_control/tenants/{id}/accounts/{account}/convert-to-internal", "turn an external account into a member of the tenant: {userPrincipalName}", controlConvertToInternal},
		{"PUT", "/_control/tenants/{id}/accounts/{account}/photo", "set the photo: the file is the body, unchecked", controlPutPhoto},
		{"DELETE", "/_control/tenants/{id}/accounts/{account}/photo", "remove the photo", controlDeletePhoto},
		{"PUT", "/_control/tenants/{id}/domains/{domain}", "add a domain, or change its state: {isVerified, authenticationType, isDefault, federationConfiguration}", controlPutDomain},
		{"DELETE", "/_control/tenants/{id}/domains/{domain}", "remove a domain; its accounts are named in the initial one", controlDeleteDomain},
		{"PUT", "/_control/tenants/{id}/admins/{account}/roles", "set directory roles: {roles: [name or template id]}", controlPutRoles},
		{"GET", "/_control/tenants/{id}/mutations", "every change of state, once each", controlListMutations},
		{"GET", "/_control/tenants/{id}/grants", "delegated grants", controlListGrants},
		{"POST", "/_control/tenants/{id}/grants", "grant: {clientId, scope, userId?}; without userId for the whole organization", controlPostGrant},
		{"DELETE", "/_control/tenants/{id}/grants", "remove grants of ?clientId=", controlDeleteGrants},
		{"GET", "/_control/apps", "registered applications, without secrets", controlListApps},
		{"POST", "/_control/apps", "register an application: {clientId, clientSecret, redirectUris, name, …}", controlPostApp},
		{"GET", "/_control/clock", "the simulator's time", controlGetClock},
		{"POST", "/_control/clock", `advance it: {"advance": "72h"}`, controlPostClock},
		{"GET", "/_control/faults", "faults that are set", controlListFaults},
		{"POST", "/_control/faults", "set a fault", controlPostFault},
		{"DELETE", "/_control/faults", "clear all faults", controlDeleteFaults},
		{"POST", "/_control/keys", `sign with a new key: {"retire": true} drops the old ones at once`, controlPostKeys},
		{"GET", "/_control/requests", "requests seen, with their cost; ?since= an RFC 3339 time", controlListRequests},
		{"DELETE", "/_control/requests", "forget the requests seen", controlDeleteRequests},
	}
}

// serveControl routes a request to the control API. Nothing proves who calls, so no
// page of another origin may.
func (s *Server) serveControl(w http.ResponseWriter, r *http.Request) {
	if refused := s.guard.Origin(r); refused != nil {
		writeControl(w, http.StatusForbidden, map[string]string{"error": refused.Code, "detail": refused.Detail})
		return
	}
	path := strings.TrimSuffix(r.URL.Path, "/")
	if path == "/_control" && r.Method == http.MethodGet {
		list := []map[string]string{}
		for _, c := range controlRoutes() {
			list = append(list, map[string]string{"method": c.method, "path": c.path, "does": c.does})
		}
		writeControl(w, http.StatusOK, map[string]any{"routes": list})
		return
	}
	status, body, err := s.control(r, path)
	if err != nil {
		var e *controlError
		if !errors.As(err, &e) {
			e = &controlError{http.StatusUnprocessableEntity, "refused", err.Error()}
		}
		writeControl(w, e.status, map[string]string{"error": e.code, "detail": e.detail})
		return
	}
	if body == nil {
		w.WriteHeader(status)
		return
	}
	writeControl(w, status, body)
}

// control finds the operation and runs it.
func (s *Server) control(r *http.Request, path string) (int, any, error) {
	var allowed []string
	for _, c := range controlRoutes() {
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
		return c.do(s, r)
	}
	if allowed != nil {
		return 0, nil, &controlError{http.StatusMethodNotAllowed, "method-not-allowed",
			fmt.Sprintf("%s takes %s", path, strings.Join(allowed, ", "))}
	}
	return 0, nil, noControl("there is no %s; GET /_control lists what there is", path)
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

func writeControl(w http.ResponseWriter, status int, body any) {
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

// readControl decodes a body and refuses members that do not exist.
func readControl(r *http.Request, into any) error {
	d := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxControlBody))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return badControl("the body is not what this route takes: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return badControl("there is something after the JSON value")
	}
	return nil
}
