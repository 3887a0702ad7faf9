package graph

import "testing"

// TestInvitedSignsInElsewhere: of an account that was invited the identities say so,
// also when nobody gave them; once it is converted they do not.
func TestInvitedSignsInElsewhere(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{})
	id, err := l.s.AddAccount(labTenant, map[string]any{"userPrincipalName": "yan@fabrikam.example", "displayName": "Yan", "creationType": "Invitation"})
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := func() bool {
		t.Helper()
		first, _ := listOf(l.want(200, "GET", "/users/"+id+"?$select=identities", "").body["identities"])[0].(map[string]any)
		return first["signInType"] == "federated"
	}
	if !elsewhere() {
		t.Error("an invited account signs in here")
	}
	if err := l.s.ConvertToInternal(labTenant, id, "yan2@fabrikam.example"); err != nil {
		t.Fatal(err)
	}
	if elsewhere() {
		t.Error("a converted account signs in elsewhere")
	}
}
