package reconcile

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"bindery/shared/directory"
)

// port is a thin way to the simulator over HTTP, without Microsoft's SDK, so
// that the engine's tests can run under the race detector. The real adapter
// runs the same scenarios in package entra's own tests.
type port struct {
	rt    http.RoundTripper
	base  string
	token string
	roles error // what reading role assignments ends with; nil: their list
}

func (p *port) do(ctx context.Context, method, ref string, body any) (int, http.Header, []byte, error) {
	if !strings.HasPrefix(ref, "http") {
		ref = p.base + "/v1.0" + ref
	}
	var r io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return 0, nil, nil, err
		}
		r = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, ref, r)
	if err != nil {
		return 0, nil, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := p.rt.RoundTrip(req)
	if err != nil {
		return 0, nil, nil, fmt.Errorf("%w: %w", directory.ErrUnavailable, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, nil, fmt.Errorf("%w: %w", directory.ErrUnavailable, err)
	}
	return resp.StatusCode, resp.Header, raw, nil
}

func retryAfter(h http.Header, d time.Duration) time.Duration {
	if s, err := time.ParseDuration(h.Get("Retry-After") + "s"); err == nil {
		return s
	}
	return d
}

func (p *port) get(ctx context.Context, ref string, into any) error {
	status, h, raw, err := p.do(ctx, "GET", ref, nil)
	switch {
	case err != nil:
		return err
	case status == 429:
		return &directory.ThrottledError{RetryAfter: retryAfter(h, time.Second)}
	case status == 410 || status == 400 && strings.Contains(strings.ToLower(string(raw)), "syncstatenotfound"):
		return directory.ErrResync
	case status == 401:
		return directory.ErrUnauthorized
	case status >= 500:
		return directory.ErrUnavailable
	case status != 200:
		return fmt.Errorf("GET %s: %d %s", ref, status, raw)
	}
	return json.Unmarshal(raw, into)
}

var always = []string{"id", "userType", "onPremisesSyncEnabled", "proxyAddresses", "mail", "createdDateTime", "accountEnabled", "userPrincipalName", "employeeId", "deletedDateTime", "creationType", "externalUserState", "identities"}

func selection(selected []string) string {
	all := slices.Clone(always)
	for _, s := range selected {
		if directory.IsExtensionAttribute(s) {
			s = "onPremisesExtensionAttributes"
		}
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return strings.Join(all, ",")
}

func account(m map[string]any) directory.Account {
	a := directory.Account{Properties: directory.Properties{}}
	for k, v := range m {
		switch k {
		case "id":
			a.ID = directory.AccountID(v.(string))
		case "userType":
			a.UserType, _ = v.(string)
		case "onPremisesSyncEnabled":
			a.OnPremisesSync, _ = v.(bool)
		case "creationType":
			a.CreationType, _ = v.(string)
		case "externalUserState":
			a.ExternalUserState, _ = v.(string)
		case "identities":
			for _, e := range v.([]any) {
				m := e.(map[string]any)
				a.Identities = append(a.Identities, directory.Identity{SignInType: fmt.Sprint(m["signInType"]), Issuer: fmt.Sprint(m["issuer"])})
			}
		case "createdDateTime":
			if s, ok := v.(string); ok {
				a.Created, _ = time.Parse(time.RFC3339, s)
			}
		case "deletedDateTime":
			if s, ok := v.(string); ok {
				at, _ := time.Parse(time.RFC3339, s)
				a.Deleted = &at
			}
		case "proxyAddresses":
			for _, s := range v.([]any) {
				a.ProxyAddresses = append(a.ProxyAddresses, s.(string))
			}
		case "onPremisesExtensionAttributes":
			if ext, ok := v.(map[string]any); ok {
				for n, x := range ext {
					a.Properties[n] = value(x)
				}
			}
		default:
			if !strings.HasPrefix(k, "@") {
				a.Properties[k] = value(v)
			}
		}
	}
	return a
}

func value(v any) directory.Value {
	switch v := v.(type) {
	case string:
		return directory.StringValue(v)
	case bool:
		return directory.BoolValue(v)
	case []any:
		var l []string
		for _, s := range v {
			l = append(l, s.(string))
		}
		return directory.ListValue(l...)
	}
	return directory.Null
}

func (p *port) Delta(ctx context.Context, selected []string, link string) (directory.AccountPage, error) {
	if link == "" {
		link = "/users/delta?$select=" + url.QueryEscape(selection(selected))
	}
	var body struct {
		Value []map[string]any `json:"value"`
		Next  string           `json:"@odata.nextLink"`
		Delta string           `json:"@odata.deltaLink"`
	}
	var page directory.AccountPage
	if err := p.get(ctx, link, &body); err != nil {
		return page, err
	}
	for _, m := range body.Value {
		if rm, ok := m["@removed"].(map[string]any); ok {
			page.Removed = append(page.Removed, directory.RemovedAccount{ID: directory.AccountID(m["id"].(string)), Permanent: rm["reason"] == "deleted"})
			continue
		}
		page.Accounts = append(page.Accounts, account(m))
	}
	page.Next, page.DeltaLink = body.Next, body.Delta
	return page, nil
}

// item is one request of a batch.
type item struct {
	ID      string            `json:"id"`
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    any               `json:"body,omitempty"`
}

type answer struct {
	Status  int             `json:"status"`
	Headers map[string]any  `json:"headers"`
	Body    json.RawMessage `json:"body"`
}

func (a answer) header(name string) string {
	for k, v := range a.Headers {
		if strings.EqualFold(k, name) {
			return fmt.Sprint(v)
		}
	}
	return ""
}

func (p *port) batch(ctx context.Context, items []item) ([]answer, error) {
	out := make([]answer, 0, len(items))
	for part := range slices.Chunk(items, BatchSize) {
		for i := range part {
			part[i].ID = fmt.Sprint(i)
		}
		status, h, raw, err := p.do(ctx, "POST", "/$batch", map[string]any{"requests": part})
		switch {
		case err != nil:
			return nil, err
		case status == 429:
			return nil, &directory.ThrottledError{RetryAfter: retryAfter(h, time.Second)}
		case status == 401:
			return nil, directory.ErrUnauthorized
		case status != 200:
			return nil, fmt.Errorf("%w: $batch %d %s", directory.ErrUnavailable, status, raw)
		}
		var body struct {
			Responses []struct {
				ID string `json:"id"`
				answer
			} `json:"responses"`
		}
		if err := json.Unmarshal(raw, &body); err != nil {
			return nil, err
		}
		byID := map[string]answer{}
		for _, r := range body.Responses {
			byID[r.ID] = r.answer
		}
		for i := range part {
			out = append(out, byID[fmt.Sprint(i)])
		}
	}
	return out, nil
}

func problem(a answer) *directory.Problem {
	var body struct {
		Error struct {
			Code, Message string
			Details       []struct{ Code, Target string }
		}
	}
	_ = json.Unmarshal(a.Body, &body)
	p := &directory.Problem{Code: "graph-error", Message: body.Error.Message, MicrosoftCode: body.Error.Code, MicrosoftStatus: a.Status, RequestID: a.header("request-id")}
	if strings.Contains(body.Error.Message, "onPremisesImmutableId") {
		p.Code = "immutable-id-required"
	}
	for _, d := range body.Error.Details {
		switch {
		case strings.EqualFold(d.Target, "userPrincipalName") && strings.EqualFold(d.Code, "ObjectConflict"):
			p.Code = directory.CodeUserPrincipalNameTaken
		case strings.EqualFold(d.Code, "ObjectConflict") && d.Target == "mailNickname":
			p.Code, p.Kind, p.Property = "mail-nickname-taken", directory.ProblemConflict, d.Target
		case strings.EqualFold(d.Code, "InvalidValue"):
			p.Code, p.Kind, p.Property = "property-invalid", directory.ProblemData, d.Target
			p.Message, p.Next = "Microsoft refused the value.", "Give the user another value."
			if strings.Contains(body.Error.Message, "verified domain") {
				p.Code = "domain-not-verified"
			}
		}
	}
	return p
}

func (p *port) find(ctx context.Context, urls []string) ([]directory.Found, error) {
	items := make([]item, len(urls))
	for i, u := range urls {
		items[i] = item{Method: "GET", URL: u}
	}
	answers, err := p.batch(ctx, items)
	if err != nil {
		return nil, err
	}
	out := make([]directory.Found, len(urls))
	for i, a := range answers {
		switch {
		case a.Status == 200:
			var m map[string]any
			if err := json.Unmarshal(a.Body, &m); err != nil {
				return nil, err
			}
			acc := account(m)
			out[i].Account = &acc
		case a.Status == 404:
		case a.Status == 429 || a.Status >= 500:
			out[i].Retry, out[i].RetryAfter = true, time.Second
		default:
			out[i].Problem = problem(a)
		}
	}
	return out, nil
}

func (p *port) Lookup(ctx context.Context, refs []string, selected []string) ([]directory.Found, error) {
	urls := make([]string, len(refs))
	for i, r := range refs {
		urls[i] = "/users/" + url.PathEscape(r) + "?$select=" + selection(selected)
	}
	return p.find(ctx, urls)
}

func (p *port) Deleted(ctx context.Context, ids []directory.AccountID, selected []string) ([]directory.Found, error) {
	urls := make([]string, len(ids))
	for i, r := range ids {
		urls[i] = "/directory/deletedItems/" + string(r)
	}
	return p.find(ctx, urls)
}

// addressesTogether is how many addresses this tenant is asked about in one filter.
const addressesTogether = 5

func (p *port) Search(ctx context.Context, addresses []string, selected []string) ([]directory.Found, error) {
	var filters []string
	for some := range slices.Chunk(addresses, addressesTogether) {
		var clauses []string
		for _, a := range some {
			clauses = append(clauses, strings.ReplaceAll("userPrincipalName eq '@' or mail eq '@' or proxyAddresses/any(p:p eq 'smtp:@')", "@", strings.ReplaceAll(a, "'", "''")))
		}
		filters = append(filters, strings.Join(clauses, " or "))
	}
	answers, err := p.filter(ctx, filters, selected)
	if err != nil {
		return nil, err
	}
	found := make([]directory.Found, len(addresses))
	for i, a := range addresses {
		found[i] = answers[i/addressesTogether]
		found[i].Accounts = slices.DeleteFunc(slices.Clone(found[i].Accounts), func(b directory.Account) bool { return !b.HasAddress(a) })
	}
	return found, nil
}

func (p *port) Externals(ctx context.Context, addresses []string, selected []string) ([]directory.Found, error) {
	filters := make([]string, len(addresses))
	for i, a := range addresses {
		filters[i] = fmt.Sprintf("mail eq '%[1]s' or proxyAddresses/any(p:p eq 'smtp:%[1]s') or otherMails/any(m:m eq '%[1]s') or startswith(userPrincipalName,'%[2]s')",
			strings.ReplaceAll(a, "'", "''"), directory.ExternalName(strings.ReplaceAll(a, "'", "''")))
	}
	var found []directory.Found
	for some := range slices.Chunk(filters, BatchSize) {
		answers, err := p.filter(ctx, some, append(slices.Clone(selected), "otherMails"))
		if err != nil {
			return nil, err
		}
		found = append(found, answers...)
	}
	for i := range found {
		found[i].Accounts = slices.DeleteFunc(found[i].Accounts, func(a directory.Account) bool { return !a.AtHome(addresses[i]) })
	}
	return found, nil
}

// filter answers each filter in its place.
func (p *port) filter(ctx context.Context, filters, selected []string) ([]directory.Found, error) {
	items := make([]item, len(filters))
	for i, f := range filters {
		items[i] = item{Method: "GET", URL: "/users?$filter=" + url.QueryEscape(f) + "&$select=" + selection(selected)}
	}
	answers, err := p.batch(ctx, items)
	if err != nil {
		return nil, err
	}
	found := make([]directory.Found, len(filters))
	for i, a := range answers {
		if a.Status != 200 {
			found[i] = directory.Found{Problem: problem(a), Retry: a.Status == 429 || a.Status >= 500}
			continue
		}
		var body struct{ Value []map[string]any }
		if err := json.Unmarshal(a.Body, &body); err != nil {
			return nil, err
		}
		for _, m := range body.Value {
			found[i].Accounts = append(found[i].Accounts, account(m))
		}
	}
	return found, nil
}

// TenantDomains lists the tenant's domains.
func (p *port) TenantDomains(ctx context.Context) ([]directory.TenantDomain, error) {
	var list struct {
		Value []struct {
			ID, AuthenticationType           string
			IsDefault, IsInitial, IsVerified bool
		}
	}
	if err := p.get(ctx, "/domains", &list); err != nil {
		return nil, err
	}
	var out []directory.TenantDomain
	for _, d := range list.Value {
		out = append(out, directory.TenantDomain{Verified: d.IsVerified, Domain: directory.Domain{
			Name: d.ID, AuthenticationType: d.AuthenticationType, IsDefault: d.IsDefault, IsInitial: d.IsInitial}})
	}
	return out, nil
}

// Holders finds users and groups by address.
func (p *port) Holders(ctx context.Context, addresses []string) (directory.Holders, error) {
	var out directory.Holders
	for _, address := range addresses {
		for kind, path := range map[directory.HolderKind]string{directory.HolderUser: "/users", directory.HolderGroup: "/groups"} {
			var list struct {
				Value []struct{ ID, DisplayName string }
			}
			q := url.Values{"$filter": {"mail eq '" + address + "'"}, "$select": {"id,displayName"}}
			if err := p.get(ctx, path+"?"+q.Encode(), &list); err != nil {
				return out, err
			}
			for _, v := range list.Value {
				out.Found = append(out.Found, directory.Holder{Kind: kind, ID: v.ID, Name: v.DisplayName, Address: address, Property: "mail"})
			}
		}
	}
	return out, nil
}

func (p *port) RoleHolders(ctx context.Context) (directory.Privileged, error) {
	var body struct {
		Value []struct {
			PrincipalID      string `json:"principalId"`
			RoleDefinitionID string `json:"roleDefinitionId"`
		}
	}
	if p.roles != nil {
		return directory.Privileged{}, p.roles
	}
	if err := p.get(ctx, "/roleManagement/directory/roleAssignments", &body); err != nil {
		return directory.Privileged{}, err
	}
	var out directory.Privileged
	for _, v := range body.Value {
		out.Holders = append(out.Holders, directory.AccountID(v.PrincipalID))
		if v.RoleDefinitionID == "62e90394-69f5-4237-9190-012177145e10" {
			out.GlobalAdministrators = append(out.GlobalAdministrators, directory.AccountID(v.PrincipalID))
		}
	}
	return out, nil
}

func (p *port) Write(ctx context.Context, writes []directory.Write) ([]directory.Outcome, error) {
	items := make([]item, len(writes))
	for i, w := range writes {
		it := item{Method: "PATCH", URL: "/users/" + string(w.AccountID), Headers: map[string]string{"Content-Type": "application/json"}}
		body, ext := map[string]any{}, map[string]any{}
		for n, v := range w.Properties {
			var x any
			switch n {
			case "otherMails", "businessPhones":
				l, _ := v.List()
				x = append([]string{}, l...)
			default:
				raw, _ := json.Marshal(v)
				_ = json.Unmarshal(raw, &x)
			}
			if directory.IsExtensionAttribute(n) {
				ext[n] = x
			} else {
				body[n] = x
			}
		}
		if len(ext) > 0 {
			body["onPremisesExtensionAttributes"] = ext
		}
		switch w.Effect {
		case directory.EffectCreate:
			it.Method, it.URL = "POST", "/users"
			body["passwordProfile"] = map[string]any{"password": w.Password.Reveal(), "forceChangePasswordNextSignIn": w.ForceChangePassword}
			if w.OnPremisesImmutableID != "" {
				body["onPremisesImmutableId"] = w.OnPremisesImmutableID
			}
		case directory.EffectRevoke:
			it.Method, it.URL = "POST", it.URL+"/revokeSignInSessions"
		case directory.EffectDelete:
			it.Method = "DELETE"
		case directory.EffectRestore:
			it.Method, it.URL = "POST", "/directory/deletedItems/"+string(w.AccountID)+"/restore"
		}
		if len(body) > 0 {
			it.Body = body
		} else {
			it.Headers = nil
		}
		items[i] = it
	}
	answers, err := p.batch(ctx, items)
	if err != nil {
		return nil, err
	}
	out := make([]directory.Outcome, len(writes))
	for i, a := range answers {
		o := directory.Outcome{Status: a.Status, RequestID: a.header("request-id"), AccountID: writes[i].AccountID}
		switch {
		case a.Status == 0 || a.Status >= 500:
			o.Unknown = true
		case a.Status == 429:
			o.Retry = true
			if d, err := time.ParseDuration(a.header("Retry-After") + "s"); err == nil {
				o.RetryAfter = d
			}
		case a.Status == 404 && writes[i].Effect == directory.EffectDelete:
		case a.Status >= 400:
			o.Problem = problem(a)
		case a.Status == 201:
			var m map[string]any
			if err := json.Unmarshal(a.Body, &m); err != nil {
				return nil, err
			}
			o.AccountID = account(m).ID
		}
		out[i] = o
	}
	return out, nil
}

func (p *port) List(ctx context.Context, selected []string, link string) (directory.AccountPage, error) {
	if link == "" {
		link = "/users?$top=999&$select=" + url.QueryEscape(selection(selected))
	}
	return p.Delta(ctx, selected, link)
}
