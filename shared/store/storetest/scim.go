package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

const okta = directory.ScimClientID("scl_okta")

// push is a document of a client, over the one that was read.
func (s *suite) push(of directory.MemberRef, externalID, body string) *store.DocumentEdit {
	s.Helper()
	old, err := s.Documents.Document(s.Context(), okta, of)
	s.must(err)
	return &store.DocumentEdit{Old: &old, New: &store.Document{Client: okta, Of: of, ExternalID: externalID, Body: []byte(body), Kept: []string{"managerId"}}}
}

// pushed makes a user that a client has pushed.
func (s *suite) pushed(address, externalID string) (directory.User, error) {
	s.Helper()
	u := directory.User{ID: directory.NewUserID(s.Now()), Source: directory.SourceSCIM, Created: s.Now(), Updated: s.Now()}
	u.Email, u.UserName, u.State = address, address, directory.StateActive
	return u, s.Users.CreatePushed(s.Context(), quiet, &u, s.push(directory.UserMember(u.ID), externalID, `{"a":1}`))
}

// found demands who has an externalId, and how many users the client has pushed.
func (s *suite) found(externalID string, want directory.UserID, pushed int) {
	s.Helper()
	of, found, err := s.Documents.ByExternalID(s.Context(), okta, directory.MemberUser, externalID)
	s.must(err)
	if found != (want != "") || of.User() != want {
		s.Errorf("externalId %q leads to %v, %v; want %q", externalID, of, found, want)
	}
	n, err := s.Documents.CountPushed(s.Context(), okta, directory.MemberUser)
	s.must(err)
	var listed int
	for cursor := ""; ; {
		list, next, err := s.Documents.Pushed(s.Context(), okta, directory.MemberUser, cursor, 2)
		s.must(err)
		listed += len(list)
		if cursor = next; next == "" {
			break
		}
	}
	if n != pushed || listed != pushed {
		s.Errorf("%d users counted, %d listed, want %d", n, listed, pushed)
	}
}

// has demands whom the client has pushed with an address beside their own.
func (s *suite) has(address string, want ...directory.UserID) {
	s.Helper()
	got, more, err := s.Documents.ByAddress(s.Context(), okta, address, len(want))
	s.must(err)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || more {
		s.Errorf("%.20q leads to %v, want %v", address, got, want)
	}
	if len(want) < 2 {
		return
	}
	if got, more, err = s.Documents.ByAddress(s.Context(), okta, address, 1); err != nil || len(got) != 1 || !more {
		s.Errorf("of %.20q the first is %v, more: %t, %v", address, got, more, err)
	}
}

// okta makes the client that pushes.
func (s *suite) okta() directory.ScimClient {
	s.Helper()
	c := directory.ScimClient{ID: okta, Name: "Okta", Created: s.Now()}
	s.must(s.ScimClients.SaveScimClient(s.Context(), quiet, &c))
	return c
}

func testDocuments(s *suite) {
	ctx := s.Context()
	client := s.okta()
	ann, err := s.pushed("ann@hq.example", "A1")
	s.must(err)
	s.found("A1", ann.ID, 1)
	doc, err := s.Documents.Document(ctx, okta, directory.UserMember(ann.ID))
	if s.must(err); doc.Version != 1 || doc.ExternalID != "A1" || string(doc.Body) != `{"a":1}` || len(doc.Kept) != 1 || !doc.Created.Equal(ann.Created) || !doc.Updated.Equal(ann.Updated) {
		s.Errorf("%+v", doc)
	}

	users, docs, err := s.Documents.UsersPushed(ctx, okta, []directory.UserID{ann.ID, "usr_nobody"})
	if s.must(err); len(users) != 1 || users[ann.ID].Email != ann.Email || len(docs) != 1 || docs[ann.ID].ExternalID != "A1" {
		s.Errorf("%v, %v", users, docs)
	}

	// One externalId leads to one user, and all or nothing is written.
	_, err = s.pushed("ben@hq.example", "A1")
	if taken, is := errors.AsType[*store.ExternalIDTaken](err); !is || taken.Owner.User() != ann.ID {
		s.Errorf("the same externalId again: %v", err)
	}
	ben, err := s.pushed("ben@hq.example", "")
	s.must(err)
	_, err = s.pushed("BEN@hq.example", "B1")
	if _, is := errors.AsType[*store.AddressTaken](err); !is {
		s.Errorf("the same address again: %v", err)
	}
	s.found("B1", "", 2)
	if _, found, err := s.Documents.ByExternalID(ctx, "scl_other", directory.MemberUser, "A1"); found || err != nil {
		s.Errorf("another client's: %v, %v", found, err)
	}

	// With the user, on the condition that both are as they were read.
	sub, err := s.Users.UserToEdit(ctx, ann.ID)
	s.must(err)
	next := *sub.User
	next.Department = "Sales"
	edit := s.push(directory.UserMember(ann.ID), "A2", `{"a":2}`)
	_, err = s.Users.UpdatePushed(ctx, quiet, &sub, &next, edit)
	s.must(err)
	s.found("A1", "", 2)
	s.found("A2", ann.ID, 2)
	sub.User = &next
	later := next
	later.Department = "Law"
	_, err = s.Users.UpdatePushed(ctx, quiet, &sub, &later, edit) // of a document that has changed since
	s.want(err, directory.ErrStale)
	s.want(s.Documents.SaveDocument(ctx, next.Version-1, s.push(directory.UserMember(ann.ID), "A2", `{}`)), directory.ErrStale)
	s.must(s.Documents.SaveDocument(ctx, next.Version, s.push(directory.UserMember(ann.ID), "A3", `{}`)))
	s.found("A3", ann.ID, 2)
	if err := s.Documents.SaveDocument(ctx, ben.Version, s.push(directory.UserMember(ben.ID), "A3", `{}`)); !errors.Is(err, directory.ErrConflict) {
		s.Errorf("an externalId of somebody else: %v", err)
	}

	// Addresses beside the own one lead to everybody who has them.
	with := func(u directory.User, addresses ...string) {
		s.Helper()
		now, err := s.Users.User(ctx, u.ID)
		s.must(err)
		doc, err := s.Documents.Document(ctx, okta, directory.UserMember(u.ID))
		s.must(err)
		edit := s.push(directory.UserMember(u.ID), doc.ExternalID, fmt.Sprintf("%q", addresses))
		edit.New.Addresses = addresses
		s.must(s.Documents.SaveDocument(ctx, now.Version, edit))
	}
	with(ann, "home@ann.example", "both@hq.example", "Both@hq.example")
	with(ben, "BOTH@hq.example")
	s.has("HOME@ann.example", ann.ID)
	s.has("both@hq.example", ann.ID, ben.ID)
	with(ann, "home@ann.example")
	s.has("both@hq.example", ben.ID)
	with(ben)
	s.has("both@hq.example")
	s.has(strings.Repeat("x", 3000))
	s.has("")

	// A tombstone is in no list, and is found by its externalId, until it is no more.
	for _, step := range []struct {
		deleted bool
		pushed  int
	}{{true, 1}, {false, 2}, {true, 1}} {
		read, err := s.Users.User(ctx, ann.ID)
		s.must(err)
		edited := read
		if now := s.Now(); step.deleted {
			edited.Deleted = &now
		} else {
			edited.Deleted = nil
		}
		_, err = s.Users.UpdateUser(ctx, quiet, &read, &edited)
		s.must(err)
		s.found("A3", ann.ID, step.pushed)
	}
	s.pass(store.TombstoneLife + time.Hour)
	edit = s.push(directory.UserMember(ben.ID), "A3", `{"b":1}`)
	edit.Freed = directory.UserMember(ann.ID)
	s.must(s.Documents.SaveDocument(ctx, ben.Version, edit))
	for none := false; !none; {
		none, err = s.Groups.PurgeMembers(ctx)
		s.must(err)
	}
	s.found("A3", ben.ID, 1)
	s.has("home@ann.example")
	doc, err = s.Documents.Document(ctx, okta, directory.UserMember(ann.ID))
	if s.must(err); doc.Version != 0 {
		s.Errorf("of a user who is no more: %+v", doc)
	}

	// What a client that is deleted has pushed is nobody's, and keeps nobody from anything.
	orphaned := func(u directory.User, want bool) {
		s.Helper()
		if is, err := s.Documents.Orphaned(ctx, directory.UserMember(u.ID)); err != nil || is != want {
			s.Errorf("whether clients have left %s: %t, %v", u.Email, is, err)
		}
	}
	byHand := s.user("hand@hq.example")
	orphaned(ben, false)
	s.must(s.ScimClients.DeleteScimClient(ctx, quiet, &client))
	orphaned(ben, true)
	orphaned(byHand, false)
	read, err := s.Users.User(ctx, ben.ID)
	if err == nil {
		edited, now := read, s.Now()
		edited.Deleted = &now
		_, err = s.Users.UpdateUser(ctx, quiet, &read, &edited)
	}
	s.must(err)
}

func testPushedGroups(s *suite) {
	ctx := s.Context()
	s.okta()
	g := directory.Group{ID: directory.NewGroupID(s.Now()), GroupProfile: directory.GroupProfile{Name: "Eng"}, Source: directory.SourceSCIM}
	of := directory.GroupMember(g.ID)
	s.must(s.Groups.CreatePushed(ctx, quiet, &g, s.push(of, "G1", `{}`)))
	other := directory.Group{ID: directory.NewGroupID(s.Now()), GroupProfile: directory.GroupProfile{Name: "Law"}}
	err := s.Groups.CreatePushed(ctx, quiet, &other, s.push(directory.GroupMember(other.ID), "G1", `{}`))
	if _, is := errors.AsType[*store.ExternalIDTaken](err); !is {
		s.Errorf("the same externalId again: %v", err)
	}
	next := g
	next.Name = "Engineering"
	_, err = s.Groups.UpdatePushed(ctx, quiet, &g, &next, s.push(of, "G2", `{"g":2}`))
	s.must(err)
	s.must(s.Documents.SaveDocument(ctx, next.Edition, s.push(of, "G3", `{}`)))
	if at, found, err := s.Documents.ByExternalID(ctx, okta, directory.MemberGroup, "G3"); err != nil || !found || at.Group() != g.ID {
		s.Errorf("%v, %v, %v", at, found, err)
	}
	gone, now := next, s.Now()
	gone.Deleted = &now
	_, err = s.Groups.UpdateGroup(ctx, quiet, &next, &gone)
	s.must(err)
	if n, err := s.Documents.CountPushed(ctx, okta, directory.MemberGroup); err != nil || n != 0 {
		s.Errorf("%d groups counted, %v", n, err)
	}
}

func testScimClients(s *suite) {
	ctx := s.Context()
	c := directory.ScimClient{ID: okta, Name: "Okta", Created: s.Now(), Mapping: []directory.ScimMapping{{Schema: "urn:x", Attribute: "a", Path: "customAttributes.a"}}}
	stale := c
	s.must(s.ScimClients.SaveScimClient(ctx, quiet, &c))
	s.want(s.ScimClients.SaveScimClient(ctx, quiet, &stale), directory.ErrStale)
	c.Paused = true
	s.must(s.ScimClients.SaveScimClient(ctx, quiet, &c))
	read, err := s.ScimClients.ScimClient(ctx, okta)
	if s.must(err); read.Version != 2 || !read.Paused || read.Name != "Okta" || len(read.Mapping) != 1 {
		s.Errorf("%+v", read)
	}
	list, next, err := s.ScimClients.ListScimClients(ctx, "", 10)
	if s.must(err); len(list) != 1 || next != "" || list[0].ID != okta {
		s.Errorf("%v, %q", list, next)
	}

	t := directory.ScimToken{ID: "sct_1", ClientID: okta, Hash: []byte{0, 1, 255}, Created: s.Now(), Expires: s.Now().Add(time.Hour)}
	s.must(s.ScimClients.AddScimToken(ctx, quiet, &t))
	s.want(s.ScimClients.AddScimToken(ctx, quiet, &directory.ScimToken{ID: "sct_2", ClientID: "scl_nobody"}), directory.ErrNotFound)
	s.must(s.ScimClients.TouchScimToken(ctx, &t))
	s.must(s.ScimClients.TouchScimClient(ctx, &c))
	touched, err := s.ScimClients.ScimClient(ctx, okta)
	if s.must(err); !touched.LastSeen.Equal(s.Now().Truncate(time.Hour)) || touched.Version != c.Version {
		s.Errorf("the last request: %+v", touched)
	}
	s.must(s.ScimClients.SaveScimClient(ctx, quiet, &touched))
	if saved, err := s.ScimClients.ScimClient(ctx, okta); err != nil || saved.LastSeen.IsZero() {
		s.Errorf("saved, it has lost its last request: %+v, %v", saved, err)
	}
	c = touched
	client, token, _, err := s.ScimClients.ScimAccess(ctx, okta, "sct_1")
	if s.must(err); client == nil || token == nil || string(token.Hash) != "\x00\x01\xff" || !token.LastUsed.Equal(s.Now().Truncate(time.Hour)) || !token.Alive(s.Now()) {
		s.Errorf("%+v, %+v", client, token)
	}
	if _, token, _, err := s.ScimClients.ScimAccess(ctx, okta, "sct_2"); token != nil || err != nil {
		s.Errorf("a token that is not there: %v, %v", token, err)
	}
	revoked, err := s.ScimClients.RevokeScimToken(ctx, quiet, okta, "sct_1")
	if s.must(err); revoked.Alive(s.Now()) {
		s.Error("a revoked token is alive")
	}
	if _, token, _, _ := s.ScimClients.ScimAccess(ctx, okta, "sct_1"); token == nil || token.Alive(s.Now()) || string(token.Hash) != "\x00\x01\xff" {
		s.Errorf("a revoked token is read as %+v", token)
	}
	_, err = s.ScimClients.RevokeScimToken(ctx, quiet, okta, "sct_2")
	s.want(err, directory.ErrNotFound)

	s.requests()

	none, first, second := directory.ScimMark{}, directory.ScimMark{Index: 101, Cursor: "3:x", Total: 250}, directory.ScimMark{Index: 201, Cursor: "5:x"}
	s.must(s.ScimClients.SaveScimMark(ctx, okta, "q", first, time.Hour))
	s.must(s.ScimClients.SaveScimMark(ctx, okta, "q", second, time.Hour))
	for index, want := range map[int]directory.ScimMark{1: none, 101: first, 200: first, 201: second, 9000: second} {
		if m, err := s.ScimClients.ScimMark(ctx, okta, "q", index); err != nil || m != want {
			s.Errorf("the mark below %d is %+v, %v; want %+v", index, m, err, want)
		}
	}
	if m, err := s.ScimClients.ScimMark(ctx, okta, "another", 201); err != nil || m != none {
		s.Errorf("the mark of another question: %+v, %v", m, err)
	}
	s.pass(time.Hour)
	if m, err := s.ScimClients.ScimMark(ctx, okta, "q", 201); err != nil || m != none {
		s.Errorf("an old mark: %+v, %v", m, err)
	}

	s.want(s.ScimClients.DeleteScimClient(ctx, quiet, &stale), directory.ErrStale)
	s.must(s.ScimClients.DeleteScimClient(ctx, quiet, &c))
	if client, token, _, err := s.ScimClients.ScimAccess(ctx, okta, "sct_1"); client != nil || token != nil || err != nil {
		s.Errorf("after the end: %v, %v, %v", client, token, err)
	}
}

// requests demands what a client asked for, all and of a sort, and whom it pushed.
func (s *suite) requests() {
	s.Helper()
	ctx := s.Context()
	for i := range 5 {
		s.must(s.ScimClients.LogScimRequest(ctx, okta, &directory.ScimRequest{At: s.Now().Add(time.Duration(i) * time.Second), Method: "GET", Path: fmt.Sprint("/Users/", i), Status: 200}, directory.ScimCount{}))
	}
	log, after, err := s.ScimClients.FindScimRequests(ctx, okta, nil, "", 2)
	if s.must(err); len(log) != 2 || log[0].Path != "/Users/4" || after == "" {
		s.Errorf("%v, %q", log, after)
	}
	log, after, err = s.ScimClients.FindScimRequests(ctx, okta, nil, after, 10)
	if s.must(err); len(log) != 3 || log[0].Path != "/Users/2" || after != "" {
		s.Errorf("%v, %q", log, after)
	}

	odd := func(r *directory.ScimRequest) bool { return r.Path == "/Users/1" || r.Path == "/Users/3" }
	log, after, err = s.ScimClients.FindScimRequests(ctx, okta, odd, "", 1)
	if s.must(err); len(log) != 1 || log[0].Path != "/Users/3" || after == "" {
		s.Errorf("of a sort: %v, %q", log, after)
	}
	log, after, err = s.ScimClients.FindScimRequests(ctx, okta, odd, after, 5)
	if s.must(err); len(log) != 1 || log[0].Path != "/Users/1" || after != "" {
		s.Errorf("of a sort, further on: %v, %q", log, after)
	}

	u, err := s.pushed("of@hq.example", "O1")
	s.must(err)
	if list, err := s.ScimClients.ScimClientsOf(ctx, directory.UserMember(u.ID)); err != nil || len(list) != 1 || list[0].Name != "Okta" {
		s.Errorf("the clients of a user: %v, %v", list, err)
	}
	if list, err := s.ScimClients.ScimClientsOf(ctx, directory.UserMember("usr_nobody")); err != nil || len(list) != 0 {
		s.Errorf("the clients of nobody: %v, %v", list, err)
	}
}

// testScimTally: whom a client has suspended and deleted is counted once over the last 24 hours,
// and a wrong token is noted of a client that is there, whoever else writes it.
func testScimTally(s *suite) {
	ctx := s.Context()
	c := directory.ScimClient{ID: okta, Name: "Okta", Created: s.Now()}
	s.must(s.ScimClients.SaveScimClient(ctx, quiet, &c))
	tally := func() (suspended, deleted int) {
		sum, err := s.ScimClients.ScimTally(ctx, okta)
		s.must(err)
		if ago := s.Now().Sub(sum.Since); ago < 23*time.Hour || ago > 24*time.Hour {
			s.Errorf("since %v", ago)
		}
		return sum.Suspended, sum.Deleted
	}
	suspend := func(name string, ago time.Duration) {
		s.must(s.ScimClients.TallyScimRequest(ctx, okta, &directory.ScimRequest{At: s.Now().Add(-ago), UserID: directory.UserID("usr_" + name), Suspended: true}))
	}
	for range 3 {
		suspend("ann", 2*time.Hour)
	}
	suspend("bob", time.Hour)
	suspend("cy", 5*time.Hour)
	suspend("cy", 0)           // counts in the hour of the last time
	suspend("cy", 5*time.Hour) // told late
	s.must(s.ScimClients.TallyScimRequest(ctx, okta, &directory.ScimRequest{At: s.Now(), UserID: "usr_cy", Deleted: true}))
	if a, b := tally(); a != 3 || b != 1 {
		s.Errorf("%d suspended, %d deleted; want 3, 1", a, b)
	}
	s.pass(22 * time.Hour)
	if a, b := tally(); a != 2 || b != 1 {
		s.Errorf("22 hours later: %d, %d; want 2, 1", a, b)
	}
	s.pass(3 * time.Hour)
	if a, b := tally(); a != 0 || b != 0 {
		s.Errorf("a day later: %d, %d", a, b)
	}
	suspend("ann", 0)
	if a, b := tally(); a != 1 || b != 0 {
		s.Errorf("once more: %d, %d", a, b)
	}

	s.must(s.ScimClients.NoteWrongToken(ctx, okta))
	s.must(s.ScimClients.NoteWrongToken(ctx, "scl_nobody"))
	if _, err := s.ScimClients.ScimClient(ctx, "scl_nobody"); !errors.Is(err, directory.ErrNotFound) {
		s.Errorf("a wrong token has made a client: %v", err)
	}
	now, err := s.ScimClients.ScimClient(ctx, okta)
	if s.must(err); !now.WrongToken.Equal(s.Now().Truncate(time.Minute)) {
		s.Errorf("wrong token at %v", now.WrongToken)
	}
	s.must(s.ScimClients.SaveScimClient(ctx, quiet, &now))
	if again, err := s.ScimClients.ScimClient(ctx, okta); err != nil || !again.WrongToken.Equal(now.WrongToken) {
		s.Errorf("saved, it is %v, %v", again.WrongToken, err)
	}
}

// testScimRate: the requests of a client are counted in windows, and read with the client.
func testScimRate(s *suite) {
	ctx := s.Context()
	c := directory.ScimClient{ID: okta, Name: "Okta", Created: s.Now()}
	s.must(s.ScimClients.SaveScimClient(ctx, quiet, &c))
	rate := func(t directory.ScimTokenID) directory.ScimRate {
		c, _, r, err := s.ScimClients.ScimAccess(ctx, okta, t)
		if s.must(err); c == nil {
			s.Error("the client is not there")
		}
		return r
	}
	window := rate("").Window
	for range 3 {
		s.must(s.ScimClients.LogScimRequest(ctx, okta, &directory.ScimRequest{At: s.Now().Add(-time.Hour)}, directory.ScimCount{Window: window, Requests: 5}))
	}
	if got := rate("sct_1"); got != (directory.ScimRate{Window: window, Now: 15}) {
		s.Errorf("15 requests are counted as %+v", got)
	}
	s.pass(directory.ScimWindow)
	if got := rate(""); got != (directory.ScimRate{Window: window + 1, Before: 15}) {
		s.Errorf("in the next window as %+v", got)
	}
	s.pass(directory.ScimWindow)
	if got := rate(""); got != (directory.ScimRate{Window: window + 2}) {
		s.Errorf("in the one after as %+v", got)
	}
}
