package directory

import "testing"

// TestMembershipsAreTold: the Ref of a membership says whose it is, and of which
// group; nothing else does.
func TestMembershipsAreTold(t *testing.T) {
	t.Parallel()
	if g, u, ok := MemberOf("grp_1", "usr_2").Member(); !ok || g != "grp_1" || u != "usr_2" {
		t.Errorf("the membership of a user is %q of %q, %v", u, g, ok)
	}
	if g, m, ok := NestedIn("grp_1", "grp_2").Nested(); !ok || g != "grp_1" || m != "grp_2" {
		t.Errorf("the membership of a group is %q of %q, %v", m, g, ok)
	}
	for _, r := range []Ref{{}, {KindMember, "grp_1"}, {KindMember, "grp_1."}, {KindMember, ".usr_1"}, {KindGroup, "grp_1.usr_1"}, {KindMember, "grp_1.~a"}, NestedIn("grp_1", "grp_2")} {
		if g, u, ok := r.Member(); ok {
			t.Errorf("%s is the membership of %q in %q", r, u, g)
		}
	}
	if _, _, ok := MemberOf("grp_1", "usr_2").Nested(); ok {
		t.Error("a user is taken for a group")
	}
}
