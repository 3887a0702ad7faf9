package storetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

func testConcurrentEdits(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	n := s.atOnce(8, nil, func(i int) error {
		_, err := s.Connections.ModifyConnection(ctx, quiet, c.ID, func(c *directory.Connection) error {
			c.Name += "+"
			return nil
		})
		return err
	})
	got, err := s.Connections.Connection(ctx, c.ID)
	if s.must(err); n != 8 || got.Name != "hq++++++++" || got.Version != 9 {
		s.Errorf("%d edits made %q at version %d", n, got.Name, got.Version)
	}
	_, err = s.Connections.ModifyConnection(ctx, quiet, c.ID, func(*directory.Connection) error { return errors.ErrUnsupported })
	s.want(err, errors.ErrUnsupported)
	s.want(s.Connections.DeleteConnection(ctx, quiet, c.ID), directory.ErrConflict)
}

func testEpoch(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	l := s.lease(&c)
	r := s.run(&c)
	did := s.atOnce(4, nil, func(int) error {
		_, did, err := s.Connections.DeactivateConnection(ctx, quiet, c.ID)
		if err == nil && !did {
			return nil
		}
		return err
	})
	gone, err := s.Connections.Connection(ctx, c.ID)
	if s.must(err); did != 4 || gone.Epoch != 2 || gone.Status != directory.StatusDeactivated {
		s.Errorf("epoch %d, %s", gone.Epoch, gone.Status)
	}
	s.want(s.Leases.RenewLease(ctx, &l, time.Minute), directory.ErrLeaseLost)
	s.want(s.Runs.SaveRun(ctx, &l, &r), directory.ErrLeaseLost)
	s.want(s.Runs.Journal(ctx, &l, &c, store.Journal{Run: &r}), directory.ErrLeaseLost)
	s.must(s.Runs.JournalLate(ctx, store.Journal{Run: &r, Results: []store.Result{{State: directory.ChangeApplied, At: s.Now()}}}))
	s.must(s.Connections.DeleteConnection(ctx, quiet, c.ID))
	_, err = s.Connections.Connection(ctx, c.ID)
	s.want(err, directory.ErrNotFound)
}

func testClaims(s *suite) {
	ctx := s.Context()
	a, b := s.connection("a"), s.connection("b")
	s.must(s.Claims.ClaimTenant(ctx, &a, "t"))
	s.must(s.Claims.ClaimTenant(ctx, &a, "t")) // again
	s.want(s.Claims.ClaimTenant(ctx, &b, "t"), directory.ErrConflict)
	s.must(s.Claims.ClaimDomains(ctx, &a, []string{"x.example", "y.example"}))
	s.want(s.Claims.ClaimDomains(ctx, &b, []string{"new.example", "X.example"}), directory.ErrConflict)
	owners, err := s.Claims.DomainOwners(ctx, []string{"new.example", "x.example"})
	if s.must(err); len(owners) != 1 || owners["x.example"] != a.ID {
		s.Errorf("owners %v", owners) // all or none
	}
	s.must(s.Claims.ReleaseDomains(ctx, &b, []string{"x.example"})) // not b's to give
	s.want(s.Claims.ClaimDomains(ctx, &b, []string{"x.example"}), directory.ErrConflict)
	_, _, err = s.Connections.DeactivateConnection(ctx, quiet, a.ID)
	s.must(err)
	s.must(s.Claims.ClaimTenant(ctx, &b, "t"))
	s.must(s.Claims.ClaimDomains(ctx, &b, []string{"x.example"}))
}

func testStates(s *suite) {
	ctx := s.Context()
	st := directory.OAuthState{ConnectionID: "con_1", Expires: s.Now().Add(time.Hour)}
	s.must(s.SignIns.PutState(ctx, quiet, "hash", st))
	if n := s.atOnce(5, directory.ErrNotFound, func(int) error {
		_, err := s.SignIns.TakeState(ctx, "hash")
		return err
	}); n != 1 {
		s.Errorf("%d took one state", n)
	}
	taken := s.atOnce(5, errHeld, func(i int) error {
		ours, err := s.SignIns.TokenLease(ctx, "con_1", 1, fmt.Sprint("holder ", i), time.Minute)
		if err == nil && !ours {
			return errHeld
		}
		return err
	})
	if taken != 1 {
		s.Errorf("%d refresh tokens at once", taken)
	}
}

var errHeld = errors.New("held")

func testLeases(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	if n := s.atOnce(5, store.ErrLeaseHeld, func(i int) error {
		_, _, err := s.Leases.AcquireLease(ctx, c.ID, fmt.Sprint("holder ", i), time.Minute)
		return err
	}); n != 1 {
		s.Errorf("%d have the lease", n)
	}
	peek, _, err := s.Leases.PeekLease(ctx, c.ID)
	if s.must(err); peek.Fence != 1 || !peek.Until.After(s.Now()) {
		s.Errorf("lease %+v", peek)
	}
	held := store.Lease{ConnectionID: c.ID, Epoch: 1, Fence: 1, Version: c.Version}
	s.want(s.Leases.ReleaseLease(ctx, &held, store.RunEnd{}, false), store.ErrWanted) // the others knocked
	s.must(s.Leases.RenewLease(ctx, &held, time.Minute))
	s.must(s.Leases.SaveLink(ctx, &held, store.ReadLink{Link: "next"}))
	_, err = s.Connections.ModifyConnection(ctx, quiet, c.ID, func(*directory.Connection) error { return nil })
	s.must(err)
	s.want(s.Leases.RenewLease(ctx, &held, time.Minute), store.ErrConnectionChanged)
	s.pass(2 * time.Minute)
	next := s.lease(&c)
	if next.Fence != 2 || next.Link.Link != "next" {
		s.Errorf("the next lease: %+v", next)
	}
	s.want(s.Leases.SaveLink(ctx, &held, store.ReadLink{}), directory.ErrLeaseLost)
	s.must(s.Leases.ReleaseLease(ctx, &held, store.RunEnd{}, false)) // a lost lease is no error
	s.must(s.Leases.ReleaseLease(ctx, &next, store.RunEnd{State: directory.RunDone, At: s.Now(), Users: 7}, false))
	peek, _, err = s.Leases.PeekLease(ctx, c.ID)
	if s.must(err); !peek.Until.IsZero() || peek.Users != 7 {
		s.Errorf("after the release: %+v", peek)
	}
	s.must(s.Leases.RecordNoOp(ctx, peek, store.ReadLink{Link: "later"}, s.Now()))
	s.want(s.Leases.RecordNoOp(ctx, peek, store.ReadLink{Link: "twice"}, s.Now()), directory.ErrLeaseLost)
	peek, got, err := s.Leases.PeekLease(ctx, c.ID)
	if s.must(err); peek.Link.Link != "later" || got.LastRun == nil || got.LastRun.ID != "" || !got.LastRun.SucceededAt.Equal(s.Now()) {
		s.Errorf("after a run that found nothing: %+v, %+v", peek.Link, got.LastRun)
	}
	last := s.lease(&c)
	s.must(s.Leases.SaveLink(ctx, &last, store.ReadLink{Link: "read"}))
	s.want(s.Leases.RecordNoOp(ctx, peek, store.ReadLink{}, s.Now()), directory.ErrLeaseLost)
	s.must(s.Leases.ReleaseLease(ctx, &last, store.RunEnd{}, true))
	peek, _, err = s.Leases.PeekLease(ctx, c.ID)
	s.must(err)
	_, _, err = s.Connections.DeactivateConnection(ctx, quiet, c.ID)
	s.must(err)
	s.want(s.Leases.RecordNoOp(ctx, peek, store.ReadLink{}, s.Now()), directory.ErrLeaseLost)
}

func testRuns(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	var all []directory.RunID
	for range 5 {
		s.pass(time.Second)
		all = append(all, s.run(&c).ID)
	}
	open, err := s.Runs.OpenRuns(ctx, c.ID)
	if s.must(err); fmt.Sprint(open) != fmt.Sprint(all) {
		s.Errorf("open: %v, want %v", open, all)
	}
	r, err := s.Runs.Run(ctx, all[0])
	s.must(err)
	stale := r
	l := s.lease(&c)
	r.State, r.Cursor = directory.RunHeld, []byte(`{"n":1}`)
	s.must(s.Runs.SaveRun(ctx, &l, &r, store.Note{Name: store.NoteParts, Body: map[string]int{"x": 1}}))
	s.want(s.Runs.SaveRun(ctx, &l, &stale), directory.ErrStale)
	r.State, r.EndedAt = directory.RunCancelled, s.Now()
	s.must(s.Runs.DecideRun(ctx, by.AuditEvent(directory.AuditCancelRun), &r))
	open, err = s.Runs.OpenRuns(ctx, c.ID)
	if s.must(err); len(open) != 4 {
		s.Errorf("open: %v", open)
	}
	var parts map[string]int
	if s.must(s.Runs.Note(ctx, r.ID, store.NoteParts, &parts)); parts["x"] != 1 {
		s.Errorf("note %v", parts)
	}
	list, next, err := s.Runs.ListRuns(ctx, c.ID, "", 2)
	if s.must(err); len(list) != 2 || list[0].ID != all[4] || next == "" {
		s.Errorf("runs %v, next %q", list, next)
	}
	marks, err := s.Chains.PendingLinks(ctx, c.ID, nil, 10)
	if s.must(err); len(marks) != 1 || marks[0].RunID != r.ID {
		s.Errorf("pending links %v", marks)
	}
}

func testChunks(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	l, r := s.lease(&c), s.run(&c)
	for chunk := range 3 {
		changes := make([]directory.Change, 4)
		for i := range changes {
			changes[i] = directory.Change{UserID: directory.UserID(fmt.Sprintf("usr_%d_%d", chunk, i)), Effect: directory.EffectUpdate}
		}
		s.must(s.Runs.AppendChunk(ctx, &l, &r, changes))
	}
	n := 0
	for cursor, first := "", true; first || cursor != ""; first = false {
		page, next, err := s.Runs.Changes(ctx, &r, cursor, 5)
		s.must(err)
		cursor = next
		for i := range page {
			if want := directory.UserID(fmt.Sprintf("usr_%d_%d", n/4, n%4)); page[i].UserID != want || page[i].State != directory.ChangePlanned {
				s.Errorf("change %d is of %s, %s", n, page[i].UserID, page[i].State)
			}
			n++
		}
	}
	if n != 12 {
		s.Errorf("%d changes, want 12", n)
	}
	_, _, err := s.Runs.Chunk(ctx, r.ID, 3)
	s.want(err, directory.ErrNotFound)
}

func testJournal(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	ann, bob := s.user("ann@hq.example"), s.user("bob@hq.example")
	s.bind(&c, ann, bob)
	l, r := s.lease(&c), s.run(&c)
	s.must(s.Runs.AppendChunk(ctx, &l, &r, []directory.Change{{UserID: ann.ID, Effect: directory.EffectCreate}, {UserID: bob.ID, Effect: directory.EffectCreate}}))
	got := func(id directory.UserID, account directory.AccountID) store.BindingChange {
		return store.BindingChange{Ref: directory.AccountOf(id), Claim: account, Mutate: func(b *directory.Binding) bool {
			b.AccountID, b.Applied, b.Status = account, b.Wanted, directory.BindingInSync
			return true
		}}
	}
	j := store.Journal{Run: &r, Refs: []directory.Ref{directory.AccountOf(ann.ID)}, Tally: map[string]int{"applied/create": 1}, Counts: map[string]int64{"create": 1},
		Results: []store.Result{{Index: 0, State: directory.ChangeApplied, AccountID: "acc-1", At: s.Now()}}, Bindings: []store.BindingChange{got(ann.ID, "acc-1")}}
	s.must(s.Runs.Journal(ctx, &l, &c, j))
	s.want(s.Runs.Journal(ctx, &l, &c, j), directory.ErrStale)
	s.want(s.Runs.Journal(ctx, &l, &c, store.Journal{Bindings: []store.BindingChange{got(bob.ID, "ACC-1")}}), directory.ErrConflict)
	changes, results, err := s.Runs.Chunk(ctx, r.ID, 0)
	if s.must(err); results != 1 || changes[0].State != directory.ChangeApplied || changes[1].State != directory.ChangePlanned {
		s.Errorf("%d results; %v", results, changes)
	}
	again, err := s.Runs.Run(ctx, r.ID)
	if s.must(err); again.Applied != 1 {
		s.Errorf("%d are applied", again.Applied)
	}
	if a, err := s.Counters.BoundAccounts(ctx, c.ID, 1); err != nil || a.N != 1 {
		s.Errorf("%d have an account, %v", a.N, err)
	}
	hours, err := s.Counters.AppliedSince(ctx, c.ID, s.Now())
	if s.must(err); hours[s.Now().Unix()/3600]["create"] != 1 || store.GainedSince(hours, directory.KindAccount, 0) != 1 {
		s.Errorf("hours %v", hours)
	}
	days, err := s.Audit.Days(ctx, c.ID, time.Time{}, time.Time{})
	if s.must(err); len(days) != 1 || days[0].Counts[directory.EffectCreate][directory.ChangeApplied] != 1 {
		s.Errorf("days %v", days)
	}
	marks, _, err := s.Marks.ListMarks(ctx, c.ID, 1, "", 10)
	if s.must(err); len(marks) != 1 || marks[0].Ref.User() != bob.ID {
		s.Errorf("marks %v", marks)
	}
	remove := store.BindingChange{Ref: directory.AccountOf(ann.ID), Remove: true, Mutate: func(*directory.Binding) bool { return true }}
	s.must(s.Runs.Journal(ctx, &l, &c, store.Journal{Bindings: []store.BindingChange{remove}}))
	s.must(s.Runs.Journal(ctx, &l, &c, store.Journal{Bindings: []store.BindingChange{got(bob.ID, "acc-1")}}))
}

func testJobs(s *suite) {
	ctx := s.Context()
	j := store.JobRecord{Job: directory.Job{ID: directory.NewJobID(s.Now()), Kind: directory.JobBind, State: directory.JobQueued, AskedBy: by.Subject, Created: s.Now()}}
	s.must(s.Jobs.CreateJob(ctx, by.AuditEvent(directory.AuditBind), &j, []byte("one"), []byte("two")))
	if n := s.atOnce(4, store.ErrLeaseHeld, func(int) error {
		_, _, err := s.Jobs.AcquireJob(ctx, j.ID, time.Minute)
		return err
	}); n != 1 {
		s.Errorf("%d work on one job", n)
	}
	s.pass(2 * time.Minute)
	open, err := s.Jobs.OpenJobs(ctx)
	s.must(err)
	if len(open) != 1 || open[0] != (store.OpenJob{ID: j.ID, ConnectionID: j.ConnectionID, Kind: j.Kind}) {
		s.Errorf("open: %v, want %v", open, j.ID)
	}
	stalled, err := s.Jobs.StalledJobs(ctx, open)
	if s.must(err); len(stalled) != 1 {
		s.Errorf("stalled: %v of %v", stalled, open)
	}
	l, mine, err := s.Jobs.AcquireJob(ctx, j.ID, time.Minute)
	s.must(err)
	in, err := s.Jobs.JobInput(ctx, &mine, 1)
	if s.must(err); string(in) != "two" {
		s.Errorf("input %q", in)
	}
	for i := range 60 {
		s.must(s.Jobs.SaveJob(ctx, l, &mine, []directory.RefusedItem{{Line: i}}, time.Minute))
	}
	n := 0
	for cursor, first := "", true; first || cursor != ""; first = false {
		page, next, err := s.Jobs.Refused(ctx, j.ID, cursor)
		s.must(err)
		cursor = next
		n += len(page)
	}
	if n != 60 {
		s.Errorf("%d refused elements are listed", n)
	}
	mine.State = directory.JobDone
	s.must(s.Jobs.SaveJob(ctx, l, &mine, nil, 0))
	mine.Version--
	s.want(s.Jobs.SaveJob(ctx, l, &mine, nil, 0), directory.ErrLeaseLost)
	if open, err = s.Jobs.OpenJobs(ctx); err != nil || len(open) != 0 {
		s.Errorf("open: %v, %v", open, err)
	}
}

func testActs(s *suite) {
	ctx := s.Context()
	u := directory.User{ID: directory.NewUserID(s.Now())}
	u.Email, u.UserName, u.State = "ann@corp.example", "ann", directory.StateActive
	s.must(s.Users.CreateUsers(ctx, by.AuditEvent(directory.AuditCreateUser), &u))
	twin := u
	twin.ID = directory.NewUserID(s.Now())
	s.want(s.Users.CreateUsers(ctx, by.AuditEvent(directory.AuditCreateUser), &twin), directory.ErrConflict)
	s.pass(time.Second)
	next := u
	next.GivenName = "Ann"
	_, err := s.Users.UpdateUser(ctx, by.AuditEvent(directory.AuditEditUser), &u, &next)
	s.must(err)
	list, _, err := s.Audit.Activity(ctx, store.ActivityQuery{Object: directory.AccountOf(u.ID), Limit: 10, Forward: true})
	if s.must(err); len(list) != 2 || list[0].AuditEvent.Kind != directory.AuditCreateUser || list[1].AuditEvent.By != by.Subject || len(list[1].AuditEvent.Properties) != 1 {
		s.Errorf("activity of the user: %+v", list)
	}
	acts, err := s.Audit.AuditEvents(ctx, list[0].Hour)
	if s.must(err); len(acts) == 0 || acts[0].Misplaced {
		s.Errorf("acts of the hour: %+v", acts)
	}
	page, after, err := s.Audit.Activity(ctx, store.ActivityQuery{Limit: 1})
	if s.must(err); len(page) != 1 || page[0].AuditEvent.Kind != directory.AuditEditUser || after == "" {
		s.Errorf("newest: %+v, then %q", page, after)
	}
	// Beside what sources, jobs and Bindery itself do, the newest by hand is the first record.
	bySource, byJob := by.AuditEvent(directory.AuditEditUser), by.AuditEvent(directory.AuditEditUser)
	bySource.Source, byJob.JobID = directory.SourceSCIM, "job_1"
	for _, act := range []directory.AuditEvent{bySource, byJob, directory.SystemAuditEvent(directory.AuditActivateUser, ""), by.AuditEvent(directory.AuditEditConnection)} {
		s.pass(time.Second)
		old := next
		next.GivenName += "!"
		_, err := s.Users.UpdateUser(ctx, act, &old, &next)
		s.must(err)
	}
	page, after, err = s.Audit.Activity(ctx, store.ActivityQuery{ByHand: true, Limit: 1})
	if s.must(err); len(page) != 1 || page[0].AuditEvent.ID != list[1].AuditEvent.ID || after == "" {
		s.Errorf("newest by hand: %+v, then %q", page, after)
	}
	page, after, err = s.Audit.Activity(ctx, store.ActivityQuery{ByHand: true, Limit: 5, After: after})
	if s.must(err); len(page) != 1 || page[0].AuditEvent.ID != list[0].AuditEvent.ID || after != "" {
		s.Errorf("before it: %+v, then %q", page, after)
	}
}

// testActsWalked: acts are walked from a time on, oldest first, page by page, those of an
// hour and those that concern somebody, with what became whose.
func testActsWalked(s *suite) {
	ctx := s.Context()
	u, other := s.user("ann@corp.example"), s.user("ben@corp.example")
	s.pass(time.Second)
	since := s.Now()
	for i := range 3 {
		for _, of := range []*directory.User{&u, &other} {
			next := *of
			next.GivenName, next.Owners = fmt.Sprint("Name ", i), map[string]directory.Source{"givenName": directory.SourceSCIM}
			_, err := s.Users.UpdateUser(ctx, by.AuditEvent(directory.AuditEditUser), of, &next)
			s.must(err)
			*of = next
			s.pass(time.Second)
		}
	}
	walk := func(read func(after string) ([]store.Act, string, error)) (names []string) {
		for after := ""; ; {
			acts, next, err := read(after)
			s.must(err)
			for _, a := range acts {
				if a.State != store.SealGood || a.Place <= after {
					s.Errorf("%+v behind %q", a, after)
				}
				names = append(names, a.Properties[0].After.String())
				if first := a.Properties[0].Before.IsNull(); first != (len(a.Properties) == 2) || first && (a.Properties[1].Name != store.OwnersChanged || a.Properties[1].After.String() != `{"givenName":"scim"}`) {
					s.Errorf("%+v", a.Properties)
				}
			}
			if after = next; after == "" {
				return names
			}
		}
	}
	if got := fmt.Sprint(walk(func(after string) ([]store.Act, string, error) {
		return s.Audit.ActsOn(ctx, directory.AccountOf(u.ID), since, after, 2)
	})); got != "[Name 0 Name 1 Name 2]" {
		s.Errorf("of a user: %s", got)
	}
	if got := fmt.Sprint(walk(func(after string) ([]store.Act, string, error) {
		return s.Audit.ActsOfHour(ctx, since.Unix()/3600, since, after, 2)
	})); got != "[Name 0 Name 0 Name 1 Name 1 Name 2 Name 2]" {
		s.Errorf("of the hour: %s", got)
	}
	if acts, _, err := s.Audit.ActsOfHour(ctx, since.Unix()/3600+1, since, "", 2); err != nil || len(acts) > 0 {
		s.Errorf("of the next hour: %v, %v", acts, err)
	}
}

func testChains(s *suite) {
	ctx := s.Context()
	link := func(seq int64) *directory.ChainLink {
		return &directory.ChainLink{ChainStatement: directory.ChainStatement{Chain: "con_1", Seq: seq, Subject: fmt.Sprint("run_", seq), At: s.Now(), Expires: s.Now().Add(time.Hour)}, Hash: fmt.Sprint("h", seq)}
	}
	for seq := int64(1); seq <= 3; seq++ {
		head, err := s.Chains.Head(ctx, "con_1")
		s.must(err)
		if n := s.atOnce(3, directory.ErrStale, func(int) error { return s.Chains.AddLink(ctx, head, link(seq), nil) }); n != 1 {
			s.Errorf("%d links have the number %d", n, seq)
		}
	}
	head, err := s.Chains.Head(ctx, "con_1")
	if s.must(err); head.Seq != 3 || head.Hash != "h3" {
		s.Errorf("head %+v", head)
	}
	s.must(s.Chains.HeadPublished(ctx, "con_1", 3))
	s.must(s.Chains.HeadPublished(ctx, "con_1", 2)) // later: no error, and no change
	if head, err = s.Chains.Head(ctx, "con_1"); err != nil || head.Published != 3 {
		s.Errorf("published %d, %v", head.Published, err)
	}
	links, err := s.Chains.LinksBefore(ctx, "con_1", 3, 10)
	if s.must(err); len(links) != 2 || links[0].Seq != 2 {
		s.Errorf("links before the third: %v", links)
	}
	if n, err := s.Chains.LinkOf(ctx, "con_1", "run_2"); err != nil || n != 2 {
		s.Errorf("link of run_2: %d, %v", n, err)
	}
}

func testQuotas(s *suite) {
	ctx := s.Context()
	n := s.atOnce(6, nil, func(int) error {
		return s.Quotas.ChangeAppQuota(ctx, func(q *directory.AppQuota) bool {
			q.Promised++
			q.At = s.Now()
			q.Sent, q.Counts, q.CountsAt = q.Sent+"1", directory.CountsWindow, 7
			return true
		})
	})
	q, err := s.Quotas.AppQuota(ctx)
	if s.must(err); n != 6 || q.Promised != 6 || q.Sent != "111111" || q.Counts != directory.CountsWindow || q.CountsAt != 7 {
		s.Errorf("%d changes left %+v", n, q)
	}
	now := 0
	for range 6 {
		wait, err := s.Quotas.TakeReport(ctx, "t")
		if s.must(err); wait == 0 {
			now++
		}
	}
	if now != 5 {
		s.Errorf("%d reports are allowed at once, want 5", now)
	}
}

func testReplaced(s *suite) {
	ctx := s.Context()
	for name, replace := range map[string]func(ctx context.Context) error{
		"round": func(ctx context.Context) error {
			r := store.Round{Began: s.Now()}
			return s.Schedule.SaveRound(ctx, &r)
		},
		"photo plan": func(ctx context.Context) error {
			p := store.PhotoPlan{Epoch: 1}
			return s.Photos.SavePhotoPlan(ctx, "con_1", &p)
		},
		"notification state": func(ctx context.Context) error {
			n := store.NotificationState{Week: "2026-W10"}
			return s.Notifications.SaveNotificationState(ctx, "con_1", &n)
		},
	} {
		if n := s.atOnce(4, directory.ErrStale, func(int) error { return replace(ctx) }); n != 1 {
			s.Errorf("%d replaced the %s as it was read", n, name)
		}
	}
	n, err := s.Notifications.NotificationState(ctx, "con_1")
	if s.must(err); n.Week != "2026-W10" || n.Version != 1 {
		s.Errorf("notification state %+v", n)
	}
	n.Held = []directory.RunID{"run_1"}
	s.must(s.Notifications.SaveNotificationState(ctx, "con_1", &n))
}
