package entratest

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/manicminer/hamilton/environments"
	"github.com/manicminer/hamilton/msgraph"
	"github.com/manicminer/hamilton/odata"
	"golang.org/x/oauth2"

	"bindery/shared/entra/entratest/contract"
)

// bearer is an authorizer of hamilton that always has the same token.
type bearer struct{ token *oauth2.Token }

func (b bearer) Token() (*oauth2.Token, error)             { return b.token, nil }
func (b bearer) AuxiliaryTokens() ([]*oauth2.Token, error) { return nil, nil }

func ptr[T any](v T) *T { return &v }

// An independent client, written against Microsoft and unchanged, over a socket:
// it lists, reads, creates, updates, deletes, restores and purges users.
func TestHamilton(t *testing.T) {
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

	before, _, err := users.List(ctx, odata.Query{})
	if err != nil {
		t.Fatalf("List: %v", err)
	}
	if len(*before) != 3 {
		t.Errorf("List gave %d users, want 3", len(*before))
	}
	made, _, err := users.Create(ctx, msgraph.User{
		AccountEnabled: ptr(true), DisplayName: ptr("Zoë O'Neill"), MailNickname: ptr("zoe"), UserPrincipalName: ptr("zoe.o'neill@contoso.example"),
		City: msgraph.NullableString("Zürich"), PasswordProfile: &msgraph.UserPasswordProfile{Password: ptr("Correct-Horse-7-Battery")},
	})
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	found, _, err := users.List(ctx, odata.Query{Filter: "userPrincipalName eq 'zoe.o''neill@contoso.example'"})
	if err != nil || len(*found) != 1 || *(*found)[0].ID != *made.ID {
		t.Errorf("List with a filter: %v %v", found, err)
	}
	if _, status, err := users.Create(ctx, msgraph.User{
		AccountEnabled: ptr(true), DisplayName: ptr("Again"), MailNickname: ptr("again"), UserPrincipalName: made.UserPrincipalName,
		PasswordProfile: &msgraph.UserPasswordProfile{Password: ptr("Correct-Horse-7-Battery")},
	}); status != 400 || err == nil || !strings.Contains(err.Error(), "userPrincipalName already exists") {
		t.Errorf("creating the same name again: %d %v", status, err)
	}
	change := msgraph.User{JobTitle: msgraph.NullableString("Engineer"), City: msgraph.NullableString("")}
	change.ID = made.ID
	if _, err := users.Update(ctx, change); err != nil {
		t.Fatalf("Update: %v", err)
	}
	got, _, err := users.Get(ctx, *made.ID, odata.Query{Select: []string{"id", "jobTitle", "city", "displayName"}})
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	if got.JobTitle == nil || *got.JobTitle != "Engineer" || got.City != nil || *got.DisplayName != "Zoë O'Neill" {
		t.Errorf("after Update: jobTitle %v, city %v, displayName %v", got.JobTitle, got.City, *got.DisplayName)
	}
	hamiltonDeletes(t, users, *made.ID)
	if check.Active() && check.Covered() < 10 {
		t.Errorf("only %d messages were validated", check.Covered())
	}
}

func hamiltonDeletes(t *testing.T, users *msgraph.UsersClient, id string) {
	t.Helper()
	ctx := t.Context()
	if _, err := users.Delete(ctx, id); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	if _, status, err := users.Get(ctx, id, odata.Query{}); status != 404 {
		t.Errorf("Get after Delete: %d %v, want 404", status, err)
	}
	deleted, _, err := users.ListDeleted(ctx, odata.Query{})
	if err != nil || len(*deleted) != 1 || *(*deleted)[0].ID != id {
		t.Errorf("ListDeleted: %v", err)
	}
	restored, _, err := users.RestoreDeleted(ctx, id)
	if err != nil || *restored.ID != id || *restored.UserPrincipalName != "zoe.o'neill@contoso.example" {
		t.Fatalf("RestoreDeleted: %v %v", restored, err)
	}
	if _, err := users.Delete(ctx, id); err != nil {
		t.Fatalf("Delete again: %v", err)
	}
	if _, err := users.DeletePermanently(ctx, id); err != nil {
		t.Errorf("DeletePermanently: %v", err)
	}
	if deleted, _, err = users.ListDeleted(ctx, odata.Query{}); err != nil || len(*deleted) != 0 {
		t.Errorf("ListDeleted after the end: %v %v", deleted, err)
	}
}
