package directory

import (
	"strings"
	"testing"
)

func TestAddHolders(t *testing.T) {
	ann := Holder{Kind: HolderUser, ID: "u1", Name: "Ann", UserPrincipalName: "ann@x.example", Address: "a@x.example", Property: "mail"}
	sales := Holder{Kind: HolderGroup, ID: "g1", Name: "Sales", Address: "a@x.example", Property: "proxyAddresses"}
	old := Holder{Kind: HolderDeletedUser, ID: "d1", Address: "a@x.example", Property: "userPrincipalName"}
	for name, row := range map[string]struct {
		problem Problem
		holders Holders
		except  AccountID
		holder  string
		kind    HolderKind
		says    string
		next    string
	}{
		"a user":             {Problem{Message: "Taken."}, Holders{Found: []Holder{ann}}, "", "u1", HolderUser, "Taken. The account Ann (ann@x.example) has a@x.example as its mail.", "bind the user"},
		"a group":            {Problem{Message: "Taken."}, Holders{Found: []Holder{sales}}, "", "g1", HolderGroup, "Taken. The group Sales has a@x.example as its proxyAddresses.", "from the group"},
		"a deleted user":     {Problem{Message: "Taken."}, Holders{Found: []Holder{old}}, "", "d1", HolderDeletedUser, "Taken. The deleted user d1 has a@x.example as its userPrincipalName.", "Restore"},
		"itself and another": {Problem{Message: "Taken."}, Holders{Found: []Holder{ann, sales}}, "U1", "g1", HolderGroup, "The group Sales", "from the group"},
		"only itself":        {Problem{Message: "Taken.", Next: "n"}, Holders{Found: []Holder{ann}}, "u1", "", "", "Taken.", "n"},
		"named by Microsoft": {Problem{Message: "Taken.", Holder: "Group g1", HolderKind: HolderGroup}, Holders{Found: []Holder{ann, sales}}, "", "g1", HolderGroup, "The group Sales", "from the group"},
		"named, not found":   {Problem{Message: "Taken.", Holder: "u9", Next: "n"}, Holders{Found: []Holder{ann}, LeftOut: []HolderKind{HolderGroup}}, "", "u9", "", "Taken.", "n"},
		"left out":           {Problem{Message: "Taken."}, Holders{LeftOut: []HolderKind{HolderGroup, HolderDeletedUser}}, "", "", "", "groups and deleted users could not be searched", ""},
	} {
		p := row.problem
		if got, want := p.AddHolders(row.holders, row.except), p.Message != row.problem.Message && row.holders.Found != nil; got != want {
			t.Errorf("%s: Blame = %v, want %v", name, got, want)
		}
		if p.Holder != row.holder || p.HolderKind != row.kind || !strings.Contains(p.Message, row.says) || !strings.Contains(p.Next, row.next) {
			t.Errorf("%s: the problem is %+v", name, p)
		}
	}
}
