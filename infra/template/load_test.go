package template

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/boot/app"
	"bindery/shared/core/people"
	"bindery/shared/directory"
	"bindery/shared/platform/vault"
	"bindery/shared/store"
	"bindery/shared/table/memory"
)

// waking is a queue that keeps what wakes load.
type waking struct{ loads []directory.WakeUp }

func (*waking) Send(context.Context, directory.WakeUp, time.Duration) error      { return nil }
func (*waking) SendAll(context.Context, []directory.WakeUp) error                { return nil }
func (*waking) SendSweep(context.Context, directory.WakeUp, time.Duration) error { return nil }

func (q *waking) SendLoad(_ context.Context, w directory.WakeUp, _ time.Duration) error {
	q.loads = append(q.loads, w)
	return nil
}

// workbookOf is a sheet with rows, whatever the file.
type workbookOf struct{ rows [][]string }

func (*workbookOf) Name() string                    { return "Sheet1" }
func (*workbookOf) Skip(context.Context, int) error { return nil }
func (*workbookOf) Close() error                    { return nil }

func (w *workbookOf) Next() (row int, cells []string, err error) {
	if len(w.rows) == 0 {
		return 3, nil, nil
	}
	cells, w.rows = w.rows[0], w.rows[1:]
	return 3 - len(w.rows), cells, nil
}

// Load does everything that it does (it makes users and groups, changes some that are
// bound or used and some that are not, gives names up, nests, checks, unpacks) with the
// rights of its role: the partitions of LeadingKeys, and none of them in vain.
func TestLoadKeys(t *testing.T) {
	t.Parallel()
	tmpl := read(t)
	g := &guarded{Table: memory.New(), Memory: &vault.Memory{}, rights: rightsOf(t, tmpl, "LoadRole", "LoadLogs"), seen: map[string]bool{}}
	statements, _ := At(tmpl.Resources, "LoadRole", "Properties", "Policies", 0, "PolicyDocument", "Statement").([]any)
	for _, s := range statements {
		if keys := At(s, "Condition", "ForAllValues:StringLike", "dynamodb:LeadingKeys"); keys != nil {
			g.keys = append(g.keys, list(keys)...)
			if slices.Contains(list(At(s, "Action")), any("dynamodb:Query")) && !slices.Equal(list(keys), []any{"G#*", "UG#*"}) {
				t.Errorf("load may query %v", keys)
			}
		} else if resourceName(At(s, "Resource"), "") == "Table" {
			t.Errorf("load has %v on all partitions", At(s, "Action"))
		}
	}
	q := &waking{}
	parts := app.Parts{Store: store.New(guardedTable{g}, store.Options{}), Vault: guardedVault{g}, Queue: q,
		OpenSheet: func([]byte, string) (people.Sheet, error) {
			return &workbookOf{[][]string{{"email", "givenName"}, {"carl@corp.example", "Carl"}}}, nil
		}}
	core := app.NewCore(parts)
	load := func(file string, as people.LoadOptions) {
		t.Helper()
		j, err := core.Loads.StartLoad(t.Context(), directory.Caller{Subject: "ada"}, []byte(file), as)
		if err != nil {
			t.Fatal(err)
		}
		g.on = true
		defer func() { g.on = false }()
		for ; len(q.loads) > 0; q.loads = q.loads[1:] {
			if err := core.Load(t.Context(), q.loads[0].Encode()); err != nil {
				t.Fatal(err)
			}
		}
		if done, err := core.Jobs.Find(t.Context(), j.ID); err != nil || done.State != directory.JobDone || done.RefusedCount > 0 {
			t.Errorf("the load of %q is %s, %v, %v, with %d refused", file, done.State, done.Error, err, done.RefusedCount)
		}
	}
	load("email,userName,givenName\nann@corp.example,ann,Ann\nbob@corp.example,bob,Bob\n", people.LoadOptions{})
	ids, err := parts.Store.Users.UserIDsByEmail(t.Context(), []string{"ann@corp.example", "bob@corp.example"})
	if err != nil || len(ids) != 2 {
		t.Fatalf("loaded: %v, %v", ids, err)
	}
	ann, err := parts.Store.Users.User(t.Context(), ids["ann@corp.example"])
	if err != nil {
		t.Fatal(err)
	}
	c := directory.Connection{ID: directory.NewConnectionID(time.Now()), Status: directory.StatusActive, Epoch: 1}
	if err := parts.Store.Connections.CreateConnection(t.Context(), directory.AuditEvent{}, &c); err != nil {
		t.Fatal(err)
	}
	if err := parts.Store.Bindings.Bind(t.Context(), directory.AuditEvent{}, &c, "ada", []store.Selection{{User: &ann}}); err != nil {
		t.Fatal(err)
	}
	const again = "email,userName,givenName\nann@corp.example,ann.b,Anne\nbob@corp.example,rob,Rob\n"
	load(again, people.LoadOptions{CheckOnly: true})
	load(again, people.LoadOptions{})
	load("PK\x03\x04", people.LoadOptions{})
	const groups = "name,description,member,memberGroup\nSales,Who sells,ann@corp.example,\nAll,,bob@corp.example,\nAll,,,Sales\n"
	load(groups, people.LoadOptions{Of: people.OfGroups, CheckOnly: true})
	load(groups, people.LoadOptions{Of: people.OfGroups})
	named, err := parts.Store.Groups.GroupIDsByName(t.Context(), []string{"All"})
	if err != nil || len(named) != 1 {
		t.Fatalf("loaded: %v, %v", named, err)
	}
	if err := parts.Store.Groups.SetUsed(t.Context(), named["all"], c.ID, true); err != nil {
		t.Fatal(err)
	}
	load("name,description,member\nSales,Sellers,bob@corp.example\nAll,Everybody,ann@corp.example\n", people.LoadOptions{Of: people.OfGroups})
	load("email,state\nbob@corp.example,staged\n", people.LoadOptions{})
	if len(g.refused) > 0 {
		t.Errorf("the role lets load not: %v", g.refused)
	}
	for _, pattern := range g.keys {
		if kind := strings.TrimSuffix(fmt.Sprint(pattern), "#*"); !g.seen[kind] {
			t.Errorf("load may touch %v and never does", pattern)
		}
	}
}
