package storetest

import (
	"fmt"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

func testRunsFound(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	a, b := s.run(&c), s.run(&c)
	found, err := s.Runs.RunsByID(ctx, []directory.RunID{a.ID, b.ID, "run_none"})
	if s.must(err); len(found) != 2 {
		s.Errorf("found %v", found)
	}
	if listed, err := s.Runs.RunListed(ctx, a.ID); err != nil || !listed {
		s.Errorf("listed: %v, %v", listed, err)
	}
	if state, err := s.Runs.RunState(ctx, &a); err != nil || state != store.SealGood {
		s.Errorf("state %q, %v", state, err)
	}
	l := s.lease(&c)
	s.must(s.Runs.CloseRun(ctx, &l, a.ID))
	open, err := s.Runs.OpenRuns(ctx, c.ID)
	if s.must(err); len(open) != 1 || open[0] != b.ID {
		s.Errorf("open %v", open)
	}

	s.must(s.Runs.SaveRun(ctx, &l, &b, store.Note{Name: store.Left(1), Body: "one"}, store.Note{Name: store.Left(2), Body: "two"}))
	var names []string
	for note, err := range s.Runs.Notes(ctx, b.ID, store.NoteLeft, store.Left(1)) {
		s.must(err)
		names = append(names, note.Name)
	}
	if len(names) != 1 || names[0] != store.Left(2) {
		s.Errorf("notes %v", names)
	}
	for i := range 3 {
		s.must(s.Runs.SaveSeen(ctx, b.ID, i, []byte{byte(i)}))
	}
	var seen []byte
	for part, err := range s.Runs.Seen(ctx, b.ID) {
		s.must(err)
		seen = append(seen, part...)
	}
	if fmt.Sprint(seen) != "[0 1 2]" {
		s.Errorf("seen %v", seen)
	}
	beside, err := s.Schedule.Beside(ctx, c.ID)
	if s.must(err); len(beside.Runs) != 1 || beside.Runs[0].ID != b.ID {
		s.Errorf("beside %+v", beside)
	}
	work, err := s.Schedule.OpenWork(ctx, &c, s.Now())
	if s.must(err); work.Runs != 1 || !work.Leased || work.Marked {
		s.Errorf("open work %+v", work)
	}
}

func testRunJournalRead(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	l, r := s.lease(&c), s.run(&c)
	planned := []directory.Change{{UserID: "usr_1", Effect: directory.EffectUpdate}, {UserID: "usr_2", Effect: directory.EffectUpdate}}
	s.must(s.Runs.AppendChunk(ctx, &l, &r, planned))
	s.must(s.Runs.AppendChunk(ctx, &l, &r, planned[:1]))
	s.must(s.Runs.Journal(ctx, &l, &c, store.Journal{Run: &r, Refs: []directory.Ref{directory.AccountOf("usr_2")},
		Results: []store.Result{{Index: 1, State: directory.ChangeApplied, At: s.Now()}}}))

	changes, results, state, err := s.Runs.SealedChunk(ctx, r.ID, 0)
	if s.must(err); len(changes) != 2 || results != 1 || state != store.SealGood || changes[1].State != directory.ChangeApplied {
		s.Errorf("%d results, %q: %v", results, state, changes)
	}
	if changes, err = s.Runs.PlannedChunk(ctx, r.ID, 0); err != nil || len(changes) != 2 || changes[1].State == directory.ChangeApplied {
		s.Errorf("planned %v, %v", changes, err)
	}
	var read []string
	run, expires, err := s.Runs.RunJournal(ctx, r.ID, func(_ *store.RunRecord, items *store.ChunkItems) error {
		read = append(read, fmt.Sprint(items.Chunk, len(items.Planned), len(items.Results), len(items.Misplaced)))
		for i := range items.Results {
			if state, err := s.Runs.ChunkState(ctx, items, i); err != nil || state != store.SealGood {
				s.Errorf("chunk %d: %q, %v", items.Chunk, state, err)
			}
		}
		return nil
	})
	if s.must(err); run.ID != r.ID || !expires.After(s.Now()) || fmt.Sprint(read) != "[0 2 1 0 1 1 0 0]" {
		s.Errorf("the journal of %s, until %s: %v", run.ID, expires, read)
	}
	_, _, err = s.Runs.RunJournal(ctx, "run_none", nil)
	s.want(err, directory.ErrNotFound)
}

func testPendingLinks(s *suite) {
	ctx := s.Context()
	c := s.connection("hq")
	l, r := s.lease(&c), s.run(&c)
	none, err := s.Chains.PendingLinkOf(ctx, c.ID, r.ID)
	if s.must(err); none != nil {
		s.Errorf("an open run waits for its link: %+v", none)
	}
	r.State, r.EndedAt = directory.RunDone, s.Now()
	s.must(s.Runs.SaveRun(ctx, &l, &r))
	mark, err := s.Chains.PendingLinkOf(ctx, c.ID, r.ID)
	if s.must(err); mark == nil {
		s.Fatal("a run that ended waits for no link")
	}
	s.must(s.Runs.JournalLate(ctx, store.Journal{Run: &r, Results: []store.Result{{State: directory.ChangeApplied, At: s.Now()}}}))
	s.must(s.Chains.DropPendingLink(ctx, mark)) // renewed meanwhile: it stays
	if is, err := s.Chains.IsPending(ctx, mark); err != nil || is {
		s.Errorf("the mark is as it was read: %v, %v", is, err)
	}
	if mark, err = s.Chains.PendingLinkOf(ctx, c.ID, r.ID); err != nil || mark == nil {
		s.Fatalf("the renewed mark: %+v, %v", mark, err)
	}
	head, err := s.Chains.Head(ctx, string(c.ID))
	s.must(err)
	link := directory.ChainLink{ChainStatement: directory.ChainStatement{Chain: string(c.ID), Seq: 1, Subject: string(r.ID), At: s.Now(), Expires: s.Now().Add(time.Hour)}, Hash: "h"}
	s.must(s.Chains.AddLink(ctx, head, &link, mark))
	if is, err := s.Chains.IsPending(ctx, mark); err != nil || is {
		s.Errorf("the mark outlives the link: %v, %v", is, err)
	}
}

func testChainsRead(s *suite) {
	ctx := s.Context()
	for seq := int64(1); seq <= 4; seq++ {
		head, err := s.Chains.Head(ctx, "con_1")
		s.must(err)
		link := directory.ChainLink{Hash: "h", ChainStatement: directory.ChainStatement{
			Chain: "con_1", Seq: seq, Subject: fmt.Sprint("run_", seq), At: s.Now(), Expires: s.Now().Add(time.Hour), Parts: 1, Digest: fmt.Sprint("d", seq)}}
		s.must(s.Chains.PutLeaves(ctx, &link.ChainStatement, []directory.ChainLeaf{{ID: fmt.Sprint("leaf", seq), Sum: "s"}}))
		s.must(s.Chains.AddLink(ctx, head, &link, nil))
	}
	second, err := s.Chains.Link(ctx, "con_1", 2)
	if s.must(err); second.Subject != "run_2" {
		s.Errorf("link %+v", second)
	}
	leaves, err := s.Chains.Leaves(ctx, &second)
	if s.must(err); len(leaves) != 1 || leaves[0].ID != "leaf2" {
		s.Errorf("leaves %v", leaves)
	}
	_, err = s.Chains.Link(ctx, "con_1", 9)
	s.want(err, directory.ErrNotFound)
	list, err := s.Chains.Links(ctx, "con_1", 1, 2)
	if s.must(err); len(list) != 2 || list[0].Seq != 2 || list[1].Seq != 3 {
		s.Errorf("links %v", list)
	}
	some, err := s.Chains.LinksAt(ctx, "con_1", []int64{1, 4, 9})
	if s.must(err); len(some) != 2 || some[4].Subject != "run_4" {
		s.Errorf("links at: %v", some)
	}
	heads, err := s.Chains.Heads(ctx)
	if s.must(err); len(heads) != 1 || heads[0].Seq != 4 {
		s.Fatalf("heads %v", heads)
	}
	s.must(s.Chains.PassHours(ctx, heads[0], 100))
	s.want(s.Chains.PassHours(ctx, heads[0], 101), directory.ErrStale)
	if head, err := s.Chains.Head(ctx, "con_1"); err != nil || head.Through != 100 || head.Seq != 4 {
		s.Errorf("head %+v, %v", head, err)
	}
}

func testAuditSealed(s *suite) {
	ctx := s.Context()
	s.must(s.Audit.RecordAuditEvent(ctx, by.AuditEvent(directory.AuditBind)))
	list, err := s.Audit.AuditEvents(ctx, s.Now().Unix()/3600)
	if s.must(err); len(list) != 1 || list[0].By != by.Subject || list[0].Misplaced {
		s.Fatalf("events %+v", list)
	}
	if state, err := s.Audit.AuditState(ctx, &list[0]); err != nil || state != store.SealGood {
		s.Errorf("state %q, %v", state, err)
	}
}

func testJobParts(s *suite) {
	ctx := s.Context()
	j := store.JobRecord{Job: directory.Job{ID: directory.NewJobID(s.Now()), Kind: directory.JobImport, State: directory.JobQueued, AskedBy: by.Subject, Created: s.Now()}}
	s.must(s.Jobs.CreateJob(ctx, quiet, &j, []byte("one")))
	l, mine, err := s.Jobs.AcquireJob(ctx, j.ID, time.Minute)
	s.must(err)
	s.must(s.Jobs.AddJobInput(ctx, l, &mine, 1, []byte("made"), time.Minute))
	part, err := s.Jobs.JobInput(ctx, &mine, 1)
	if s.must(err); string(part) != "made" {
		s.Errorf("part %q", part)
	}
	stale := mine
	stale.Version--
	s.want(s.Jobs.AddJobInput(ctx, l, &stale, 2, nil, time.Minute), directory.ErrLeaseLost)
	for i := range 3 {
		s.must(s.Jobs.SavePage(ctx, j.ID, i, []byte{byte(i)}))
	}
	var pages []byte
	for page, err := range s.Jobs.Pages(ctx, j.ID, 2) {
		s.must(err)
		pages = append(pages, page...)
	}
	if fmt.Sprint(pages) != "[0 1]" {
		s.Errorf("pages %v", pages)
	}
	got, err := s.Jobs.Job(ctx, j.ID)
	if s.must(err); got.Kind != directory.JobImport || got.AskedBy != by.Subject {
		s.Errorf("job %+v", got)
	}
	_, err = s.Jobs.Job(ctx, "job_none")
	s.want(err, directory.ErrNotFound)
}

func testUploads(s *suite) {
	ctx := s.Context()
	up := directory.Upload{ID: directory.NewUploadID(s.Now()), Bytes: 7, By: by.Subject, Created: s.Now(), Expires: s.Now().Add(time.Hour), Forgotten: s.Now().Add(2 * time.Hour)}
	s.must(s.Jobs.CreateUpload(ctx, quiet, &up))
	var jobs [3]store.JobRecord
	n := s.atOnce(len(jobs), directory.ErrConflict, func(i int) error {
		jobs[i].Job = directory.Job{ID: directory.NewJobID(s.Now()), Kind: directory.JobLoad, State: directory.JobQueued, Created: s.Now()}
		return s.Jobs.CreateLoad(ctx, quiet, &jobs[i], up.ID)
	})
	if n != 1 {
		s.Errorf("one upload is loaded by %d jobs", n)
	}
	got, err := s.Jobs.Upload(ctx, up.ID)
	if s.must(err); got.Bytes != 7 || got.JobID == "" {
		s.Errorf("upload %+v", got)
	}
	s.pass(3 * time.Hour)
	_, err = s.Jobs.Upload(ctx, up.ID)
	s.want(err, directory.ErrNotFound)
}

func testTokenLease(s *suite) {
	ctx := s.Context()
	st := directory.OAuthState{ConnectionID: "con_1", Expires: s.Now().Add(time.Hour)}
	s.must(s.SignIns.PutState(ctx, quiet, "hash", st))
	for range 2 { // looking uses nothing up
		if got, err := s.SignIns.State(ctx, "hash"); err != nil || got.ConnectionID != "con_1" {
			s.Errorf("state %+v, %v", got, err)
		}
	}
	take := func(holder string) bool {
		s.Helper()
		ours, err := s.SignIns.TokenLease(ctx, "con_1", 1, holder, time.Minute)
		s.must(err)
		return ours
	}
	for range 2 { // its holder may take it again
		if !take("a") {
			s.Error("the holder has not got the lease")
		}
	}
	if take("b") {
		s.Error("the lease is not its holder's alone")
	}
	s.must(s.SignIns.ReleaseTokenLease(ctx, "con_1", 1, "b")) // not b's to give back
	if take("b") {
		s.Error("somebody else gave the lease back")
	}
	s.must(s.SignIns.ReleaseTokenLease(ctx, "con_1", 1, "a"))
	if !take("b") {
		s.Error("a lease that was given back cannot be taken")
	}
	s.pass(2 * time.Minute)
	if !take("a") {
		s.Error("a lease whose time is over cannot be taken")
	}
}
