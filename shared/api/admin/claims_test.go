package admin

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"bindery/shared/api/claims"
)

func TestScopesOfClaims(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		claims map[string]string
		want   []string
	}{
		{"Cognito", map[string]string{"scope": "bindery/read bindery/write"}, []string{ScopeRead, ScopeWrite}},
		{"Entra, delegated", map[string]string{"scp": "bindery/read"}, []string{ScopeRead}},
		{"Okta", map[string]string{"scp": "[bindery/read bindery/write]"}, []string{ScopeRead, ScopeWrite}},
		{"Entra, an app's own", map[string]string{"roles": "[bindery/read bindery/approve]", "idtyp": "app"}, []string{ScopeRead, ScopeApprove}},
		{"Entra, an app's own without idtyp", map[string]string{"roles": "bindery/approve", "tid": "t", "azp": "a", "oid": "o", "sub": "o"}, []string{ScopeApprove}},
		{"Entra, an app's own of version 1", map[string]string{"roles": "bindery/approve", "tid": "t", "appid": "a", "oid": "o", "sub": "o"}, []string{ScopeApprove}},
		{"another issuer, an app's own", map[string]string{"roles": "bindery/approve", "sub": "o"}, []string{ScopeApprove}},
		{"Entra, a bare ID token", map[string]string{"roles": "[bindery/approve]", "tid": "t", "oid": "o", "sub": "pairwise", "ver": "2.0", "uti": "u", "rh": "r"}, nil},
		{"Entra, an ID token without an object", map[string]string{"roles": "[bindery/approve]", "tid": "t", "sub": "pairwise"}, nil},
		{"Entra, a person through a client", map[string]string{"roles": "[bindery/approve]", "tid": "t", "azp": "a", "oid": "o", "sub": "pairwise"}, nil},
		{"roles beside scp", map[string]string{"scp": "bindery/read", "roles": "[bindery/approve]"}, []string{ScopeRead}},
		{"roles beside scope", map[string]string{"scope": "bindery/read", "roles": "bindery/approve"}, []string{ScopeRead}},
		{"roles beside an empty scp", map[string]string{"scp": "", "roles": "bindery/approve"}, nil},
		{"roles beside an empty array", map[string]string{"scp": "[]", "roles": "bindery/approve"}, nil},
		{"roles of an ID token", map[string]string{"roles": "[bindery/approve]", "preferred_username": "ann@corp.example"}, nil},
		{"roles of an ID token with a nonce", map[string]string{"roles": "[bindery/approve]", "nonce": "n"}, nil},
		{"roles of a person", map[string]string{"roles": "[bindery/approve]", "idtyp": "user"}, nil},
		{"a comma separates nothing", map[string]string{"scope": "reports,bindery/approve"}, []string{"reports,bindery/approve"}},
		{"nor a tab, nor a line", map[string]string{"scope": "a\tbindery/approve\nbindery/write"}, []string{"a\tbindery/approve\nbindery/write"}},
		{"nor a quotation mark", map[string]string{"scope": `["bindery/approve","bindery/write"]`}, []string{`"bindery/approve","bindery/write"`}},
		{"nor a wide space", map[string]string{"scope": "a\u00a0bindery/approve"}, []string{"a\u00a0bindery/approve"}},
		{"one pair of brackets", map[string]string{"scp": "[[bindery/approve]]"}, []string{"[bindery/approve]"}},
		{"brackets in a word", map[string]string{"scope": "x[bindery/approve] bindery/read"}, []string{"x[bindery/approve]", ScopeRead}},
		{"an open bracket", map[string]string{"scope": "[bindery/approve"}, []string{"[bindery/approve"}},
		{"an array in the middle", map[string]string{"scope": "a [bindery/approve]"}, []string{"a", "[bindery/approve]"}},
		{"another name", map[string]string{"scopes": ScopeRead, "Scope": ScopeRead, "permissions": ScopeRead}, nil},
		{"other letters", map[string]string{"scope": "Bindery/Approve"}, []string{"Bindery/Approve"}},
	} {
		got := claims.ScopesOf(func(name string) (string, bool) {
			text, there := tt.claims[name]
			return text, there
		})
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: the claims %q grant %q, want %q", tt.name, tt.claims, got, tt.want)
		}
	}
}

func TestSubjectOfToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, claims := range []map[string]string{
		{}, {"sub": ""}, {"sub": " "}, {"sub": "ann ben"}, {"sub": "ann\n"}, {"sub": "ann\x00"}, {"sub": "a\xff"}, {"sub": "an\u200bn"},
		{"sub": strings.Repeat("x", 256)}, {"sub": "bindery"}, {"sub": "Schedule"}, {"sub": "SYSTEM"},
	} {
		claims["scope"] = everything
		a := w.as(claims, "GET", "/v1/users", "")
		if a.status != http.StatusUnauthorized || a.text("code") != "invalid-subject" || a.text("nextStep") == "" || a.header.Get("WWW-Authenticate") == "" {
			t.Errorf("the subject %q = %d %s", claims["sub"], a.status, a.raw)
		}
	}
	// A subject is kept to the letter: [ann] is not ann, nor is "ann".
	for _, sub := range []string{"ann", "[ann]", `"ann"`, "ann,ben", "auth0|ann"} {
		a := w.as(map[string]string{"sub": sub, "scope": everything}, "POST", "/v1/connections", `{"name":"x"}`)
		if a.status != 201 || a.text("requestedBy") != sub {
			t.Errorf("a connection that %q makes is %d, of %q", sub, a.status, a.text("requestedBy"))
		}
	}
}
