package people

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"bindery/shared/core/jobs"
	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table"
	"bindery/shared/table/memory"
)

// loadGroups loads a file of groups.
func (w *world) loadGroups(by directory.Caller, file string, as LoadOptions) store.JobRecord {
	w.t.Helper()
	as.Of = OfGroups
	j, err := w.StartLoad(w.t.Context(), by, []byte(file), as)
	w.must(err)
	return w.run(j.ID)
}

// named is the group of a name.
func (w *world) named(name string) directory.Group {
	w.t.Helper()
	p, err := w.groups.List(w.t.Context(), GroupFilter{Name: name}, "", 1)
	w.must(err)
	if len(p.Groups) != 1 {
		w.t.Fatalf("there is no group %q", name)
	}
	return p.Groups[0]
}

// refusedLines are the codes of the lines that a job refused.
func (w *world) refusedLines(id directory.JobID) map[int]string {
	w.t.Helper()
	got := map[int]string{}
	for _, r := range w.refusals(id) {
		got[r.Line] = r.Code
	}
	return got
}

const groupFile = `Name;Description;Member;Member group
Sales;Sells;;
Sales;;p0@corp.example;
sales;;P1@corp.example;
SALES;;p0@corp.example;
EMEA;;;sales
Sales;;;EMEA
EMEA;;p2@corp.example;
EMEA;;nobody@corp.example;
EMEA;;;nothing
;;p0@corp.example;
EMEA;;p0@corp.example;Sales
"IT";"new";p2@corp.example;
`

var groupFileRefused = map[int]string{
	7: directory.CodeGroupCycle, 9: directory.CodeUserNotFound, 10: directory.CodeGroupNotFound, 11: directory.CodeInvalidGroup, 12: directory.CodeInvalidLine,
}

func TestLoadGroups(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.people(3)
	// A check counts what the load will do, but for the circle, which only the load finds.
	check := w.loadGroups(scim, groupFile, LoadOptions{CheckOnly: true})
	if check.Kind != directory.JobCheckGroups || check.Counts["created"] != 3 || check.Counts["membersAdded"] != 6 || check.Counts["membersUnchanged"] != 1 {
		t.Errorf("check = %+v", check.Job)
	}
	if page, err := w.groups.List(t.Context(), GroupFilter{}, "", 10); err != nil || len(page.Groups) != 0 {
		t.Errorf("a check made groups: %v, %v", page.Groups, err)
	}
	done := w.loadGroups(scim, groupFile, LoadOptions{})
	if got := w.refusedLines(done.ID); done.Kind != directory.JobLoadGroups || !maps.Equal(got, groupFileRefused) {
		t.Errorf("job %+v refused %v", done.Job, w.refusals(done.ID))
	}
	if want := map[string]int{"created": 3, "membersAdded": 5, "membersUnchanged": 1}; !maps.Equal(done.Counts, want) {
		t.Errorf("counts %v, want %v", done.Counts, want)
	}
	sales, emea := w.named("Sales"), w.named("emea")
	if sales.Description != "Sells" || sales.Members != 2 || emea.Members != 2 || sales.Owners["name"] != directory.SourceSCIM {
		t.Errorf("loaded %+v and %+v", sales, emea)
	}
	slices.Sort(p)
	if got := w.members(emea.ID, MemberFilter{Nested: true}); !slices.Equal(got, []string{string(p[0]), string(p[1]), string(p[2])}) {
		t.Errorf("in EMEA: %v", got)
	}
	again := w.loadGroups(scim, groupFile, LoadOptions{})
	if want := map[string]int{"unchanged": 2, "membersUnchanged": 6}; !maps.Equal(again.Counts, want) {
		t.Errorf("loaded again: %v, want %v", again.Counts, want)
	}
	if got := w.named("Sales"); got.MembersVersion != sales.MembersVersion || got.Version != sales.Version {
		t.Errorf("loaded again, Sales is %+v", got)
	}
}

func TestLoadGroupLines(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.people(1)[0]
	file := `{"name":"A","description":"x","customAttributes":{"site":"B"},"memberId":"` + string(u) + `"}
{"name":"A","description":null}
{"name":"A","nick":"x"}
{"name":"A","memberId":"usr_none"}
{"member":"p0@corp.example"}
{"name":"A","member":"no address"}
not json`
	done := w.loadGroups(admin, file, LoadOptions{Format: FormatJSONLines})
	want := map[int]string{3: "invalid-group", 4: "user-not-found", 5: "invalid-group", 6: "invalid-group", 7: "invalid-body"}
	if got := w.refusedLines(done.ID); !maps.Equal(got, want) || done.Counts["created"] != 1 || done.Counts["updated"] != 1 || done.Counts["membersAdded"] != 1 {
		t.Errorf("refused %v, want %v; job %+v", got, want, done.Job)
	}
	if g := w.named("A"); g.Description != "" || g.CustomAttributes["site"] != "B" || g.Members != 1 {
		t.Errorf("loaded %+v", g)
	}
}

func TestLoadGroupFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, test := range []struct {
		name, file   string
		unknown      UnknownColumns
		code, fields string
	}{
		{"nothing", "", "", "empty-file", ""},
		{"no name", "member\na@b.example\n", "", "invalid-header", "name"},
		{"unknown column", "name,nick,id\nx,y,z\n", "", "invalid-header", "nick id"},
		{"unknown column to be ignored", "name,nick\nx,y\n", UnknownIgnore, "", ""},
		{"column twice", "name,group\nx,y\n", "", "invalid-header", "group"},
		{"custom attribute without a name", "name,customAttributes.\nx,y\n", "", "invalid-header", "customAttributes."},
		{"names of Entra", "Group display name,userPrincipalName\nx,a@b.example\n", "", "", ""},
	} {
		_, err := w.StartLoad(t.Context(), admin, []byte(test.file), LoadOptions{Of: OfGroups, Unknown: test.unknown})
		if codeOf(err) != test.code || fieldsOf(err) != test.fields {
			t.Errorf("%s: StartLoad = %v, fields %q; want %q %q", test.name, err, fieldsOf(err), test.code, test.fields)
		}
	}
}

// TestLoadManyMembers loads a group of many members, in slices of which each knows
// nothing of the one before.
func TestLoadManyMembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const n = 1500
	ids := w.people(n)
	var b strings.Builder
	b.WriteString("name,member\n")
	for i := range n {
		fmt.Fprintf(&b, "All,p%d@corp.example\n", i)
	}
	j, err := w.StartLoad(t.Context(), admin, []byte(b.String()), LoadOptions{Of: OfGroups})
	w.must(err)
	before := w.store.Calls()
	done := w.run(j.ID)
	// Of a step of 90 lines, the groups, the users, the job; of 23 members of it, what is
	// there already, who they are, the write.
	if calls := w.store.Calls() - before; calls > n/90*12+n/23*6+50 {
		t.Errorf("%d members were loaded in %d calls", n, calls)
	}
	if g := w.named("All"); done.Counts["membersAdded"] != n || g.Members != n || done.RefusedCount != 0 {
		t.Errorf("job %+v, group %+v", done.Job, g)
	}
	if got := w.members(w.named("All").ID, MemberFilter{}); len(got) != len(ids) {
		t.Errorf("%d members", len(got))
	}
}

// TestLoadGroupsCrashes has every single call of the table fail once, before and after
// it took effect, and expects the same end.
func TestLoadGroupsCrashes(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		for _, method := range []string{"Write", "Get", "GetMany", "Query"} {
			for n := 1; n <= 12; n++ {
				t.Run(fmt.Sprintf("%s/%t/%d", method, after, n), func(t *testing.T) {
					t.Parallel()
					crashGroups(t, method, n, after)
				})
			}
		}
	}
}

func crashGroups(t *testing.T, method string, n int, after bool) {
	w := newWorld(t)
	ctx := t.Context()
	w.people(3)
	j, err := w.StartLoad(ctx, admin, []byte(groupFile), LoadOptions{Of: OfGroups})
	w.must(err)
	calls := 0
	hook := func(_ context.Context, c memory.Call) error {
		if c.Method != method {
			return nil
		}
		if calls++; calls == n {
			return fmt.Errorf("power cut: %w", table.ErrBusy)
		}
		return nil
	}
	if after {
		w.table.After = hook
	} else {
		w.table.Before = hook
	}
	for range 30 {
		again, delay, err := w.runner.Work(ctx, j.ID, w.Now().Add(1e11))
		if err != nil {
			again, delay = true, 1e9 // the queue delivers the message again
		}
		w.Advance(delay + jobs.LeaseTime)
		if !again {
			if rec, _ := w.store.Jobs.Job(ctx, j.ID); rec.State == directory.JobDone {
				break
			}
		}
	}
	w.table.Before, w.table.After = nil, nil
	rec, err := w.store.Jobs.Job(ctx, j.ID)
	w.must(err)
	if rec.State != directory.JobDone || !maps.Equal(w.refusedLines(j.ID), groupFileRefused) {
		t.Fatalf("%s, refused %v (%v)", rec.State, w.refusals(j.ID), rec.Error)
	}
	for name, members := range map[string]int{"Sales": 2, "EMEA": 2, "IT": 1} {
		g := w.named(name)
		list, _, err := w.store.Groups.Members(ctx, store.MembersQuery{Group: g.ID})
		if w.must(err); g.Members != members || len(list) != members {
			t.Errorf("%s has %d members, counts %d; want %d", name, len(list), g.Members, members)
		}
	}
	page, err := w.groups.List(ctx, GroupFilter{}, "", 100)
	if w.must(err); len(page.Groups) != 3 {
		t.Errorf("%d groups", len(page.Groups))
	}
}

// FuzzGroupFile: whatever a file of groups holds, it is refused, or each of its lines
// is an edit that has a place in a group, or names a member.
func FuzzGroupFile(f *testing.F) {
	for _, s := range []string{groupFile, "name,member\nx,a@b.example\n", `{"name":"A","customAttributes":{"x":"y"},"memberGroup":"B"}`, "group\tupn\n\"a\nb\"\t\n", "name;customAttributes.x\n\xff;\xc3\n"} {
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, ignore bool) {
		as := LoadOptions{Of: OfGroups}
		if ignore {
			as.Unknown = UnknownIgnore
		}
		file := memoryFile(data)
		l, err := file.layout(t.Context(), as)
		if err != nil {
			if codeOf(err) == err.Error() {
				t.Fatalf("no refusal: %v", err)
			}
			return
		}
		if l.format == FormatXLSX {
			return
		}
		window, whole, err := file.from(t.Context(), l.first.Offset)
		if err != nil {
			t.Fatal(err)
		}
		var rows rowReader
		l.scan(window, whole, l.first, maxLines, func(line int, element []byte) {
			read := l.parse(&rows, line, element)
			for path, text := range read.Edit {
				known := memberAttributes[path] != nil || strings.HasPrefix(path, customPrefix) || slices.Contains(groupLineShape.holders, path)
				if _, attribute := groupAttribute(path); !known && !attribute {
					t.Errorf("line %d gives %q, which no group has", line, path)
				}
				if c := groupLineShape.clean(path, text); text != "" && (c.fault != "" || c.text != text) {
					t.Errorf("line %d gives %s = %q: %s", line, path, text, c.fault)
				}
			}
			if read.Code != "" && len(read.Edit) > 0 {
				t.Errorf("line %d is refused and edits %v", line, read.Edit)
			}
		})
	})
}
