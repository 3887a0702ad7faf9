package identity

import (
	"slices"
	"sort"
	"strings"
)

const graphResource = "https://graph.microsoft.com/"

// graphPermission is one delegated permission of Microsoft Graph.
type graphPermission struct {
	words string // what the consent page says
	admin bool   // only an administrator may consent
}

// graphPermissions is the catalogue of delegated permissions that exist here. A scope
// that is not in it is refused as unknown, as Microsoft does.
var graphPermissions = map[string]graphPermission{
	"Application.Read.All":                    {"Read applications", true},
	"Application.ReadWrite.All":               {"Read and write all applications", true},
	"AuditLog.Read.All":                       {"Read audit log data", true},
	"DelegatedPermissionGrant.ReadWrite.All":  {"Manage all delegated permission grants", true},
	"Directory.AccessAsUser.All":              {"Access the directory as you", true},
	"Directory.Read.All":                      {"Read directory data", true},
	"Directory.ReadWrite.All":                 {"Read and write directory data", true},
	"Domain-InternalFederation.Read.All":      {"Read internal federation configuration of a domain", true},
	"Domain-InternalFederation.ReadWrite.All": {"Read and write internal federation configuration of a domain", true},
	"Domain.Read.All":                         {"Read domains", true},
	"Domain.ReadWrite.All":                    {"Read and write domains", true},
	"Group.Read.All":                          {"Read all groups", true},
	"Group.ReadWrite.All":                     {"Read and write all groups", true},
	"Group.ReadBasic.All":                     {"Read the names of all groups", true},
	"GroupMember.Read.All":                    {"Read group memberships", true},
	"GroupMember.ReadBasic.All":               {"Read basic group memberships", true},
	"GroupMember.ReadWrite.All":               {"Read and write group memberships", true},
	"GroupSettings.Read.All":                  {"Read group settings", true},
	"GroupSettings.ReadWrite.All":             {"Read and write group settings", true},
	"LicenseAssignment.Read.All":              {"Read all license assignments", true},
	"LicenseAssignment.ReadWrite.All":         {"Manage all license assignments", true},
	"Member.Read.Hidden":                      {"Read hidden memberships", true},
	"Organization.Read.All":                   {"Read organization information", true},
	"Organization.ReadWrite.All":              {"Read and write organization information", true},
	"ProfilePhoto.Read.All":                   {"Read profile photos", true},
	"ProfilePhoto.ReadWrite.All":              {"Read and write profile photos", true},
	"RoleManagement.Read.All":                 {"Read role management data for all RBAC providers", true},
	"RoleManagement.Read.Directory":           {"Read directory role settings", true},
	"RoleManagement.ReadWrite.Directory":      {"Read and write directory role settings", true},
	"User-LifeCycleInfo.Read.All":             {"Read all users' lifecycle information", true},
	"User-LifeCycleInfo.ReadWrite.All":        {"Read and write all users' lifecycle information", true},
	"User-Mail.ReadWrite.All":                 {"Read and write secondary mail addresses of users", true},
	"User-PasswordProfile.ReadWrite.All":      {"Read and write password profiles and reset passwords", true},
	"User-Phone.ReadWrite.All":                {"Read and write all users' mobile and business phones", true},
	"User.Create":                             {"Create users", true},
	"User.DeleteRestore.All":                  {"Delete and restore all users", true},
	"User.EnableDisableAccount.All":           {"Enable and disable user accounts", true},
	"User.Invite.All":                         {"Invite guest users to the organization", true},
	"User.ManageIdentities.All":               {"Manage all user identities", true},
	"User.Read":                               {"Sign you in and read your profile", false},
	"User.Read.All":                           {"Read all users' full profiles", true},
	"User.ReadBasic.All":                      {"Read all users' basic profiles", false},
	"User.ReadUpdate.All":                     {"Read and update all users' full profiles", true},
	"User.ReadWrite":                          {"Read and update your profile", false},
	"User.ReadWrite.All":                      {"Read and write all users' full profiles", true},
	"User.RevokeSessions.All":                 {"Revoke all sign-in sessions of a user", true},
}

// oidcScopes are those of OpenID Connect; anybody may consent to them.
var oidcScopes = map[string]string{
	"openid":         "Sign you in",
	"profile":        "View your basic profile",
	"email":          "View your email address",
	"offline_access": "Maintain access to data you have given it access to",
}

// scopeRequest is a parsed scope parameter.
type scopeRequest struct {
	OIDC     []string `json:"oidc,omitempty"`  // of OpenID Connect, as asked
	Graph    []string `json:"graph,omitempty"` // of Graph, short and in catalogue spelling
	Default  bool     `json:"default,omitempty"`
	FullName bool     `json:"fullName,omitempty"` // asked for with the resource's name in front
}

// has tells whether an OpenID Connect scope was asked for.
func (q scopeRequest) has(scope string) bool { return slices.Contains(q.OIDC, scope) }

// parseScope reads a scope parameter. With single, scopes of more than one
// resource are refused, as the token endpoint does.
func parseScope(text, app string, single bool) (scopeRequest, *stsError) {
	var q scopeRequest
	other := ""
	for _, name := range strings.Fields(text) {
		if _, ok := oidcScopes[strings.ToLower(name)]; ok {
			q.OIDC = appendOnce(q.OIDC, strings.ToLower(name))
			continue
		}
		short, full := strings.CutPrefix(name, graphResource)
		if !full && strings.Contains(name, "://") {
			other = name
			continue
		}
		q.FullName = q.FullName || full
		if short = strings.TrimPrefix(short, "/"); short == ".default" {
			q.Default = true
			continue
		}
		known, ok := catalogueName(short)
		if !ok {
			if single {
				return q, aadsts(65001, app, app)
			}
			return q, aadsts(650053, app, short)
		}
		q.Graph = appendOnce(q.Graph, known)
	}
	switch {
	case other != "" && (len(q.Graph) > 0 || q.Default) && single:
		return q, aadsts(28002, text)
	case other != "":
		return q, aadsts(500011, resourceOf(other))
	case q.Default && len(q.Graph) > 0:
		return q, aadsts(70011, text+": .default scope can't be combined with resource-specific scopes")
	}
	return q, nil
}

func resourceOf(scope string) string { return scope[:strings.LastIndexByte(scope, '/')+1] }

// catalogueName finds a scope whatever its case.
func catalogueName(name string) (string, bool) {
	if _, ok := graphPermissions[name]; ok {
		return name, true
	}
	for known := range graphPermissions {
		if strings.EqualFold(known, name) {
			return known, true
		}
	}
	return "", false
}

func appendOnce(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// needsAdmin tells whether one of the scopes is an administrator's to grant.
func needsAdmin(scopes []string) bool {
	return slices.ContainsFunc(scopes, func(s string) bool { return graphPermissions[s].admin })
}

// lacking returns the scopes that are not in granted.
func lacking(scopes, granted []string) []string {
	var out []string
	for _, s := range scopes {
		if !slices.Contains(granted, s) {
			out = append(out, s)
		}
	}
	return out
}

// answerScope is the scope member of a token answer: everything that is granted
// on the resource, asked for or not, plus what OpenID Connect was asked for.
// offline_access is never listed, as at Microsoft.
func answerScope(q scopeRequest, granted []string) string {
	var out []string
	for _, s := range q.OIDC {
		if s != "offline_access" {
			out = append(out, s)
		}
	}
	sorted := slices.Clone(granted)
	sort.Strings(sorted)
	for _, s := range sorted {
		if _, graph := graphPermissions[s]; !graph {
			continue
		}
		if q.FullName {
			s = graphResource + s
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}
