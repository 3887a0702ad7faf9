package people

import (
	"testing"

	"bindery/shared/core/provision"
	"bindery/shared/directory"
)

// What a client owned that is deleted anybody may edit, by hand or as another source: of
// users, of groups and of their members. As long as another client pushes the same, nobody may.
func TestWhatADeletedClientOwned(t *testing.T) {
	t.Parallel()
	p := newPushing(t)
	ctx := t.Context()
	ann := p.made("ann", map[string]string{"department": "Works", "state": "suspended"})
	ben := p.made("ben", map[string]string{"department": "Works"})
	byToken := p.user(`{"email":"eve@corp.example","department":"Works"}`, scim)
	name := "Entra"
	entra, err := p.clients.Create(ctx, admin, provision.ClientEdit{Name: &name})
	p.must(err)
	_, err = p.pushes.Edit(ctx, p.by, &entra, ben, func(*PushedUser) (UserPush, error) {
		return UserPush{Edit: map[string]string{}, Body: []byte(`{}`)}, nil
	})
	p.must(err)
	crew, err := p.pushes.CreateGroup(ctx, p.by, &p.client, GroupPush{Name: "Crew", ExternalID: "g1"})
	p.must(err)
	_, _, err = p.pushes.ChangeMembers(ctx, p.by, crew.Group.ID, []directory.UserID{ann}, nil, nil)
	p.must(err)

	patch := func(id directory.UserID, by directory.Caller) error {
		_, err := p.Patch(ctx, by, id, []byte(`{"department":"Sales"}`), 0)
		return err
	}
	out := func() int {
		r, err := p.groups.RemoveMembers(ctx, admin, crew.Group.ID, []directory.MemberRef{directory.UserMember(ann)}, 0)
		p.must(err)
		return len(r.Done)
	}
	rename := func() error {
		_, err := p.groups.Patch(ctx, admin, crew.Group.ID, []byte(`{"name":"Mob"}`), 0)
		return err
	}
	if err := patch(ann, admin); codeOf(err) != directory.CodeOwnedElsewhere || codeOf(rename()) != directory.CodeOwnedElsewhere || out() != 0 {
		t.Errorf("what a client owns: %v", err)
	}
	p.must(p.clients.Delete(ctx, admin, p.client.ID, 0))
	_, err = p.SetState(ctx, admin, ann, directory.StateActive, 0)
	p.must(err)
	p.must(patch(ann, ad))
	u := p.userNow(ann)
	if u.Department != "Sales" || u.State != directory.StateActive || u.Owners["department"] != directory.SourceAD || u.Owners["state"] != "" || u.Owners["email"] != directory.SourceSCIM {
		t.Errorf("ann is %+v, of %v", u.Profile, u.Owners)
	}
	p.must(rename())
	if out() != 1 {
		t.Error("who was put in stays in")
	}
	p.must(p.groups.Delete(ctx, admin, crew.Group.ID, 0))
	for _, id := range []directory.UserID{ben, byToken.ID} {
		if err := patch(id, admin); codeOf(err) != directory.CodeOwnedElsewhere {
			t.Errorf("what somebody still pushes: %v", err)
		}
	}
	p.must(p.clients.Delete(ctx, admin, entra.ID, 0))
	p.must(patch(ben, admin))
}
