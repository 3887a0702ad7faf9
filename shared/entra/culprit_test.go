package entra

import (
	"fmt"
	"net/http"
	"testing"

	"bindery/shared/directory"
)

// TestCulprit: a refusal names the property of the request that it is about, when
// it is about one, so that the others need not wait for it.
func TestCulprit(t *testing.T) {
	t.Parallel()
	body := func(code, target, message string) string {
		return fmt.Sprintf(`{"error":{"code":"Request_BadRequest","message":%q,"details":[{"code":%q,"message":%q,"target":%q}]}}`, message, code, message, target)
	}
	plain := func(message string) string {
		return fmt.Sprintf(`{"error":{"code":"Request_BadRequest","message":%q}}`, message)
	}
	const exchange = "Unable to update the specified properties for objects that have originated within an external service."
	for _, tt := range []struct {
		name   string
		effect directory.Effect
		writes []string
		status int
		body   string
		want   string
	}{
		{"named by the detail", directory.EffectUpdate, []string{"city", "department"}, 400, body("InvalidValue", "City", "Invalid value."), "city"},
		{"named by the message", directory.EffectUpdate, []string{"city", "department"}, 400, plain("Invalid value specified for property 'department' of resource 'User'."), "department"},
		{"of a creation", directory.EffectCreate, []string{"city", "userPrincipalName"}, 400, body("InvalidLength", "city", "Too long."), "city"},
		{"below a record", directory.EffectUpdate, []string{"extensionAttribute3", "city"}, 400, body("InvalidValue", "onPremisesExtensionAttributes/extensionAttribute3", "Invalid value."), "extensionAttribute3"},
		{"the record", directory.EffectUpdate, []string{"extensionAttribute3", "extensionAttribute4"}, 400, body("InvalidValue", "onPremisesExtensionAttributes", "Invalid value."), "extensionAttribute3"},
		{"not named, but alone", directory.EffectUpdate, []string{"city"}, 400, plain("One or more property values specified are invalid."), "city"},
		{"not named", directory.EffectUpdate, []string{"city", "department"}, 400, plain("One or more property values specified are invalid."), ""},
		{"not written", directory.EffectUpdate, []string{"city", "department"}, 400, body("InvalidValue", "surname", "Invalid value."), ""},
		{"the alias is taken", directory.EffectCreate, []string{"mailNickname", "userPrincipalName"}, 400, body("ObjectConflict", "mailNickname", "Another object with the same value for property mailNickname already exists."), "mailNickname"},
		{"the address is taken", directory.EffectUpdate, []string{"mail", "city"}, 400, body("ObjectConflict", "proxyAddresses", "Another object with the same value for property proxyAddresses already exists."), "mail"},
		{"an address is taken", directory.EffectCreate, []string{"mail", "userPrincipalName"}, 400, body("ObjectConflict", "proxyAddresses", "Another object with the same value for property proxyAddresses already exists."), ""},
		{"the name is taken", directory.EffectRename, []string{"userPrincipalName"}, 400, body("ObjectConflict", "userPrincipalName", "Another object with the same value for property userPrincipalName already exists."), ""},
		{"Exchange has the mail", directory.EffectUpdate, []string{"mail", "city"}, 400, plain(exchange), "mail"},
		{"Exchange has the attributes", directory.EffectUpdate, []string{"extensionAttribute1", "city"}, 400, plain(exchange), "extensionAttribute1"},
		{"the whole account", directory.EffectUpdate, []string{"city"}, 400, plain("Unable to update the specified properties for on-premises mastered Directory Sync objects."), ""},
		{"rights", directory.EffectUpdateSensitive, []string{"mobilePhone"}, 403, `{"error":{"code":"Authorization_RequestDenied","message":"Insufficient privileges to complete the operation."}}`, ""},
		{"a block", directory.EffectBlock, []string{"accountEnabled"}, 400, body("InvalidValue", "accountEnabled", "Invalid value."), ""},
		{"a quota", directory.EffectCreate, []string{"city", "userPrincipalName"}, 400, `{"error":{"code":"Directory_QuotaExceeded","message":"Full."}}`, ""},
	} {
		w := directory.Write{Effect: tt.effect, AccountID: "a", Properties: directory.Properties{}}
		for _, n := range tt.writes {
			w.Properties[n] = directory.StringValue("x")
		}
		p := classify(tt.status, http.Header{}, []byte(tt.body), askedBy(&w)).problem
		if p.Property != tt.want {
			t.Errorf("%s: %s is about %q, want %q", tt.name, p.Code, p.Property, tt.want)
		}
	}
}
