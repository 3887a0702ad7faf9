package directory

import "testing"

func TestGoDaddySigns(t *testing.T) {
	federated := func(authURL string) ([]Domain, map[string]Realm) {
		return []Domain{{Name: "corp.example", AuthenticationType: "Federated"}}, map[string]Realm{"corp.example": {NameSpaceType: "Federated", AuthURL: authURL}}
	}
	for url, want := range map[string]bool{
		"https://sso.godaddy.com/?app=o365&realm=pass":      true,
		"https://SSO.GoDaddy.com.:443/?app=o365":            true,
		"https://login.secureserver.net/":                   true,
		"https://notgodaddy.com/":                           false,
		"https://godaddy.com.evil.example/":                 false,
		"https://idp.example/?next=https://sso.godaddy.com": false,
		"": false,
	} {
		if score, evidence := GoDaddySigns(federated(url)); score >= GoDaddyScore != want {
			t.Errorf("%q scores %d: %v", url, score, evidence)
		}
	}
	// The name stays after a tenant was freed, and an admin may add a second one.
	freed := []Domain{{Name: "NETORG123.onmicrosoft.com"}, {Name: "netorg123a.onmicrosoft.com"}, {Name: "netorg123.mail.onmicrosoft.com"}}
	if score, evidence := GoDaddySigns(freed, nil); score != 1 {
		t.Errorf("a tenant that was freed scores %d: %v", score, evidence)
	}
}
