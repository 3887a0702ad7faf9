package entratest

import (
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/manicminer/hamilton/environments"
	"github.com/manicminer/hamilton/msgraph"
	"github.com/manicminer/hamilton/odata"

	"bindery/shared/entra/entratest/contract"
)

// The same independent client drives groups, their members and their owners. It takes
// "already exist" and "do not exist" for success by Microsoft's words, asks for a
// reference before it removes one, and knows the errors of a last owner.
func TestHamiltonGroups(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	check := contract.New(t)
	server := httptest.NewServer(check.Wrap(w.s))
	defer server.Close()
	h := hamiltonGroups{t, msgraph.NewGroupsClient(worldTenant), w, server.URL}
	h.BaseClient.Endpoint = environments.ApiEndpoint(server.URL)
	h.BaseClient.ApiVersion = msgraph.Version10
	h.BaseClient.Authorizer = bearer{w.token("admin@contoso.example")}
	h.BaseClient.DisableRetries = true
	ctx := t.Context()

	made, _, err := h.Create(ctx, msgraph.Group{
		DisplayName: ptr("Ärzte"), MailEnabled: ptr(false), MailNickname: ptr("aerzte"), SecurityEnabled: ptr(true),
		Members: &msgraph.Members{h.object("plain@contoso.example")}, Owners: &msgraph.Owners{h.object("helper@contoso.example")},
	})
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	id := *made.ID
	if members, _, err := h.ListMembers(ctx, id); err != nil || !slices.Equal(*members, []string{h.id("plain@contoso.example")}) {
		t.Errorf("ListMembers: %v %v", members, err)
	}
	h.links(id)
	club, _, err := h.Create(ctx, msgraph.Group{
		DisplayName: ptr("Club"), MailEnabled: ptr(true), MailNickname: ptr("club"), SecurityEnabled: ptr(false), GroupTypes: []msgraph.GroupType{msgraph.GroupTypeUnified},
		ResourceBehaviorOptions: []msgraph.GroupResourceBehaviorOption{msgraph.GroupResourceBehaviorOptionWelcomeEmailDisabled},
	})
	if err != nil || club.Mail == nil || *club.Mail != "club@contoso.example" {
		t.Fatalf("Create of a Microsoft 365 group: %+v %v", club, err)
	}
	change := msgraph.Group{Description: msgraph.NullableString("Of all"), DisplayName: ptr("Doctors")}
	change.ID = &id
	if _, err := h.Update(ctx, change); err != nil {
		t.Fatalf("Update: %v", err)
	}
	got, _, err := h.Get(ctx, id, odata.Query{})
	if err != nil || *got.DisplayName != "Doctors" || *got.Description != "Of all" {
		t.Errorf("Get: %v %v", got, err)
	}
	found, _, err := h.List(ctx, odata.Query{Filter: "displayName eq 'Doctors'"})
	if err != nil || len(*found) != 1 || *(*found)[0].ID != id {
		t.Errorf("List: %v %v", found, err)
	}
	h.deletes(id)
	if check.Active() && check.Covered() < 20 {
		t.Errorf("only %d messages were validated", check.Covered())
	}
}

// hamiltonGroups is the client at work on the world.
type hamiltonGroups struct {
	*testing.T
	*msgraph.GroupsClient
	w    *world
	base string
}

func (h hamiltonGroups) id(upn string) string {
	h.Helper()
	a, ok := h.w.s.Account(worldTenant, upn)
	if !ok {
		h.Fatalf("there is no %s", upn)
	}
	return a["id"].(string)
}

// object is an account as the client refers to it.
func (h hamiltonGroups) object(upn string) msgraph.DirectoryObject {
	h.Helper()
	id := h.id(upn)
	return msgraph.DirectoryObject{ID: &id, ODataId: (*odata.Id)(ptr(h.base + "/v1.0/directoryObjects/" + id))}
}

// links adds and removes members and owners, each twice.
func (h hamiltonGroups) links(id string) {
	h.Helper()
	ctx := h.Context()
	group := &msgraph.Group{Members: &msgraph.Members{h.object("plain@contoso.example"), h.object("helper@contoso.example")}, Owners: &msgraph.Owners{h.object("admin@contoso.example")}}
	group.ID = &id
	admin, helper, plain := h.id("admin@contoso.example"), h.id("helper@contoso.example"), h.id("plain@contoso.example")
	for range 2 {
		if _, err := h.AddMembers(ctx, group); err != nil {
			h.Fatalf("AddMembers: %v", err)
		}
		if _, err := h.AddOwners(ctx, group); err != nil {
			h.Fatalf("AddOwners: %v", err)
		}
	}
	if owners, _, err := h.ListOwners(ctx, id); err != nil || len(*owners) != 2 {
		h.Errorf("ListOwners: %v %v", owners, err)
	}
	if _, status, err := h.GetMember(ctx, id, admin); status != 404 || err == nil {
		h.Errorf("GetMember of nobody: %d %v", status, err)
	}
	for range 2 {
		if _, err := h.RemoveMembers(ctx, id, &[]string{plain}); err != nil {
			h.Errorf("RemoveMembers: %v", err)
		}
		if _, err := h.RemoveOwners(ctx, id, &[]string{helper}); err != nil {
			h.Errorf("RemoveOwners: %v", err)
		}
	}
	if members, _, err := h.ListMembers(ctx, id); err != nil || !slices.Equal(*members, []string{helper}) {
		h.Errorf("ListMembers at last: %v %v", members, err)
	}
	if status, err := h.RemoveOwners(ctx, id, &[]string{admin}); status != 400 || err == nil {
		h.Errorf("the last owner was removed: %d %v", status, err)
	}
}

func (h hamiltonGroups) deletes(id string) {
	h.Helper()
	ctx := h.Context()
	if _, err := h.Delete(ctx, id); err != nil {
		h.Fatalf("Delete: %v", err)
	}
	if _, status, _ := h.Get(ctx, id, odata.Query{}); status != 404 {
		h.Errorf("Get after Delete: %d, want 404", status)
	}
	if deleted, _, err := h.ListDeleted(ctx, odata.Query{}); err != nil || len(*deleted) != 1 || *(*deleted)[0].ID != id {
		h.Errorf("ListDeleted: %v", err)
	}
	if restored, _, err := h.RestoreDeleted(ctx, id); err != nil || *restored.ID != id {
		h.Fatalf("RestoreDeleted: %v", err)
	}
	if _, err := h.Delete(ctx, id); err != nil {
		h.Fatalf("Delete again: %v", err)
	}
	if _, err := h.DeletePermanently(ctx, id); err != nil {
		h.Errorf("DeletePermanently: %v", err)
	}
	if _, status, _ := h.GetDeleted(ctx, id, odata.Query{}); status != 404 {
		h.Errorf("GetDeleted after the end: %d, want 404", status)
	}
}
