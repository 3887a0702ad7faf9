package graph

import (
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/state"
)

// checkComplete demands what a new account needs.
func (c *call) checkComplete(given map[string]any) *odata.Error {
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
	if d, _ := c.t.DomainOf(upn); d.Federated() && given["onPremisesImmutableId"] == nil {
		return required("User", "onPremisesImmutableId")
	}
	return nil
}

// checkUserBody validates every member of a body. own is the account that is
// changed; nil when one is made.
func (c *call) checkUserBody(body map[string]any, own *state.Object) (map[string]any, *odata.Error) {
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(body)) {
		v := body[name]
		if name == "@odata.type" {
			if t, ok := v.(string); !ok || !strings.EqualFold(strings.TrimPrefix(t, "#"), "microsoft.graph.user") {
				return nil, badRequest("The '@odata.type' of the body is not 'microsoft.graph.user'.")
			}
			continue
		}
		if strings.HasPrefix(name, "@odata.") {
			continue
		}
		p, ok := state.Users.Properties[name]
		switch {
		case name == "manager": // only by its $ref
			return nil, badRequest("Property manager in payload has a value that does not match schema.")
		case !ok:
			return nil, unknownProperty(name, "User")
		case name == "id" && own != nil && strings.EqualFold(state.Text(v), own.ID):
			continue // its own id changes nothing
		case !p.Write:
			return nil, readOnly(name)
		case v == nil && own == nil:
			continue
		}
		var e *odata.Error
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
		if _, ok := c.t.DomainOf(upn); !ok {
			return nil, badValue("InvalidValue", "userPrincipalName", "The domain portion of the userPrincipalName property is invalid. You must use one of the verified domain names in your organization.")
		}
	}
	return out, nil
}

// checkPassword validates a passwordProfile.
func checkPassword(v any) (any, *odata.Error) {
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
				return nil, badValue("InvalidValue", "password", "The specified password does not comply with password complexity requirements. Please provide a different password.")
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
