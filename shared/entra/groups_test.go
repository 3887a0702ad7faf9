package entra

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/quota"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

const (
	staffID   = "66666666-aaaa-4bbb-8ccc-000000000001"
	salesID   = "66666666-aaaa-4bbb-8ccc-000000000002"
	dynamicID = "66666666-aaaa-4bbb-8ccc-000000000003"
	syncedGID = "66666666-aaaa-4bbb-8ccc-000000000004"
	rolesID   = "66666666-aaaa-4bbb-8ccc-000000000005"
	unifiedID = "66666666-aaaa-4bbb-8ccc-000000000006"
	listID    = "66666666-aaaa-4bbb-8ccc-000000000007"

	groupScopes = "Group.ReadWrite.All LicenseAssignment.ReadWrite.All User.DeleteRestore.All"
)

// newGroupWorld is a world with groups of all kinds.
func newGroupWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOf(t, func(spec *entratest.TenantSpec) {
		spec.Groups = []entratest.GroupSpec{
			{ID: staffID, DisplayName: "Staff", Members: []string{plainID, boxID}},
			{ID: salesID, DisplayName: "Sales & O'Brien", Members: []string{"Staff"}},
			{ID: dynamicID, DisplayName: "Dynamic", GroupTypes: []string{"DynamicMembership"}, Properties: map[string]any{"membershipRule": `user.department -eq "Sales"`}},
			{ID: syncedGID, DisplayName: "Synced", OnPremisesSyncEnabled: true},
			{ID: rolesID, DisplayName: "Roles", IsAssignableToRole: true, Members: []string{memberID}},
			{ID: unifiedID, DisplayName: "Unified", MailNickname: "unified", GroupTypes: []string{"Unified"}, Properties: map[string]any{"mailEnabled": true, "securityEnabled": false}},
			{ID: listID, DisplayName: "List", MailNickname: "list", Properties: map[string]any{"mailEnabled": true, "securityEnabled": false}},
		}
	}, groupScopes)
}

// units are those of all requests but the batches around them, since the last reset.
func (w *world) units() (units int, writes int) {
	for _, r := range w.sim.Requests() {
		if !strings.HasSuffix(r.Path, "$batch") {
			units += int(r.ResourceUnits)
			writes += r.Writes
		}
	}
	w.sim.ResetRequests()
	return units, writes
}

func TestGroups(t *testing.T) {
	t.Parallel()
	w := newGroupWorld(t)
	ids := []directory.TenantGroupID{staffID, nobodyID, dynamicID, "x/../y", syncedGID, rolesID, unifiedID, listID}
	found, err := w.tenant.Groups(t.Context(), ids)
	if err != nil || len(found) != len(ids) {
		t.Fatal(len(found), err)
	}
	if units, _ := w.units(); units != 7*quota.UnitsOfGroup {
		t.Errorf("7 groups took %d units", units)
	}
	for i, want := range []string{"", "none", "group-dynamic", "request-invalid", "group-synced", "group-role-assignable", "", "group-mail-enabled"} {
		got := ""
		switch f := found[i]; {
		case f.Problem != nil:
			got = f.Problem.Code
		case f.Value == nil:
			got = "none"
		case f.Value.ID != ids[i]:
			t.Errorf("the answer to %s is of %s", ids[i], f.Value.ID)
		case f.Value.ReadOnly() != nil:
			got = f.Value.ReadOnly().Code
		}
		if got != want {
			t.Errorf("%s is %q, want %q", ids[i], got, want)
		}
	}
	if g := found[0].Value; g.DisplayName != "Staff" || !g.Security || g.MailEnabled || g.Kind() != directory.GroupSecurity || g.Created.IsZero() || g.Deleted != nil {
		t.Errorf("Staff = %+v", g)
	}
	if g := found[6].Value; g.Kind() != directory.GroupMicrosoft365 {
		t.Errorf("Unified = %+v", g)
	}
}

func TestListGroups(t *testing.T) {
	t.Parallel()
	w := newGroupWorld(t)
	for _, tt := range []struct {
		query directory.TenantGroupQuery
		want  []string
	}{
		{directory.TenantGroupQuery{}, []string{"Dynamic", "List", "Roles", "Sales & O'Brien", "Staff", "Synced", "Unified"}},
		{directory.TenantGroupQuery{Name: "s"}, []string{"Sales & O'Brien", "Staff", "Synced"}},
		{directory.TenantGroupQuery{Name: "Sales & O'B"}, []string{"Sales & O'Brien"}},
		{directory.TenantGroupQuery{Name: "Staff", Exact: true}, []string{"Staff"}},
		{directory.TenantGroupQuery{Name: "Sta", Exact: true}, nil},
		{directory.TenantGroupQuery{Name: "' or startswith(displayName,'"}, nil},
	} {
		page, err := w.tenant.ListGroups(t.Context(), tt.query, "")
		var names []string
		for _, g := range page.Groups {
			names = append(names, g.DisplayName)
		}
		slices.Sort(names)
		if err != nil || !slices.Equal(names, tt.want) || page.Next != "" {
			t.Errorf("%+v: %q, next %q, %v; want %q", tt.query, names, page.Next, err, tt.want)
		}
	}
}

// Deleted groups are found by ID and in a list, and neither says so of living ones.
func TestDeletedGroups(t *testing.T) {
	t.Parallel()
	w := newGroupWorld(t)
	if out := w.write(directory.Write{Effect: directory.EffectGroupDelete, GroupID: staffID}); out.Problem != nil || out.Already {
		t.Fatalf("a deletion: %+v", out)
	}
	found, err := w.tenant.DeletedGroups(t.Context(), []directory.TenantGroupID{staffID, salesID})
	if err != nil || found[0].Value == nil || found[0].Value.Deleted == nil || found[0].Value.DisplayName != "Staff" || found[1].Value != nil || found[1].Problem != nil {
		t.Errorf("deleted by ID: %+v, %v", found, err)
	}
	page, err := w.tenant.ListDeletedGroups(t.Context(), "")
	if err != nil || len(page.Groups) != 1 || page.Groups[0].ID != staffID {
		t.Errorf("deleted in a list: %+v, %v", page, err)
	}
	living, err := w.tenant.Groups(t.Context(), []directory.TenantGroupID{staffID})
	if err != nil || living[0].Value != nil || living[0].Problem != nil {
		t.Errorf("a deleted group lives: %+v, %v", living, err)
	}
	if out := w.write(directory.Write{Effect: directory.EffectGroupDelete, GroupID: staffID}); out.Problem != nil || !out.Already {
		t.Errorf("deleted again: %+v", out)
	}
	if out := w.write(directory.Write{Effect: directory.EffectGroupRestore, GroupID: staffID}); out.Problem != nil || out.GroupID != staffID {
		t.Errorf("restored: %+v", out)
	}
	if out := w.write(directory.Write{Effect: directory.EffectGroupRestore, GroupID: nobodyID}); out.Problem == nil || out.Problem.Code != "deleted-group-gone" {
		t.Errorf("restored what is not there: %+v", out)
	}
}

func TestMembers(t *testing.T) {
	t.Parallel()
	w := newGroupWorld(t)
	found, err := w.tenant.Members(t.Context(), []directory.TenantGroupID{staffID, nobodyID, salesID, unifiedID, "x"})
	if err != nil || len(found) != 5 {
		t.Fatal(found, err)
	}
	if units, _ := w.units(); units != 4*quota.UnitsOfMembers {
		t.Errorf("4 pages of members took %d units", units)
	}
	var roll directory.MemberRoll
	if err := roll.Add(found[0].Value); err != nil {
		t.Fatal(err)
	}
	members, complete := roll.Members()
	ids := []directory.AccountID{}
	for _, m := range members {
		ids = append(ids, m.ID)
		if m.Type != directory.TenantMemberUser {
			t.Errorf("%s is a %q", m.ID, m.Type)
		}
	}
	slices.Sort(ids)
	if !complete || !slices.Equal(ids, []directory.AccountID{plainID, boxID}) {
		t.Errorf("Staff has %v, complete %v", ids, complete)
	}
	if found[1].Value != nil || found[1].Err() != nil {
		t.Errorf("members of nothing: %+v", found[1])
	}
	if m := found[2].Value.Members; len(m) != 1 || m[0] != (directory.TenantMember{ID: staffID, Type: directory.TenantMemberGroup}) {
		t.Errorf("a nested group: %+v", m)
	}
	if p := found[3].Value; p == nil || len(p.Members) != 0 {
		t.Errorf("a group without members: %+v", p)
	}
	if found[4].Problem == nil {
		t.Error("an ID that is none was asked for")
	}
}

func TestMemberOf(t *testing.T) {
	t.Parallel()
	w := newGroupWorld(t)
	found, err := w.tenant.MemberOf(t.Context(), []directory.AccountID{plainID, nobodyID, "x"})
	if err != nil || len(found) != 3 {
		t.Fatal(found, err)
	}
	if units, _ := w.units(); units != 2*quota.UnitsOfMemberOf {
		t.Errorf("what two accounts are members of took %d units", units)
	}
	// Staff is in Sales, which is no matter of its members'.
	if p := found[0].Value; p == nil || len(p.Members) != 1 || p.Members[0].ID != staffID || p.Members[0].Type != directory.TenantMemberGroup || p.Next != "" {
		t.Errorf("what a member of Staff is in: %+v", found[0])
	}
	if found[1].Value != nil || found[1].Err() != nil {
		t.Errorf("what nobody is in: %+v", found[1])
	}
	if found[2].Problem == nil {
		t.Error("an ID that is none was asked for")
	}
}

// Whatever is wrong with a page, nobody is read as gone.
func TestMemberPagesThatFail(t *testing.T) {
	t.Parallel()
	w := newGroupWorld(t)
	link := simBase + "/v1.0/groups/" + staffID + "/members?$skiptoken=x"
	page := func(body string) func(*http.Request) (*http.Response, error) {
		return func(*http.Request) (*http.Response, error) { return answer(200, body), nil }
	}
	for name, tt := range map[string]struct {
		round func(*http.Request) (*http.Response, error)
		is    error
	}{
		"cut off":             {page(`{"value":[{"id":"` + plainID + `"},`), directory.ErrUnavailable},
		"no value":            {page(`{}`), directory.ErrUnavailable},
		"value null":          {page(`{"value":null}`), directory.ErrUnavailable},
		"a member without id": {page(`{"value":[{"id":"` + plainID + `"},{"@odata.type":"#microsoft.graph.user"}]}`), directory.ErrUnavailable},
		"a foreign link":      {page(`{"value":[],"@odata.nextLink":"https://evil.example/v1.0/groups"}`), directory.ErrForeignLink},
		"a link to beta":      {page(`{"value":[],"@odata.nextLink":"` + simBase + `/beta/groups"}`), directory.ErrForeignLink},
		"an expired link": {func(*http.Request) (*http.Response, error) {
			return answer(400, graphError("Directory_ExpiredPageToken", "x", "")), nil
		}, directory.ErrResync},
		"a gateway's 404": {func(*http.Request) (*http.Response, error) { return answer(404, "<html>"), nil }, directory.ErrUnavailable},
		"503":             {func(*http.Request) (*http.Response, error) { return answer(503, ""), nil }, directory.ErrUnavailable},
		"lost":            {func(*http.Request) (*http.Response, error) { return nil, errors.New("reset") }, directory.ErrUnavailable},
	} {
		w.round = tt.round
		p, err := w.tenant.MoreMembers(t.Context(), link)
		if !errors.Is(err, tt.is) || len(p.Members) > 0 {
			t.Errorf("%s: %+v, %v; want %v", name, p, err, tt.is)
		}
		if errors.Is(tt.is, directory.ErrResync) {
			continue
		}
		// The same as the first page, which is an item of a batch.
		w.round = func(r *http.Request) (*http.Response, error) {
			a, err := tt.round(r)
			if err != nil {
				return nil, err
			}
			defer a.Body.Close()
			return wrapped(t, a), nil
		}
		found, err := w.tenant.Members(t.Context(), []directory.TenantGroupID{staffID})
		if err == nil && (found[0].Value != nil || found[0].Err() == nil) {
			t.Errorf("%s, first page: %+v", name, found[0])
		}
	}
	w.round = nil
	if _, err := w.tenant.MoreMembers(t.Context(), "https://evil.example/v1.0/groups/x/members"); !errors.Is(err, directory.ErrForeignLink) {
		t.Errorf("a foreign link: %v", err)
	}
}

// TestMemberPagesToTheEnd: pages that go on and on are no members, nor is a roll whose
// pages turn in a circle.
func TestMemberPagesToTheEnd(t *testing.T) {
	t.Parallel()
	w := newGroupWorld(t)
	read := func() (members int, complete bool, err error) {
		t.Helper()
		found, err := w.tenant.Members(t.Context(), []directory.TenantGroupID{staffID})
		if err != nil || found[0].Value == nil {
			t.Fatal(found, err)
		}
		var roll directory.MemberRoll
		err = roll.Add(found[0].Value)
		for n := 0; err == nil && roll.Next() != "" && n < 5000; n++ {
			var page directory.MemberPage
			if page, err = w.tenant.MoreMembers(t.Context(), roll.Next()); err == nil {
				err = roll.Add(&page)
			}
		}
		list, complete := roll.Members()
		return len(list), complete, err
	}
	w.fault(entratest.Fault{Kind: "page-empty", Path: "/members", Times: 3})
	if n, complete, err := read(); n != 2 || !complete || err != nil {
		t.Errorf("after empty pages: %d, %v, %v", n, complete, err)
	}
	for _, kind := range []string{"page-loop-same", "page-loop-cycle"} {
		w.fault(entratest.Fault{Kind: kind, Path: "/members"})
		n, complete, err := read()
		if _, loops := directory.PagingLoop(err); !loops || n != 0 || complete {
			t.Errorf("%s: %d, %v, %v", kind, n, complete, err)
		}
		w.sim.ClearFaults()
	}
}

// deltaMarks reads a round to its end and merges the marks of each group.
func (w *world) deltaMarks(groups []directory.TenantGroupID, link string) (marks map[directory.TenantGroupID]string, next string) {
	w.Helper()
	marks = map[directory.TenantGroupID]string{}
	for range 50 {
		page, err := w.tenant.GroupDelta(w.Context(), groups, link)
		if err != nil {
			w.Fatal(err)
		}
		for _, m := range page.Marks {
			text := ""
			switch {
			case m.Permanent:
				text = " gone"
			case m.Removed:
				text = " deleted"
			}
			for _, who := range m.Members {
				sign := " +"
				if who.Removed {
					sign = " -"
				}
				text += sign + string(who.ID[len(who.ID)-2:]) + string(who.Type[0])
			}
			marks[m.ID] += text
		}
		if link = page.Next; link == "" {
			return marks, page.DeltaLink
		}
	}
	w.Fatal("a round without an end")
	return nil, ""
}

func TestGroupDelta(t *testing.T) {
	t.Parallel()
	w := newGroupWorld(t)
	both := []directory.TenantGroupID{staffID, salesID}
	marks, link := w.deltaMarks(both, "")
	if len(marks) != 2 || !strings.Contains(marks[staffID], " +03u") || !strings.Contains(marks[staffID], " +05u") {
		t.Errorf("the first round: %q", marks)
	}
	all, _ := w.deltaMarks(nil, "")
	if len(all) < 7 {
		t.Errorf("a round of all groups: %q", all)
	}
	w.write(directory.Write{Effect: directory.EffectMemberAdd, GroupID: staffID, AccountID: memberID})
	w.write(directory.Write{Effect: directory.EffectMemberRemove, GroupID: staffID, AccountID: plainID})
	w.write(directory.Write{Effect: directory.EffectMemberAdd, GroupID: unifiedID, AccountID: memberID})
	w.write(directory.Write{Effect: directory.EffectGroupDelete, GroupID: salesID})
	marks, next := w.deltaMarks(nil, link)
	if len(marks) != 2 || !strings.Contains(marks[staffID], " +06u") || !strings.Contains(marks[staffID], " -03u") || strings.Contains(marks[staffID], "+05u") || marks[salesID] != " deleted" {
		t.Errorf("the second round: %q", marks)
	}
	if marks, _ := w.deltaMarks(nil, next); len(marks) != 0 {
		t.Errorf("a round of nothing: %q", marks)
	}
	w.sim.ResetRequests()
	rounds, err := w.tenant.GroupDeltas(t.Context(), []string{next, link})
	if err != nil || rounds[0].Err() != nil || rounds[1].Err() != nil || len(rounds[0].Value.Marks) != 0 || len(rounds[1].Value.Marks) == 0 || rounds[0].Value.DeltaLink == "" {
		t.Errorf("two rounds at once: %+v, %v", rounds, err)
	}
	if units, _ := w.units(); units != 2*quota.UnitsOfGroupDelta {
		t.Errorf("two rounds took %d units", units)
	}
}

func TestGroupDeltaFromNow(t *testing.T) {
	t.Parallel()
	w := newGroupWorld(t)
	page, err := w.tenant.GroupDeltaFromNow(t.Context(), []directory.TenantGroupID{staffID})
	if err != nil || len(page.Marks) != 0 || page.Next != "" || page.DeltaLink == "" {
		t.Fatalf("a round from now on: %+v, %v", page, err)
	}
	w.write(directory.Write{Effect: directory.EffectMemberAdd, GroupID: staffID, AccountID: memberID})
	w.write(directory.Write{Effect: directory.EffectMemberAdd, GroupID: unifiedID, AccountID: memberID})
	if marks, _ := w.deltaMarks(nil, page.DeltaLink); len(marks) != 1 || marks[staffID] != " +06u" {
		t.Errorf("its next round: %q", marks)
	}
}

// Rounds with faults: what comes twice or in pieces is only marked twice, and a link
// that is dead says so.
func TestGroupDeltaFaults(t *testing.T) {
	t.Parallel()
	w := newGroupWorld(t)
	_, link := w.deltaMarks([]directory.TenantGroupID{staffID, salesID}, "")
	w.write(directory.Write{Effect: directory.EffectMemberAdd, GroupID: staffID, AccountID: memberID})
	for _, kind := range []string{"delta-duplicate", "delta-replay", "delta-split", "delta-shuffle", "delta-empty-page", "delta-slice", "delta-false-removal"} {
		fault := entratest.Fault{Kind: kind, Times: 1}
		if kind == "delta-slice" {
			fault.Size = 1
		}
		w.fault(fault)
		if marks, _ := w.deltaMarks(nil, link); !strings.Contains(marks[staffID], "+06u") {
			t.Errorf("%s: %q", kind, marks)
		}
		w.sim.ClearFaults()
	}
	for _, kind := range []string{"delta-gone", "delta-state-not-found"} {
		w.fault(entratest.Fault{Kind: kind})
		if _, err := w.tenant.GroupDelta(t.Context(), nil, link); !errors.Is(err, directory.ErrResync) {
			t.Errorf("%s: %v", kind, err)
		}
		rounds, err := w.tenant.GroupDeltas(t.Context(), []string{link})
		if err != nil || rounds[0].Problem == nil || rounds[0].Problem.Code != "sync-state-expired" {
			t.Errorf("%s in a batch: %+v, %v", kind, rounds, err)
		}
		w.sim.ClearFaults()
	}
	if err := w.sim.Advance(8 * 24 * time.Hour); err != nil {
		t.Fatal(err)
	}
	w.tokens.current = w.tokens.fresh()
	if _, err := w.tenant.GroupDelta(t.Context(), nil, link); !errors.Is(err, directory.ErrResync) {
		t.Errorf("a link of last week: %v", err)
	}
	for name, body := range map[string]string{
		"no link":            `{"value":[]}`,
		"no value":           `{"@odata.deltaLink":"` + simBase + `/v1.0/groups/delta?$deltatoken=x"}`,
		"a foreign link":     `{"value":[],"@odata.deltaLink":"https://evil.example/v1.0/groups/delta"}`,
		"a group without id": `{"value":[{"displayName":"x"}],"@odata.deltaLink":"` + simBase + `/v1.0/groups/delta?$deltatoken=x"}`,
	} {
		w.round = func(*http.Request) (*http.Response, error) { return answer(200, body), nil }
		page, err := w.tenant.GroupDelta(t.Context(), nil, "")
		if err == nil || len(page.Marks) > 0 || page.DeltaLink != "" || strings.Contains(name, "foreign") != errors.Is(err, directory.ErrForeignLink) {
			t.Errorf("%s: %+v, %v", name, page, err)
		}
	}
	w.round = func(*http.Request) (*http.Response, error) { t.Error("it was sent"); return answer(500, ""), nil }
	if _, err := w.tenant.GroupDelta(t.Context(), slices.Repeat([]directory.TenantGroupID{staffID}, MostGroupsOfDelta+1), ""); !errors.Is(err, directory.ErrNotSent) {
		t.Errorf("too many groups: %v", err)
	}
	if _, err := w.tenant.GroupDelta(t.Context(), []directory.TenantGroupID{"x' or id eq 'y"}, ""); !errors.Is(err, directory.ErrNotSent) {
		t.Errorf("an ID that is none: %v", err)
	}
	for _, foreign := range []string{"https://evil.example/v1.0/groups/delta?$deltatoken=x", simBase + "/beta/groups/delta"} {
		if _, err := w.tenant.GroupDeltas(t.Context(), []string{foreign}); !errors.Is(err, directory.ErrForeignLink) {
			t.Errorf("rounds by a foreign link: %v", err)
		}
	}
}

func TestManagers(t *testing.T) {
	t.Parallel()
	w := newGroupWorld(t)
	set := func(account, manager directory.AccountID) directory.Outcome {
		return w.write(directory.Write{Effect: directory.EffectManagerSet, AccountID: account, ManagerID: manager})
	}
	if out := set(plainID, boxID); out.Problem != nil {
		t.Fatalf("a manager: %+v", out.Problem)
	}
	w.sim.ResetRequests()
	ids := []directory.AccountID{plainID, boxID, nobodyID, "x"}
	found, err := w.tenant.Managers(t.Context(), ids)
	if err != nil || found[0].Value == nil || *found[0].Value != boxID || found[1].Value == nil || *found[1].Value != "" || found[2].Value != nil || found[2].Err() != nil || found[3].Problem == nil {
		t.Errorf("Managers = %+v, %v", found, err)
	}
	if units, _ := w.units(); units != 3*quota.UnitsOfManager {
		t.Errorf("3 managers took %d units", units)
	}
	page, err := w.tenant.ListManagers(t.Context(), "")
	if err != nil || len(page.Managers) < 6 || !slices.Contains(page.Managers, directory.AccountManager{AccountID: plainID, ManagerID: boxID}) ||
		!slices.Contains(page.Managers, directory.AccountManager{AccountID: boxID}) {
		t.Errorf("ListManagers = %+v, %v", page, err)
	}
	if units, _ := w.units(); units != quota.UnitsOfManagerPage {
		t.Errorf("a page of managers took %d units", units)
	}
	clear := directory.Write{Effect: directory.EffectManagerClear, AccountID: plainID}
	if out := w.write(clear); out.Problem != nil || out.Already {
		t.Errorf("cleared: %+v", out)
	}
	if out := w.write(clear); out.Problem != nil || !out.Already {
		t.Errorf("cleared again: %+v", out)
	}
	for name, out := range map[string]directory.Outcome{
		"no such manager": set(plainID, nobodyID), "no such account": set(nobodyID, plainID),
	} {
		if out.Problem == nil || out.Problem.Code != "reference-missing" || !out.NotVisible || out.Retry || out.Unknown {
			t.Errorf("%s: %+v, %+v", name, out, out.Problem)
		}
	}
	if out := w.write(directory.Write{Effect: directory.EffectManagerClear, AccountID: nobodyID}); out.Problem == nil || out.Already {
		t.Errorf("cleared of nobody: %+v", out)
	}
	if out := set(syncedID, plainID); out.Problem == nil || out.Problem.Kind != directory.ProblemReadOnly {
		t.Errorf("of a synced account: %+v", out.Problem)
	}
}

// wrapped is an answer as the only item of a batch.
func wrapped(t *testing.T, a *http.Response) *http.Response {
	t.Helper()
	raw, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(raw) {
		raw = []byte(`"` + base64.StdEncoding.EncodeToString(raw) + `"`)
	}
	return answer(200, fmt.Sprintf(`{"responses":[{"id":"1","status":%d,"headers":{},"body":%s}]}`, a.StatusCode, raw))
}
