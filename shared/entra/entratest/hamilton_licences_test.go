package entratest

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/manicminer/hamilton/environments"
	"github.com/manicminer/hamilton/msgraph"
	"github.com/manicminer/hamilton/odata"

	"bindery/shared/entra/entratest/contract"
)

const worldE3 = "05e9a617-0261-4cee-bb44-138d3ef5d965"

// The same independent client sets, reads and clears a manager, and its plumbing
// carries the licence calls, which it has no types for.
func TestHamiltonManagersAndLicences(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	check := contract.New(t)
	server := httptest.NewServer(check.Wrap(w.s))
	defer server.Close()
	users := msgraph.NewUsersClient(worldTenant)
	users.BaseClient.Endpoint = environments.ApiEndpoint(server.URL)
	users.BaseClient.ApiVersion = msgraph.Version10
	users.BaseClient.Authorizer = bearer{w.token("admin@contoso.example")}
	users.BaseClient.DisableRetries = true
	ctx := t.Context()
	plain, _, err := users.Get(ctx, "plain@contoso.example", odata.Query{})
	if err != nil {
		t.Fatal(err)
	}
	helper, _, err := users.Get(ctx, "helper@contoso.example", odata.Query{})
	if err != nil {
		t.Fatal(err)
	}

	if _, status, err := users.GetManager(ctx, *plain.ID); status != 404 {
		t.Errorf("GetManager without one: %d %v", status, err)
	}
	helper.ODataId = ptr(odata.Id(helper.Uri(users.BaseClient.Endpoint, users.BaseClient.ApiVersion)))
	if _, err := users.AssignManager(ctx, *plain.ID, *helper); err != nil {
		t.Fatalf("AssignManager: %v", err)
	}
	if got, _, err := users.GetManager(ctx, *plain.ID); err != nil || *got.ID != *helper.ID {
		t.Errorf("GetManager: %v %v", got, err)
	}
	if _, err := users.DeleteManager(ctx, *plain.ID); err != nil {
		t.Errorf("DeleteManager: %v", err)
	}
	if status, err := users.DeleteManager(ctx, *plain.ID); status != 404 {
		t.Errorf("DeleteManager again: %d %v", status, err)
	}

	change := msgraph.User{UsageLocation: msgraph.NullableString("CH")}
	change.ID = plain.ID
	if _, err := users.Update(ctx, change); err != nil {
		t.Fatal(err)
	}
	post := func(path, body string) (int, error) {
		_, status, _, err := users.BaseClient.Post(ctx, msgraph.PostHttpRequestInput{
			Body: []byte(body), ValidStatusCodes: []int{200}, Uri: msgraph.Uri{Entity: path},
		})
		return status, err
	}
	assign := fmt.Sprintf("/users/%s/assignLicense", *plain.ID)
	if _, err := post(assign, `{"addLicenses":[{"skuId":"`+worldE3+`","disabledPlans":[]}],"removeLicenses":[]}`); err != nil {
		t.Errorf("assignLicense: %v", err)
	}
	if status, err := post(assign, `{"addLicenses":[{"skuId":"`+worldTenant+`","disabledPlans":[]}],"removeLicenses":[]}`); status != 400 || err == nil || !strings.Contains(err.Error(), "valid company License") {
		t.Errorf("assignLicense of an unknown one: %d %v", status, err)
	}
	if seats := worldSeats(t, users.BaseClient); seats != 1 {
		t.Errorf("consumedUnits = %d", seats)
	}
	if check.Active() && check.Covered() < 10 {
		t.Errorf("only %d messages were validated", check.Covered())
	}
}

// worldSeats are the seats of the world's subscription that are taken.
func worldSeats(t *testing.T, client msgraph.Client) int {
	t.Helper()
	resp, _, _, err := client.Get(t.Context(), msgraph.GetHttpRequestInput{ValidStatusCodes: []int{200}, Uri: msgraph.Uri{Entity: "/subscribedSkus"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var list struct {
		Value []struct{ ConsumedUnits int }
	}
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil || len(list.Value) != 1 {
		t.Fatalf("subscribedSkus: %+v %v", list, err)
	}
	return list.Value[0].ConsumedUnits
}
