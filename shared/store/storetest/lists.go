package storetest

import (
	"fmt"
	"slices"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

func testJobList(s *suite) {
	ctx := s.Context()
	var all []directory.JobID // newest first
	for i := range 5 {
		j := store.JobRecord{Job: directory.Job{ID: directory.NewJobID(s.Now().Add(time.Duration(i) * time.Second)), Kind: directory.JobLoad, State: directory.JobQueued}}
		if i%2 == 0 {
			j.ConnectionID = "con_1"
		}
		s.must(s.Jobs.CreateJob(ctx, quiet, &j))
		all = append([]directory.JobID{j.ID}, all...)
	}
	list := func(c directory.ConnectionID, limit int) (ids []directory.JobID) {
		for after := ""; ; {
			page, next, err := s.Jobs.ListJobs(ctx, c, after, limit)
			s.must(err)
			for i := range page {
				ids = append(ids, page[i].ID)
			}
			if after = next; after == "" {
				return ids
			}
		}
	}
	for _, limit := range []int{1, 2, 5, 100} {
		if got := list("", limit); !slices.Equal(got, all) {
			s.Errorf("by %d, all are %v, want %v", limit, got, all)
		}
		if got, want := list("con_1", limit), []directory.JobID{all[0], all[2], all[4]}; !slices.Equal(got, want) {
			s.Errorf("by %d, those of the connection are %v, want %v", limit, got, want)
		}
	}
	_, _, err := s.Jobs.ListJobs(ctx, "", "a\x00b", 1)
	s.want(err, directory.ErrInvalid)
	found, err := s.Jobs.JobsByID(ctx, []directory.JobID{all[1], "job_none"})
	if s.must(err); len(found) != 1 || found[all[1]].ID != all[1] {
		s.Errorf("by their IDs: %v", found)
	}
}

func testProblemCauses(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	want := map[string]int{"aa": 3, "aa-b": 230, "b": 100, "ba": 101, "c": 1}
	for code, n := range want {
		for i := range n {
			ref := directory.Ref{Kind: "lamp", ID: fmt.Sprintf("%s-%d", code, i)}
			s.must(s.Bindings.Bind(ctx, quiet, &c, by.Subject, []store.Selection{{Object: ref, Version: 1}}))
			found, err := s.Bindings.BindingsOf(ctx, c.ID, []directory.Ref{ref})
			s.must(err)
			b := found[ref]
			b.Status, b.Problem = directory.BindingConflict, &directory.Problem{Code: code, Message: "It is " + code + ".", Since: s.Now().Add(-time.Duration(i) * time.Second)}
			s.must(s.Bindings.UpdateBinding(ctx, quiet, &b, false, false))
		}
	}
	causes, err := s.Bindings.ProblemCauses(ctx, c.ID, c.Epoch)
	s.must(err)
	if len(causes) != len(want) {
		s.Fatalf("causes %v, want those of %v", causes, want)
	}
	for i, p := range causes {
		if i > 0 && causes[i-1].Code >= p.Code {
			s.Errorf("%s comes after %s", p.Code, causes[i-1].Code)
		}
		n := want[p.Code]
		if p.Count != min(n, 100) || p.More != (n > 100) || p.Message != "It is "+p.Code+"." || p.Since.IsZero() {
			s.Errorf("of %d with %s is told %+v", n, p.Code, p)
		}
	}
	if causes, err = s.Bindings.ProblemCauses(ctx, c.ID, c.Epoch+1); err != nil || len(causes) != 0 {
		s.Errorf("of an epoch to come: %v, %v", causes, err)
	}
}
