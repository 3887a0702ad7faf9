package people

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bindery/shared/core/assign"
	"bindery/shared/core/assign/assigntest"
	"bindery/shared/core/jobs"
	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table"
	"bindery/shared/table/memory"
)

// managersOf are the managers of accounts in a tenant.
type managersOf map[directory.AccountID]directory.AccountID

func (m managersOf) Managers(_ context.Context, ids []directory.AccountID) ([]directory.Read[directory.AccountID], error) {
	out := make([]directory.Read[directory.AccountID], len(ids))
	for i, id := range ids {
		manager := m[id]
		out[i].Value = &manager
	}
	return out, nil
}

func (m managersOf) ListManagers(_ context.Context, link string) (directory.ManagerPage, error) {
	var all []directory.AccountManager
	for id, manager := range m {
		all = append(all, directory.AccountManager{AccountID: id, ManagerID: manager})
	}
	slices.SortFunc(all, func(a, b directory.AccountManager) int {
		return strings.Compare(string(a.AccountID), string(b.AccountID))
	})
	half := len(all) / 2
	if link == "" {
		return directory.ManagerPage{Managers: all[:half], Next: "second"}, nil
	}
	return directory.ManagerPage{Managers: all[half:]}, nil
}

const (
	salesID directory.TenantGroupID = "10000000-0000-4000-8000-00000000000a"
	allID   directory.TenantGroupID = "10000000-0000-4000-8000-00000000000b"
	goneID  directory.TenantGroupID = "10000000-0000-4000-8000-00000000000c"
)

// importGroups imports groups and returns the job at its end.
func (w *world) importGroups(ids ...directory.TenantGroupID) store.JobRecord {
	w.t.Helper()
	j, err := w.StartImport(w.t.Context(), admin, w.conn.ID, ImportRequest{GroupIDs: ids})
	w.must(err)
	done := w.run(j.ID)
	if done.State != directory.JobDone {
		w.t.Fatalf("the import: %+v", done.Job)
	}
	return done
}

// tenantWithGroups has two groups, one in the other, and people who are in the directory
// for different reasons, or not.
func (w *world) tenantWithGroups() (bound, byAddress directory.User) {
	w.t.Helper()
	w.tenant.Accounts = []directory.Account{assigntest.Account("bound", "bound@corp.example"), assigntest.Account("known", "known@corp.example"), assigntest.Account("new", "new@corp.example")}
	bound, byAddress = w.user(`{"email":"other@corp.example"}`, admin), w.user(`{"email":"known@corp.example"}`, admin)
	w.must(w.store.Bindings.Bind(w.t.Context(), directory.AuditEvent{}, &w.conn, "admin", []store.Selection{{User: &bound, AccountID: "bound"}}))
	user := func(id string) directory.TenantMember {
		return directory.TenantMember{ID: directory.AccountID(id), Type: directory.TenantMemberUser}
	}
	w.tenants.List = []directory.TenantGroup{
		{ID: salesID, DisplayName: "Sales", Description: "Those who sell", MailNickname: "sales", Security: true},
		{ID: allID, DisplayName: "Everybody", MailNickname: "ever body", Security: true},
	}
	w.tenants.InThem = map[directory.TenantGroupID][]directory.TenantMember{
		salesID: {user("bound"), user("known"), user("new"), {ID: "device", Type: directory.TenantMemberDevice}},
		allID:   {{ID: directory.AccountID(salesID), Type: directory.TenantMemberGroup}, {ID: "20000000-0000-4000-8000-000000000000", Type: directory.TenantMemberGroup}},
	}
	return bound, byAddress
}

func TestImportGroups(t *testing.T) {
	w := newWorld(t)
	bound, known := w.tenantWithGroups()
	w.tenants.Size = 2
	done := w.importGroups(salesID, allID, goneID, directory.TenantGroupID(strings.ToUpper(string(salesID))))
	if c := done.Counts; c["created"] != 2 || c["membersAdded"] != 3 || c["membersNotInDirectory"] != 1 || c["groupsNotImported"] != 1 || c["membersOfOtherTypes"] != 1 || done.Done != 3 || done.NotesCount != 1 {
		t.Errorf("counted %v, done %d, notes %+v", c, done.Done, done.Notes)
	}
	refused := ""
	for _, r := range w.refusals(done.ID) {
		refused += r.Code + " "
	}
	if refused != "tenant-group-not-found member-not-in-directory member-not-in-directory " {
		t.Errorf("refused: %s", refused)
	}
	sales, all := w.named("Sales"), w.named("Everybody")
	if sales.Source != directory.SourceM365 || sales.Description != "Those who sell" || sales.MailNickname != "sales" || sales.ExternalID != string(salesID) ||
		len(sales.Owners) != 0 || sales.ImportedFrom == nil || sales.ImportedFrom.GroupID != salesID || all.MailNickname != "" {
		t.Errorf("imported: %+v, %+v", sales, all)
	}
	if got, want := w.members(sales.ID, MemberFilter{}), []string{string(bound.ID), string(known.ID)}; !sameSet(got, want) {
		t.Errorf("Sales has %v, want %v", got, want)
	}
	if got := w.members(all.ID, MemberFilter{}); !sameSet(got, []string{string(sales.ID)}) {
		t.Errorf("Everybody has %v", got)
	}

	// Again: nothing is made twice, and what has changed in the tenant is brought along.
	w.tenants.List[0].DisplayName, w.tenants.List[0].Description = "Sales & more", ""
	w.tenants.InThem[salesID] = w.tenants.InThem[salesID][1:]
	if c := w.importGroups(salesID, allID).Counts; c["updated"] != 1 || c["unchanged"] != 1 || c["membersAdded"] != 0 || c["membersUnchanged"] != 2 || c["created"] != 0 {
		t.Errorf("again: %v", c)
	}
	if g := w.named("Sales & more"); g.ID != sales.ID || g.Description != "" {
		t.Errorf("renamed in the tenant: %+v", g)
	}
	if got := w.members(sales.ID, MemberFilter{}); len(got) != 2 {
		t.Errorf("an import took somebody away: %v", got)
	}

	// What somebody has edited stays.
	_, err := w.groups.Patch(t.Context(), admin, sales.ID, []byte(`{"name":"Vendors"}`), 0)
	w.must(err)
	w.tenants.List[0].Description = "New words"
	if c := w.importGroups(salesID).Counts; c["edited"] != 1 || c["updated"] != 0 {
		t.Errorf("of an edited group: %v", c)
	}
	if g := w.named("Vendors"); g.ID != sales.ID || g.Description != "" {
		t.Errorf("the edit: %+v", g)
	}

	// A deleted group is made anew; a name of another group is refused.
	w.must(w.groups.Delete(t.Context(), admin, sales.ID, 0))
	w.group(`{"name":"Everybody else"}`, admin)
	w.tenants.List[0].DisplayName = "everybody ELSE"
	done = w.importGroups(salesID)
	if r := w.refusals(done.ID); len(r) != 1 || r[0].Code != "group-name-taken" || r[0].Name != "everybody ELSE" {
		t.Errorf("a taken name: %+v", r)
	}
	w.tenants.List[0].DisplayName = "Sales"
	if c := w.importGroups(salesID).Counts; c["created"] != 1 || w.named("Sales").ID == sales.ID {
		t.Errorf("after a deletion: %v", c)
	}
}

// TestImportGroupsExported: of a group that the connection exports, an import brings who
// is in it, and leaves alone what it is called.
func TestImportGroupsExported(t *testing.T) {
	w := newWorld(t)
	_, _ = w.tenantWithGroups()
	g := w.group(`{"name":"Vendors"}`, admin)
	w.must(w.store.Bindings.Bind(t.Context(), directory.AuditEvent{}, &w.conn, "admin", []store.Selection{{Object: directory.GroupRef(g.ID), Version: 1, AccountID: directory.AccountID(salesID)}}))
	if c := w.importGroups(salesID).Counts; c["existing"] != 1 || c["membersAdded"] != 2 {
		t.Errorf("of an exported group: %v", c)
	}
	if got, err := w.groups.Get(t.Context(), g.ID); err != nil || got.Name != "Vendors" || got.ImportedFrom != nil || len(w.members(g.ID, MemberFilter{})) != 2 {
		t.Errorf("the exported group: %+v, %v", got, err)
	}
}

func TestImportGroupsRefused(t *testing.T) {
	w := newWorld(t)
	for _, req := range []ImportRequest{
		{GroupIDs: []directory.TenantGroupID{salesID}, All: true}, {GroupIDs: []directory.TenantGroupID{salesID}, Bind: true},
		{GroupIDs: []directory.TenantGroupID{salesID}, AccountIDs: []directory.AccountID{"a"}}, {GroupIDs: []directory.TenantGroupID{"../users"}},
	} {
		if _, err := w.StartImport(t.Context(), admin, w.conn.ID, req); codeOf(err) != "invalid-body" {
			t.Errorf("%+v: %v", req, err)
		}
	}
	_, err := w.store.Connections.ModifyConnection(t.Context(), directory.AuditEvent{}, w.conn.ID, func(c *directory.Connection) error {
		c.Scopes = []string{"User.ReadWrite.All"}
		return nil
	})
	w.must(err)
	if _, err := w.StartImport(t.Context(), admin, w.conn.ID, ImportRequest{GroupIDs: []directory.TenantGroupID{salesID}}); codeOf(err) != "scope-missing" {
		t.Errorf("without the permission: %v", err)
	}
}

// TestImportGroupsCrashes makes every call of the table fail once, and expects the same
// groups with the same members.
func TestImportGroupsCrashes(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"Write", "Get", "GetMany"} {
		for n := 1; n <= 16; n++ {
			for _, after := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%t/%d", method, after, n), func(t *testing.T) {
					t.Parallel()
					w := newWorld(t)
					w.tenantWithGroups()
					w.tenants.Size = 2
					j, err := w.StartImport(t.Context(), admin, w.conn.ID, ImportRequest{GroupIDs: []directory.TenantGroupID{salesID, allID}})
					w.must(err)
					var mu sync.Mutex
					calls := 0
					hook := func(_ context.Context, c memory.Call) error {
						mu.Lock()
						defer mu.Unlock()
						if c.Method == method {
							calls++
							if calls == n {
								return fmt.Errorf("power cut: %w", table.ErrBusy)
							}
						}
						return nil
					}
					if after {
						w.table.After = hook
					} else {
						w.table.Before = hook
					}
					for range 30 {
						_, delay, _ := w.runner.Work(t.Context(), j.ID, w.Now().Add(100*time.Second))
						w.Advance(delay + jobs.LeaseTime)
						if rec, _ := w.store.Jobs.Job(t.Context(), j.ID); rec.State == directory.JobDone {
							break
						}
					}
					w.table.Before, w.table.After = nil, nil
					page, err := w.groups.List(t.Context(), GroupFilter{}, "", 100)
					w.must(err)
					if len(page.Groups) != 2 || len(w.members(w.named("Sales").ID, MemberFilter{})) != 2 || len(w.members(w.named("Everybody").ID, MemberFilter{})) != 1 {
						t.Errorf("after a failing call: %+v", page.Groups)
					}
				})
			}
		}
	}
}

// unreadable is a tenant with a group whose members may not be read.
type unreadable struct {
	assign.GroupTenant
	id      directory.TenantGroupID
	problem directory.Problem
}

func (u *unreadable) Members(ctx context.Context, ids []directory.TenantGroupID) ([]directory.Read[directory.MemberPage], error) {
	out, err := u.GroupTenant.Members(ctx, ids)
	for i, id := range ids {
		if id == u.id && err == nil {
			out[i] = directory.Read[directory.MemberPage]{Problem: &u.problem}
		}
	}
	return out, err
}

// TestImportGroupUnreadable: a tenant group whose members may not be read is told of, and
// keeps no other from being imported; what concerns the connection ends the import.
func TestImportGroupUnreadable(t *testing.T) {
	t.Parallel()
	denied := directory.Problem{Code: directory.CodeGroupNotRead, Kind: directory.ProblemTenant, MicrosoftStatus: 403, Message: "The members may not be read.", Next: "Ask an admin."}
	expired := directory.Problem{Code: directory.CodeAccessTokenExpired, Kind: directory.ProblemAuthorization, Message: "Not authorised.", Next: "Authorise it again."}
	for name, problem := range map[string]directory.Problem{"denied": denied, "expired": expired} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.tenantWithGroups()
			w.opened = &unreadable{w.tenants, salesID, problem}
			j, err := w.StartImport(t.Context(), admin, w.conn.ID, ImportRequest{GroupIDs: []directory.TenantGroupID{salesID, allID}})
			w.must(err)
			if problem.Kind == directory.ProblemAuthorization {
				for range 5 {
					_, delay, _ := w.runner.Work(t.Context(), j.ID, w.Now().Add(time.Minute))
					w.Advance(delay)
				}
				if done, err := w.store.Jobs.Job(t.Context(), j.ID); err != nil || done.State == directory.JobDone {
					t.Errorf("the import is %s, %v", done.State, err)
				}
				return
			}
			done := w.run(j.ID)
			all := w.members(w.named("Everybody").ID, MemberFilter{})
			if done.State != directory.JobDone || len(all) != 1 {
				t.Errorf("the import is %s, %+v; Everybody has %v", done.State, done.Error, all)
			}
			refused := w.refusals(done.ID)
			if len(refused) == 0 || refused[0].Code != denied.Code || refused[0].Name != "Sales" || refused[0].AccountID != directory.AccountID(salesID) {
				t.Errorf("refused: %+v", refused)
			}
		})
	}
}

// TestImportLargeGroup: the members of a large group are taken in slices, each once.
func TestImportLargeGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := w.people(450)
	w.tenants.Size = 300
	w.tenants.List = []directory.TenantGroup{{ID: salesID, DisplayName: "Sales", Security: true}}
	w.tenants.InThem = map[directory.TenantGroupID][]directory.TenantMember{}
	for i, id := range ids {
		u, err := w.Get(t.Context(), id)
		w.must(err)
		a := fmt.Sprintf("a%d", i)
		w.tenant.Accounts = append(w.tenant.Accounts, assigntest.Account(a, u.Email))
		w.tenants.InThem[salesID] = append(w.tenants.InThem[salesID], directory.TenantMember{ID: directory.AccountID(a), Type: directory.TenantMemberUser})
	}
	w.step = time.Second // so that a slice does not do it all
	if done := w.importGroups(salesID); done.Counts["membersAdded"] != 450 || w.named("Sales").Members != 450 {
		t.Errorf("counted %v", done.Counts)
	}
}

func TestImportManagers(t *testing.T) {
	for _, all := range []bool{true, false} {
		t.Run(fmt.Sprint(all), func(t *testing.T) {
			w := newWorld(t)
			for _, n := range []string{"ann", "ben", "cat", "dan", "eve"} {
				w.tenant.Accounts = append(w.tenant.Accounts, assigntest.Account(n, n+"@corp.example"))
			}
			known, boss := w.user(`{"email":"dan@corp.example"}`, admin), w.user(`{"email":"boss@corp.example"}`, admin)
			_, err := w.Patch(t.Context(), admin, known.ID, []byte(`{"managerId":"`+string(boss.ID)+`"}`), 0)
			w.must(err)
			// ann and ben are each other's managers, as Microsoft lets them; cat's is dan, who is
			// known by address; dan has one here already; eve's is nobody of the directory.
			w.managers = managersOf{"ann": "ben", "ben": "ann", "cat": "dan", "dan": "ann", "eve": "stranger"}
			req := ImportRequest{All: all, Managers: true}
			if !all {
				req.AccountIDs = []directory.AccountID{"ann", "ben", "cat", "dan", "eve"}
			}
			j, err := w.StartImport(t.Context(), admin, w.conn.ID, req)
			w.must(err)
			done := w.run(j.ID)
			if c := done.Counts; done.State != directory.JobDone || c["managersSet"] != 2 || c["managersKept"] != 1 || c["managersNotInDirectory"] != 1 || done.Done != 5 {
				t.Fatalf("%+v", done.Job)
			}
			if r := w.refusals(j.ID); len(r) != 1 || r[0].Code != directory.CodeManagerCycle {
				t.Errorf("refused: %+v", r)
			}
			of := map[string]directory.UserID{}
			for _, u := range w.all() {
				of[u.Email] = u.ManagerID
			}
			if of["cat@corp.example"] != known.ID || of["dan@corp.example"] != boss.ID || of["eve@corp.example"] != "" {
				t.Errorf("managers: %v", of)
			}
		})
	}
}

func sameSet(got, want []string) bool {
	got, want = slices.Clone(got), slices.Clone(want)
	slices.Sort(got)
	slices.Sort(want)
	return slices.Equal(got, want)
}
