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

// TestConcerns: what is a user's is told of with the user's account, all else by itself.
func TestConcerns(t *testing.T) {
	t.Parallel()
	ann := AccountOf("usr_1")
	for r, want := range map[Ref]Ref{
		ann: ann, MemberOf("grp_1", "usr_1"): ann, ManagerOf("usr_1"): ann, LicenceOf("usr_1"): ann, {}: {},
		GroupRef("grp_1"): GroupRef("grp_1"), NestedIn("grp_1", "grp_2"): NestedIn("grp_1", "grp_2"), {"lamp", "usr_1"}: {"lamp", "usr_1"},
	} {
		if got := r.Concerns(); got != want {
			t.Errorf("%s concerns %s, want %s", r, got, want)
		}
	}
}
