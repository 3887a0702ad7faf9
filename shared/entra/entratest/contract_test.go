package entratest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"bindery/shared/entra/entratest/contract"
)

// tour is a call of each endpoint, in order; {id} is the account made on the way.
var tour = []struct {
	method, path, body string
	status             int
}{
	{"GET", "/organization", "", 200},
	{"GET", "/organization?$select=id,displayName,verifiedDomains", "", 200},
	{"GET", "/domains", "", 200},
	{"GET", "/domains/contoso.example", "", 200},
	{"GET", "/domains/nowhere.example", "", 404},
	{"GET", "/domains/fed.example/federationConfiguration", "", 200},
	{"GET", "/domains/contoso.example/serviceConfigurationRecords", "", 200},
	{"GET", "/domains/contoso.example/verificationDnsRecords", "", 200},
	{"GET", "/subscribedSkus", "", 200},
	{"GET", "/subscribedSkus/" + worldTenant + "_05e9a617-0261-4cee-bb44-138d3ef5d965", "", 200},
	{"GET", "/me", "", 200},
	{"GET", "/me/memberOf", "", 200},
	{"GET", "/me/transitiveMemberOf/microsoft.graph.directoryRole?$count=true", "", 200},
	{"GET", "/directoryRoles", "", 200},
	{"GET", "/roleManagement/directory/roleAssignments", "", 200},
	{"GET", "/roleManagement/directory/roleDefinitions", "", 200},
	{"POST", "/users", `{"accountEnabled":true,"displayName":"Zoë","mailNickname":"zoe","userPrincipalName":"zoe@contoso.example","usageLocation":"CH","passwordProfile":{"password":"Correct-Horse-7-Battery","forceChangePasswordNextSignIn":false}}`, 201},
	{"POST", "/users", `{"displayName":"Nobody"}`, 400},
	{"GET", "/users?$top=2", "", 200},
	{"GET", "/users?$select=id,displayName,mail,proxyAddresses,onPremisesExtensionAttributes,employeeOrgData,assignedLicenses&$top=999", "", 200},
	{"GET", "/users?$filter=startsWith(displayName,'Z')&$count=true&$orderby=displayName", "", 200},
	{"GET", "/users?$filter=shoeSize%20eq%205", "", 400},
	{"GET", "/users/zoe@contoso.example", "", 200},
	{"GET", "/users/{id}?$select=id,accountEnabled,createdDateTime,userType,otherMails,businessPhones,passwordPolicies,identities,signInSessionsValidFromDateTime", "", 200},
	{"GET", "/users/nobody@contoso.example", "", 404},
	{"PATCH", "/users/{id}", `{"city":"Zürich","businessPhones":["+41 44 000 00 00"],"onPremisesExtensionAttributes":{"extensionAttribute1":"x"}}`, 204},
	{"PATCH", "/users/{id}", `{"city":null,"businessPhones":[]}`, 204},
	{"PATCH", "/users/{id}", `{"city":5}`, 400},
	{"GET", "/users/{id}/manager", "", 404},
	{"GET", "/users/{id}/memberOf", "", 200},
	{"POST", "/users/{id}/assignLicense", `{"addLicenses":[{"skuId":"05e9a617-0261-4cee-bb44-138d3ef5d965","disabledPlans":[]}],"removeLicenses":[]}`, 200},
	{"POST", "/users/{id}/assignLicense", `{"addLicenses":[]}`, 400},
	{"GET", "/users/{id}?$select=id,assignedLicenses,assignedPlans,licenseAssignmentStates", "", 200},
	{"GET", "/users/{id}/licenseDetails", "", 200},
	{"POST", "/users/{id}/reprocessLicenseAssignment", "", 200},
	{"GET", "/users/{id}/directReports", "", 200},
	{"PUT", "/users/{id}/manager/$ref", `{"@odata.id":"https://graph.microsoft.com/v1.0/users/{id}"}`, 204},
	{"GET", "/users/{id}/manager", "", 200},
	{"GET", "/users/{id}/directReports", "", 200},
	{"DELETE", "/users/{id}/manager/$ref", "", 204},
	{"GET", "/users/{id}/photo", "", 404},
	{"GET", "/users/{id}/photo/$value", "", 404},
	{"GET", "/users/{id}/photos/240x240/$value", "", 404},
	{"POST", "/users/{id}/revokeSignInSessions", "", 200},
	{"GET", "/users/delta?$select=displayName,city", "", 200},
	{"GET", "/users/delta()?$deltatoken=latest", "", 200},
	{"GET", "/users/microsoft.graph.delta()?$top=5", "", 400},
	{"GET", "/groups", "", 200},
	{"POST", "/$batch", `{"requests":[{"id":"1","method":"GET","url":"/users/{id}"},{"id":"2","method":"PATCH","url":"/users/{id}","headers":{"Content-Type":"application/json"},"body":{"jobTitle":"Engineer"}},{"id":"3","method":"GET","url":"/users/nobody@contoso.example"}]}`, 200},
	{"DELETE", "/users/{id}", "", 204},
	{"GET", "/directory/deletedItems/microsoft.graph.user", "", 200},
	{"GET", "/directory/deletedItems/{id}", "", 200},
	{"POST", "/directory/deletedItems/{id}/restore", `{}`, 200},
	{"DELETE", "/users/{id}", "", 204},
	{"DELETE", "/directory/deletedItems/{id}", "", 204},
	{"GET", "/directory/deletedItems/{id}", "", 404},
	{"GET", "/auditLogs/directoryAudits", "", 200},
	{"GET", "/oauth2PermissionGrants", "", 200},
}

// Every answer of the simulator, a refusal too, fits the independent description.
func TestAnswersFitTheDescription(t *testing.T) {
	t.Parallel()
	check := contract.Load(t)
	w := newWorld(t)
	tok := w.token("admin@contoso.example")
	h := check.Wrap(w.s)
	id := ""
	for _, c := range tour {
		path, body := strings.ReplaceAll(c.path, "{id}", id), strings.ReplaceAll(c.body, "{id}", id)
		r := httptest.NewRequest(c.method, worldBase+"/v1.0"+strings.ReplaceAll(path, " ", "%20"), strings.NewReader(body))
		r.Header.Set("ConsistencyLevel", "eventual")
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		tok.SetAuthHeader(r)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if rec.Code != c.status {
			t.Errorf("%s %s = %d %s, want %d", c.method, path, rec.Code, rec.Body, c.status)
		}
		if c.method == http.MethodPost && c.path == "/users" && rec.Code == http.StatusCreated {
			var made struct{ ID string }
			if err := json.Unmarshal(rec.Body.Bytes(), &made); err != nil || made.ID == "" {
				t.Fatalf("the new account has no id: %v", err)
			}
			id = made.ID
		}
	}
	if check.Covered() < 40 {
		t.Errorf("only %d messages were validated", check.Covered())
	}
}
