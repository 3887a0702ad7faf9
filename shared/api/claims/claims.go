// Package claims reads what the claims of a token grant, for whatever is asked with one: a
// token means the same to every API.
package claims

import (
	"slices"
	"strings"
)

// Claims reads a claim of the request's token as text, exactly as the gateway
// hands it on; false when the token has none of the name.
type Claims = func(name string) (string, bool)

// ScopesOf are the scopes that a token grants. A token that an app got for a
// person says so in scp or scope, and then they alone count: what roles the
// person has is not what the app was given. Roles count of tokens that an app
// got for itself.
func ScopesOf(claim Claims) []string {
	var scopes []string
	delegated := false
	for _, name := range []string{"scope", "scp"} {
		if text, there := claim(name); there {
			scopes, delegated = append(scopes, words(text)...), true
		}
	}
	if delegated || aboutPerson(claim) {
		return scopes
	}
	text, _ := claim("roles")
	return words(text)
}

// ClientOf is the app that a token was given to, by whichever claim its issuer names it
// (client_id of RFC 9068 and Cognito, azp and appid of Entra, cid of Okta); "" when none does.
func ClientOf(claim Claims) string {
	for _, name := range []string{"client_id", "azp", "appid", "cid"} {
		if client, _ := claim(name); client != "" {
			return client
		}
	}
	return ""
}

// aboutPerson reports whether a token is about a person although it has neither
// scp nor scope: an ID token, which says who signed in and grants nothing. Entra
// (known by the tenant, tid) writes roles into ID tokens as well, and such a one
// may bear no claim that an app's own token has not; there the app must show:
// as idtyp, or as the client (azp, appid) whose object the subject is.
func aboutPerson(claim Claims) bool {
	text := func(name string) string {
		s, _ := claim(name)
		return s
	}
	has := func(name string) bool {
		_, there := claim(name)
		return there
	}
	if kind, there := claim("idtyp"); there {
		return kind != "app"
	}
	if slices.ContainsFunc(personClaims, has) {
		return true
	}
	client := text("azp") != "" || text("appid") != ""
	return has("tid") && !(client && text("oid") == text("sub"))
}

// personClaims are claims of tokens about somebody who signed in.
var personClaims = []string{
	"nonce", "at_hash", "c_hash", "auth_time", "amr", "sid", "preferred_username", "upn", "unique_name",
	"email", "email_verified", "name", "given_name", "family_name",
}

// words parts a claim that is a list. Issuers write a list of scopes with
// spaces between (RFC 6749, section 3.3), or as an array, which API Gateway
// hands on in one pair of brackets: "[a b]". Nothing else separates, and a
// bracket within a word is one of its characters.
func words(text string) []string {
	if inner, ok := strings.CutPrefix(text, "["); ok {
		if inner, ok := strings.CutSuffix(inner, "]"); ok {
			text = inner
		}
	}
	return strings.FieldsFunc(text, func(r rune) bool { return r == ' ' })
}
