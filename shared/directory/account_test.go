package directory

import "testing"

func TestExternal(t *testing.T) {
	own := []Identity{{SignInType: "userPrincipalName", Issuer: "corp.onmicrosoft.com", IssuerAssignedID: "ann@corp.example"}}
	foreign := append([]Identity{{SignInType: "federated", Issuer: "ExternalAzureAD"}}, own...)
	for name, test := range map[string]struct {
		upn      string
		a        Account
		external bool
	}{
		"own":                              {"ann@corp.example", Account{Identities: own}, false},
		"own, identities unread":           {"ann@corp.example", Account{}, false},
		"guest of before B2B":              {"ann@corp.example", Account{UserType: "Guest", Identities: own}, false},
		"verified by mail":                 {"ann@corp.example", Account{CreationType: "EmailVerified", Identities: own}, false},
		"invited":                          {"ann_home.example#EXT#@corp.example", Account{UserType: "Guest"}, true},
		"member of another tenant":         {"ann_home.example#ext#@corp.example", Account{UserType: "Member"}, true},
		"renamed":                          {"ann@corp.example", Account{CreationType: "Invitation", ExternalUserState: "Accepted"}, true},
		"renamed, state unread":            {"ann@corp.example", Account{CreationType: "invitation"}, true},
		"not accepted yet":                 {"ann@corp.example", Account{ExternalUserState: "PendingAcceptance", Identities: own}, true},
		"own account that was invited":     {"ann@corp.example", Account{Identities: foreign}, true},
		"invited, no identity told":        {"ann@corp.example", Account{CreationType: "Invitation", Identities: []Identity{}}, true},
		"signed up":                        {"ann@corp.example", Account{CreationType: "SelfServiceSignUp"}, true},
		"converted to an internal account": {"ann@corp.example", Account{CreationType: "Invitation", Identities: own}, false},
	} {
		test.a.Properties = Properties{PropUserPrincipalName: StringValue(test.upn)}
		if got := test.a.External(); got != test.external {
			t.Errorf("%s: external = %v, want %v", name, got, test.external)
		}
	}
}

func TestAtHome(t *testing.T) {
	mark := Account{ExternalUserState: "Accepted", Properties: Properties{}}
	for name, a := range map[string]Account{
		"mail":     {ExternalUserState: "Accepted", Properties: Properties{PropMail: StringValue("Yan@Sister.example")}},
		"other":    {ExternalUserState: "Accepted", Properties: Properties{PropOtherMails: ListValue("x@y.example", "YAN@sister.example")}},
		"proxy":    {ExternalUserState: "Accepted", ProxyAddresses: []string{"SMTP:yan@sister.example"}, Properties: Properties{}},
		"identity": {ExternalUserState: "Accepted", Identities: []Identity{{"federated", "mail", "yan@sister.example"}}, Properties: Properties{}},
		"name":     {Properties: Properties{PropUserPrincipalName: StringValue("yan_sister.example#EXT#@corp.example")}},
	} {
		if !a.AtHome(" yan@SISTER.example") {
			t.Errorf("by %s it is not known", name)
		}
	}
	own := Account{Properties: Properties{PropMail: StringValue("yan@sister.example")}}
	if own.AtHome("yan@sister.example") || mark.AtHome("yan@sister.example") || mark.AtHome("") {
		t.Error("an own account, or one of somebody else, counts as the person's external one")
	}
}
