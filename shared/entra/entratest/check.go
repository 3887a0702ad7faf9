package entratest

import (
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// checkComplete demands what a new account needs.
func (c *call) checkComplete(given map[string]any) *graphError {
	for _, name := range []string{"accountEnabled", "displayName", "mailNickname", "userPrincipalName", "passwordProfile"} {
		if given[name] == nil {
			return required("User", name)
		}
	}
	profile, _ := given["passwordProfile"].(map[string]any)
	if profile["password"] == nil {
		return required("User", "password")
	}
	upn, _ := given["userPrincipalName"].(string)
	if d, _ := c.t.domainOf(upn); d.federated() && given["onPremisesImmutableId"] == nil {
		return required("User", "onPremisesImmutableId")
	}
	return nil
}

// checkUserBody validates every member of a body. own is the account that is
// changed; nil when one is made.
func (c *call) checkUserBody(body map[string]any, own *object) (map[string]any, *graphError) {
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(body)) {
		v := body[name]
		if name == "@odata.type" {
			if t, ok := v.(string); !ok || !strings.EqualFold(strings.TrimPrefix(t, "#"), "microsoft.graph.user") {
				return nil, request400("The '@odata.type' of the body is not 'microsoft.graph.user'.")
			}
			continue
		}
		if strings.HasPrefix(name, "@odata.") {
			continue
		}
		p, ok := userProperties[name]
		switch {
		case !ok:
			return nil, unknownProperty(name, "User")
		case name == "id" && own != nil && strings.EqualFold(text(v), own.ID):
			continue // its own id changes nothing
		case !p.write:
			return nil, readOnly(name)
		case v == nil && own == nil:
			continue
		}
		var e *graphError
		if name == "passwordProfile" {
			v, e = checkPassword(v)
		} else {
			v, e = checkValue("User", name, p, v)
		}
		if e != nil {
			return nil, e
		}
		out[name] = v
	}
	if upn, ok := out["userPrincipalName"].(string); ok {
		if _, ok := c.t.domainOf(upn); !ok {
			m := "The domain portion of the userPrincipalName property is invalid. You must use one of the verified domain names in your organization."
			return nil, request400("%s", m).with(detail{"InvalidValue", m, "userPrincipalName"})
		}
	}
	return out, nil
}

func text(v any) string { s, _ := v.(string); return s }

// checkPassword validates a passwordProfile.
func checkPassword(v any) (any, *graphError) {
	profile, ok := v.(map[string]any)
	if !ok {
		return nil, invalidValue("User", "passwordProfile")
	}
	for _, name := range slices.Sorted(maps.Keys(profile)) {
		switch name {
		case "password":
			s, ok := profile[name].(string)
			if !ok {
				return nil, wrongType(name, "Edm.String")
			}
			if !complex(s) {
				m := "The specified password does not comply with password complexity requirements. Please provide a different password."
				return nil, request400("%s", m).with(detail{"InvalidValue", m, "password"})
			}
		case "forceChangePasswordNextSignIn", "forceChangePasswordNextSignInWithMfa":
			if _, ok := profile[name].(bool); !ok {
				return nil, wrongType(name, "Edm.Boolean")
			}
		case "@odata.type":
		default:
			return nil, unknownProperty(name, "PasswordProfile")
		}
	}
	return profile, nil
}

// bannedWords are a few of those that Microsoft refuses in short passwords.
var bannedWords = []string{"password", "passw0rd", "p@ssword", "p@ssw0rd", "qwerty", "welcome", "letmein"}

// complex tells whether a password has 8 to 256 characters of three classes and
// does not consist of a banned word and little else.
func complex(s string) bool {
	n := utf8.RuneCountInString(s)
	if n < 8 || n > 256 {
		return false
	}
	classes := [4]bool{}
	for _, r := range s {
		switch {
		case unicode.IsLower(r):
			classes[0] = true
		case unicode.IsUpper(r):
			classes[1] = true
		case unicode.IsDigit(r):
			classes[2] = true
		default:
			classes[3] = true
		}
	}
	have := 0
	for _, c := range classes {
		if c {
			have++
		}
	}
	for _, w := range bannedWords {
		if strings.Contains(strings.ToLower(s), w) && n-len(w) < 4 {
			return false
		}
	}
	return have >= 3
}

// mayPatch checks the permissions and roles that the properties need.
func (c *call) mayPatch(o *object, given map[string]any) *graphError {
	sensitive, plain := false, false
	for name := range given {
		allowed := false
		switch userProperties[name].rights {
		case sEnabled:
			sensitive = true
			allowed = c.has(writeUsers...) || c.has("User.EnableDisableAccount.All") && c.has(readUsers...)
		case sPassword:
			sensitive = true
			allowed = c.has("User-PasswordProfile.ReadWrite.All")
		case sPhone:
			sensitive = true
			allowed = c.has(append(slices.Clone(writeUsers), "User-Phone.ReadWrite.All")...)
		case sMail:
			sensitive = true
			allowed = c.has(append(slices.Clone(writeUsers), "User-Mail.ReadWrite.All")...)
		case sIdentity:
			sensitive = true
			allowed = c.has("User.ManageIdentities.All")
		case sName, sAnchor:
			sensitive, plain = true, true
			allowed = c.has(append(slices.Clone(writeUsers), "User.ReadUpdate.All")...)
		default:
			plain = true
			allowed = c.has(append(slices.Clone(writeUsers), "User.ReadUpdate.All")...)
		}
		if !allowed {
			return denied()
		}
	}
	if plain && !c.holds(globalAdmin, userAdmin, dirWriters) && !(sensitive && c.holds(privAuthAdmin)) {
		return denied()
	}
	if sensitive && !mayTouch(c.roles, c.t.classOf(o.ID)) {
		return denied()
	}
	return nil
}

// syncedWritable are the properties of an account from on-premises that may be
// written in the cloud.
var syncedWritable = append(slices.Clone(alone), "usageLocation")

// patchable refuses what this account cannot have changed.
func (c *call) patchable(o *object, given map[string]any) *graphError {
	if len(given) > 1 {
		for _, name := range alone {
			if _, ok := given[name]; ok {
				return request400("The property '%s' cannot be updated together with other properties. Update it in a request of its own.", name)
			}
		}
	}
	if o.flag("onPremisesSyncEnabled") {
		for name := range given {
			if !slices.Contains(syncedWritable, name) {
				return onPremises()
			}
		}
	}
	domain, _ := c.t.domainOf(o.text("userPrincipalName"))
	if _, ok := given["passwordProfile"]; ok && domain.federated() {
		return request400("Unable to update the password of a user whose domain is federated.").with(detail{"InvalidValue", "The password of a federated user is not managed here.", "passwordProfile"})
	}
	if _, ok := given["mail"]; ok && len(listOf(o.Props["assignedLicenses"])) > 0 {
		return request400("Unable to update the specified properties for objects that have originated within an external service.")
	}
	upn, ok := given["userPrincipalName"].(string)
	if !ok {
		return nil
	}
	to, _ := c.t.domainOf(upn)
	if to.federated() && domain.federated() && to.Name != domain.Name {
		m := "Property userPrincipalName cannot be changed from one federated domain to another."
		return request400("%s", m).with(detail{"InvalidValue", m, "userPrincipalName"})
	}
	if to.federated() && o.text("onPremisesImmutableId") == "" && given["onPremisesImmutableId"] == nil {
		return required("User", "onPremisesImmutableId")
	}
	return nil
}

func listOf(v any) []any { l, _ := v.([]any); return l }
