package entratest

import (
	"strings"
	"testing"
)

func TestExternalAccounts(t *testing.T) {
	l := newLab(t, Options{})
	for _, bad := range []ExternalSpec{{Mail: "x"}, {Mail: "a@b.example", UserType: "Friend"}, {Mail: "a@b.example", State: "Maybe"}} {
		if _, err := l.s.AddExternal(labTenant, bad); err == nil {
			t.Errorf("%+v was added", bad)
		}
	}
	id, err := l.s.AddExternal(labTenant, ExternalSpec{Mail: "yan@sister.example", UserType: "Member"})
	if err != nil {
		t.Fatal(err)
	}
	get := func() map[string]any {
		t.Helper()
		a, _ := l.s.Account(labTenant, id)
		return a
	}
	a := get()
	if !strings.HasPrefix(a["userPrincipalName"].(string), "yan_sister.example#EXT#@") || a["creationType"] != "Invitation" || a["userType"] != "Member" || a["externalUserState"] != "Accepted" || a["identities"] == nil {
		t.Errorf("an external member is %v", a)
	}
	if err := l.s.ConvertToInternal(labTenant, id, "yan@elsewhere.example"); err == nil {
		t.Error("an account was named in a domain that the tenant has not")
	}
	domain := strings.SplitN(a["userPrincipalName"].(string), "@", 2)[1]
	if err := l.s.ConvertToInternal(labTenant, id, "yan@"+domain); err != nil {
		t.Fatal(err)
	}
	if a = get(); a["externalUserState"] != nil || a["identities"] != nil || a["creationType"] != "Invitation" || a["userPrincipalName"] != "yan@"+domain {
		t.Errorf("converted, it is %v", a)
	}
	if err := l.s.InviteAccount(labTenant, id, "yan@sister.example"); err != nil {
		t.Fatal(err)
	}
	if a = get(); a["externalUserState"] != "Accepted" || a["userPrincipalName"] != "yan@"+domain {
		t.Errorf("invited, it is %v", a)
	}
}

// TestInvitedSignsInElsewhere: of an account that was invited the identities say so,
// also when nobody gave them; once it is converted they do not.
func TestInvitedSignsInElsewhere(t *testing.T) {
	l := newLab(t, Options{})
	t1 := l.s.tenants[labTenant]
	id, err := l.s.AddAccount(labTenant, map[string]any{"userPrincipalName": "yan@" + t1.initialDomain(), "displayName": "Yan", "creationType": "Invitation"})
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := func() bool {
		first, _ := t1.value(t1.objects[id], "identities").([]any)[0].(map[string]any)
		return first["signInType"] == "federated"
	}
	if !elsewhere() {
		t.Error("an invited account signs in here")
	}
	if err := l.s.ConvertToInternal(labTenant, id, "yan@"+t1.initialDomain()); err != nil {
		t.Fatal(err)
	}
	if elsewhere() {
		t.Error("a converted account signs in elsewhere")
	}
}

func TestEditDomains(t *testing.T) {
	l := newLab(t, Options{})
	if err := l.s.SetDomain(labTenant, DomainSpec{Name: "new.example", AuthenticationType: "Managed"}); err != nil {
		t.Fatal(err)
	}
	id, err := l.s.AddAccount(labTenant, map[string]any{"userPrincipalName": "ann@new.example", "mail": "ann@new.example"})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.s.SetDomain(labTenant, DomainSpec{Name: "other.example", AuthenticationType: "Odd"}); err == nil {
		t.Error("a domain of no known kind was added")
	}
	if err := l.s.RemoveDomain(labTenant, "new.example"); err != nil {
		t.Fatal(err)
	}
	a, _ := l.s.Account(labTenant, id)
	if upn := a["userPrincipalName"].(string); !strings.HasSuffix(upn, ".onmicrosoft.com") || a["mail"] != nil {
		t.Errorf("after its domain is gone the account is %v", a)
	}
	if err := l.s.RemoveDomain(labTenant, "new.example"); err == nil {
		t.Error("a domain was removed twice")
	}
}
