package plan_test

import (
	"encoding/csv"
	"strings"
	"testing"

	"bindery/shared/core/plan"
	"bindery/shared/directory"
)

func TestFilter(t *testing.T) {
	off := []directory.PropertyChange{{Name: onOff, Before: yes, After: no}}
	changes := []directory.Change{
		{ID: "1", UserID: "a", Effect: block, Properties: off, Department: "Sales", Domain: "a.example", State: directory.ChangeApplied},
		{ID: "2", UserID: "b", Effect: directory.EffectUpdate, Properties: off, Department: "Ops", Domain: "b.example"},
		{ID: "3", UserID: "b", Effect: directory.EffectAdopt, Properties: off, Department: "Ops", Domain: "b.example"},
		{ID: "4", UserID: "c", Effect: rename, Properties: []directory.PropertyChange{{Name: upn}}, Domain: "a.example"},
	}
	for _, tt := range []struct {
		name   string
		filter plan.Filter
		want   string
	}{
		{"all", plan.Filter{}, "1 2 3 4"},
		{"blocks, whatever their name", plan.Filter{Effects: []directory.Effect{block}}, "1 2"},
		{"effects", plan.Filter{Effects: []directory.Effect{directory.EffectAdopt, rename}}, "3 4"},
		{"users", plan.Filter{Users: []directory.UserID{"b", "c"}}, "2 3 4"},
		{"property", plan.Filter{Properties: []string{onOff}}, "1 2"},
		{"department", plan.Filter{Departments: []string{" sales"}}, "1"},
		{"no department", plan.Filter{Departments: []string{""}}, "4"},
		{"domain", plan.Filter{Domains: []string{"A.example"}}, "1 4"},
		{"state", plan.Filter{States: []directory.ChangeState{directory.ChangeApplied}}, "1"},
		{"several", plan.Filter{Users: []directory.UserID{"b"}, Properties: []string{onOff}}, "2"},
	} {
		var got []string
		for i := range changes {
			if tt.filter.Match(&changes[i]) {
				got = append(got, string(changes[i].ID))
			}
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, s, tt.want)
		}
	}
}

func TestWriteCSV(t *testing.T) {
	var b strings.Builder
	w := csv.NewWriter(&b)
	err := plan.WriteCSV(w, []directory.Change{
		{ID: "r.0.1", UserID: annID, AccountID: accountID, UserPrincipalName: address, Department: "Sales", Domain: "corp.example", Effect: directory.EffectUpdate,
			State: directory.ChangePlanned, Reason: "because", Properties: []directory.PropertyChange{
				{Name: "mobilePhone", Before: text("+49 (0)30"), After: text("-")}, {Name: "department", Before: text("=1+1"), After: text("a,\"b\"\nc")},
				{Name: "usageLocation", After: text("DE"), Irreversible: "Not again."}}},
		{ID: "r.0.2", UserID: annID, Effect: revoke, Irreversible: "Ended.", Reason: "@x"},
		{ID: "r.0.3", UserID: annID, Effect: directory.EffectAdopt, Properties: []directory.PropertyChange{{Name: "department", Before: text("x"), After: text("x")}}},
		{ID: "r.0.4", UserID: annID, Effect: create, Department: "+1+cmd|x"},
	})
	w.Flush()
	if err != nil || w.Error() != nil {
		t.Fatal(err, w.Error())
	}
	rows, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rows {
		if len(r) != len(plan.CSVHeader) {
			t.Fatalf("row of %d columns: %q", len(r), r)
		}
		got = append(got, strings.Join(r, "|"))
	}
	want := []string{
		`r.0.1|usr_ann|acc-ann|ann@corp.example|Sales|corp.example|update|planned|mobilePhone|+49 (0)30|-|because|`,
		"r.0.1|usr_ann|acc-ann|ann@corp.example|Sales|corp.example|update|planned|department|'=1+1|a,\"b\"\nc|because|",
		`r.0.1|usr_ann|acc-ann|ann@corp.example|Sales|corp.example|update|planned|usageLocation||DE|because|Not again.`,
		`r.0.2|usr_ann|||||revoke|||||'@x|Ended.`,
		`r.0.3|usr_ann|||||adopt||||||`,
		`r.0.4|usr_ann|||'+1+cmd|x||create||||||`,
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Errorf("rows = %q\nwant %q", got, want)
			return
		}
	}
}
