package people

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"bindery/shared/core/jobs"
	"bindery/shared/directory"
	"bindery/shared/store"
)

const (
	// actsAtOnce is how many acts one step looks at: each may be of some twenty members,
	// of whom each has acts of its own.
	actsAtOnce = 25
	// hoursAtOnce is how many hours without an act one step passes.
	hoursAtOnce = 200
	// pastPage is how many of the acts that concern somebody are read at once.
	pastPage = 100
	// maxPasses bounds how often what had to wait for something else is tried again.
	maxPasses = 6
	// settling is how long after a client was paused a request of it may still be under
	// way: no function of ours runs longer for one.
	settling = 30 * time.Second
)

// takeBackPlace is where a take-back stands. It walks the acts since a time, oldest first,
// and deals with each user, group and membership at the client's first act on it. What
// cannot be put back yet, since another one still has the address, is left to the next
// pass; the last pass tells what came of it.
type takeBackPlace struct {
	Pass  int    `json:"pass,omitempty"`
	Last  bool   `json:"last,omitempty"`
	Hour  int64  `json:"hour"`
	After string `json:"after,omitempty"`
	// Waits and Did say whether, in this pass, something had to wait, and something was
	// put back.
	Waits bool `json:"waits,omitempty"`
	Did   bool `json:"did,omitempty"`
	Seen  int  `json:"seen,omitempty"` // how much there is to deal with, by the first pass
	// Client is the version in which the client was seen paused: in another one it may have
	// pushed in between, also before it was deleted. Gone is when it was first seen to be no more.
	Client int64     `json:"client,omitempty"`
	Gone   time.Time `json:"gone,omitzero"`
}

func (at *takeBackPlace) begin(since time.Time) {
	at.Hour, at.After, at.Waits, at.Did = since.Unix()/3600, "", false, false
}

// TakeBack is the kind of the jobs that Start starts.
func (s *TakeBacks) TakeBack(*jobs.Job) jobs.Worker {
	return &takeBackWorker{TakeBacks: s, made: map[directory.GroupID]bool{}}
}

// takeBackWorker is one slice of a take-back.
type takeBackWorker struct {
	*TakeBacks
	made map[directory.GroupID]bool // whether the client has made a group; as far as it was asked

	// Of the step that is under way.
	job     *jobs.Job
	in      takeBackInput
	at      takeBackPlace
	check   bool
	refused []directory.RefusedItem
	woken   map[directory.ConnectionID]bool
}

// Step deals with the next acts.
func (w *takeBackWorker) Step(ctx context.Context, j *jobs.Job) (jobs.Result, error) {
	w.job, w.check, w.refused, w.woken = j, j.Kind == directory.JobCheckTakeBack, nil, map[directory.ConnectionID]bool{}
	w.in, w.at = takeBackInput{}, takeBackPlace{}
	if err := j.ReadInput(&w.in); err != nil {
		return jobs.Result{}, err
	}
	w.at.begin(w.in.Since)
	w.at.Last = w.check
	if err := j.ReadPlace(&w.at); err != nil {
		return jobs.Result{}, err
	}
	if err := w.paused(ctx); err != nil {
		return jobs.Result{}, err
	}
	if w.at.Last && !w.check {
		j.Total = w.at.Seen
	}
	behind, err := w.walk(ctx)
	if err != nil {
		return jobs.Result{}, err
	}
	for id := range w.woken {
		w.users.wake(ctx, id)
	}
	ended := behind && w.at.Last
	if behind && !w.at.Last {
		w.nextPass()
	}
	if ended {
		j.Total = j.Done // with what was under way when it began
	}
	reported := min(len(w.refused), max(0, maxReported-j.RefusedCount))
	unlisted := len(w.refused) - reported
	j.RefusedCount += unlisted
	j.RefusedUnlisted += unlisted
	return jobs.Result{Refused: jobs.Short(w.refused[:reported]), Ended: ended}, j.SetPlace(w.at)
}

// paused has the job fail when the client may push, and has it wait, before it tells what
// came of it, for the requests that were under way when the client was paused, or deleted.
// A client that was edited meanwhile may have been let go on for a while, also one that is
// deleted by now: what was looked at is looked at again.
func (w *takeBackWorker) paused(ctx context.Context) error {
	if w.check {
		return nil
	}
	c, err := w.clients.Get(ctx, w.in.Client)
	gone := errors.Is(err, directory.ErrNotFound)
	if gone {
		c, err = w.clients.Deleted(ctx, w.in.Client)
	}
	switch {
	case err != nil:
		return err
	case !gone && !c.Paused:
		return notPaused(&c)
	case w.at.Client != 0 && w.at.Client != c.Version:
		if w.at.Last && w.job.Done > 0 {
			return editedMeanwhile(&c)
		}
		w.at = takeBackPlace{Gone: w.at.Gone}
		w.at.begin(w.in.Since)
	}
	w.at.Client = c.Version
	silent := c.Updated
	if gone {
		if w.at.Gone.IsZero() {
			w.at.Gone = w.now()
		}
		silent = w.at.Gone
	}
	if wait := silent.Add(settling).Sub(w.now()); w.at.Last && wait > 0 {
		return &jobs.Rest{For: wait, Place: w.at, Problem: &directory.Problem{
			Code: directory.CodeBusy, Message: "Requests of the client that were under way when it was paused are waited for.", Next: "Nothing; the job goes on by itself.",
		}}
	}
	return nil
}

func (w *takeBackWorker) nextPass() {
	w.at.Pass++
	w.at.Last = !w.at.Waits || !w.at.Did || w.at.Pass == maxPasses
	w.at.begin(w.in.Since)
}

// walk deals with a page of acts; behind says that it was the last one.
func (w *takeBackWorker) walk(ctx context.Context) (behind bool, err error) {
	until := w.now().Add(time.Minute).Unix() / 3600 // clocks differ
	for range hoursAtOnce {
		if w.at.Hour > until {
			return true, nil
		}
		acts, next, err := w.acts.ActsOfHour(ctx, w.at.Hour, w.in.Since, w.at.After, actsAtOnce)
		if err != nil {
			return false, err
		}
		for i := range acts {
			if err := w.act(ctx, &acts[i]); err != nil {
				return false, err
			}
		}
		if w.at.After = next; next == "" {
			w.at.Hour++
		}
		if len(acts) > 0 {
			break
		}
	}
	return w.at.Hour > until, nil
}

func (w *takeBackWorker) taker() taker { return taker{w.in.Client, w.job.ID} }

// act deals with what an act of the client is about.
func (w *takeBackWorker) act(ctx context.Context, a *store.Act) error {
	if t := w.taker(); !t.mine(a) {
		return nil
	}
	switch a.Kind {
	case directory.AuditAddMembers, directory.AuditRemoveMembers:
		return w.memberships(ctx, a)
	}
	var refs []directory.Ref
	for _, u := range a.UserIDs {
		refs = append(refs, directory.AccountOf(u))
	}
	for _, g := range a.GroupIDs {
		refs = append(refs, directory.GroupRef(g))
	}
	for _, ref := range refs {
		if err := w.object(ctx, a, ref); err != nil {
			return err
		}
	}
	return nil
}

// pastOf is what has been done to a user, or a group.
func (w *takeBackWorker) pastOf(ctx context.Context, ref directory.Ref) (*past, error) {
	p := newPast(w.taker(), ref)
	return p, w.eachAct(ctx, ref, func(a *store.Act) bool {
		p.add(a)
		return true
	})
}

// eachAct hands on the acts that concern somebody, oldest first, until do is content.
func (w *takeBackWorker) eachAct(ctx context.Context, ref directory.Ref, do func(*store.Act) (more bool)) error {
	for after := ""; ; {
		acts, next, err := w.acts.ActsOn(ctx, ref, w.in.Since, after, pastPage)
		if err != nil {
			return err
		}
		for i := range acts {
			if !do(&acts[i]) {
				return nil
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}

// taken is a user, or a group, whose client's changes are taken back.
type taken interface {
	standing() standing
	// write puts back what is to be; directory.ErrStale when somebody else was faster.
	write(ctx context.Context, b *putBack) error
	item() directory.RefusedItem // that names it
}

// read reads a user, or a group; nil when it is no more.
func (w *takeBackWorker) read(ctx context.Context, ref directory.Ref) (taken, error) {
	if u := ref.User(); u != "" {
		read, err := w.users.write.UserToEdit(ctx, u)
		if errors.Is(err, directory.ErrNotFound) {
			return nil, nil
		}
		return &takenUser{w, read}, err
	}
	g, err := w.groups.groups.Group(ctx, directory.GroupID(ref.ID))
	if errors.Is(err, directory.ErrNotFound) {
		return nil, nil
	}
	return &takenGroup{w, g}, err
}

// object deals with a user or a group at the client's first act on it: what is read before
// its acts are is written only as long as it is the same.
func (w *takeBackWorker) object(ctx context.Context, a *store.Act, ref directory.Ref) error {
	for try := 0; ; try++ {
		o, err := w.read(ctx, ref)
		if err != nil {
			return err
		}
		p, err := w.pastOf(ctx, ref)
		if err != nil {
			return err
		}
		if p.first != "" && p.first != a.Place {
			return nil
		}
		d := dealing{w: w, of: ref}
		err = d.deal(ctx, o, p)
		switch {
		case errors.Is(err, directory.ErrStale) && try < maxTries:
			continue
		case err != nil:
			return err
		}
		w.tell(d.outcome, 1, d.refused)
		return nil
	}
}

// tell counts what came of some, in the last pass, and lists what was not put back.
func (w *takeBackWorker) tell(outcome string, n int, refused []directory.RefusedItem) {
	if w.at.Pass == 0 && !w.at.Last {
		w.at.Seen += n
	}
	if !w.at.Last {
		return
	}
	w.job.Done += n
	if outcome != "" {
		w.job.Count(outcome, n)
	} else if len(refused) == 0 {
		w.job.Count("unchanged", n)
	}
	if len(refused) > 0 {
		w.job.Count("kept", n)
	}
	w.refused = append(w.refused, refused...)
}

// dealing is what becomes of a user or a group in one pass.
type dealing struct {
	w       *takeBackWorker
	of      directory.Ref
	outcome string // what is counted; "" for nothing
	refused []directory.RefusedItem
}

func (d *dealing) refuse(o taken, code, detail string) {
	it := directory.RefusedItem{UserID: d.of.User()}
	if o != nil {
		it = o.item()
	} else if d.of.Kind == directory.KindGroup {
		it.GroupID = directory.GroupID(d.of.ID)
	}
	it.Code, it.Detail = code, detail
	d.refused = append(d.refused, it)
}

// outcomes are the names of what is counted, of users and of groups.
var outcomes = map[directory.Kind][3]string{
	directory.KindAccount: {"edited", "restored", "deleted"},
	directory.KindGroup:   {"groupsEdited", "groupsRestored", "groupsDeleted"},
}

func (d *dealing) count(restored, deleted bool) {
	names := outcomes[d.of.Kind]
	switch {
	case deleted:
		d.outcome = names[2]
	case restored:
		d.outcome = names[1]
	default:
		d.outcome = names[0]
	}
}

func (d *dealing) deal(ctx context.Context, o taken, p *past) error {
	did := func(kinds ...directory.AuditKind) bool {
		return slices.ContainsFunc(p.did, func(k directory.AuditKind) bool { return slices.Contains(kinds, k) })
	}
	if len(p.did) > 0 { // in an earlier pass, or before a crash
		d.count(did(directory.AuditRestoreUser, directory.AuditRestoreGroup), did(directory.AuditDeleteUser, directory.AuditDeleteGroup))
	}
	switch {
	case o == nil:
		if !p.made && len(p.did) == 0 {
			d.refuse(nil, goneCode(d.of), "It can no longer be restored.")
		}
		return nil
	case p.unsure || p.first == "":
		d.refuse(o, directory.CodeNotRecorded, "The activity is not as it was written, or does not say what stood there before; it stays as it is.")
		return nil
	}
	b := p.decide(o.standing())
	if len(b.kept) > 0 || b.stays != "" {
		d.refuse(o, directory.CodeChangedSince, keptText(&b))
	}
	if b.nothing() {
		return nil
	}
	if d.w.check {
		d.count(b.restore, b.remove)
		return nil
	}
	return d.put(ctx, o, &b)
}

func goneCode(of directory.Ref) string {
	if of.Kind == directory.KindGroup {
		return directory.CodeGroupNotFound
	}
	return directory.CodeUserNotFound
}

// keptText says what stays, and because of whom.
func keptText(b *putBack) string {
	var text []string
	if b.stays != "" {
		text = append(text, fmt.Sprintf("The client has made it since, and it stays, for what was done to it then: %s. Delete it by hand if it should go.", b.stays))
	}
	var parts []string
	for _, k := range b.kept {
		if k.by != "" {
			k.what += " (" + k.by + ")"
		}
		parts = append(parts, k.what)
	}
	if parts != nil {
		text = append(text, "Somebody else has changed it since, and it stays: "+strings.Join(parts, ", ")+".")
	}
	return strings.Join(text, " ")
}

// put writes what is to be put back. What cannot be, since somebody else has the address or
// the name, waits for the next pass; in the last one, everything but that is written.
func (d *dealing) put(ctx context.Context, o taken, b *putBack) error {
	for {
		err := o.write(ctx, b)
		if err == nil {
			d.w.at.Did = true
			d.count(b.restore, b.remove)
			return nil
		}
		path, refusal := d.w.blocked(ctx, err)
		if refusal == nil {
			return err
		}
		if !d.w.at.Last {
			d.w.at.Waits = true
			return nil
		}
		detail := refusal.Detail
		if len(refusal.Fields) > 0 {
			detail = fmt.Sprintf("%s %s; it was not put back.", refusal.Fields[0].Field, refusal.Fields[0].Detail)
		}
		d.refuse(o, refusal.Code, detail)
		_, said := b.texts[path]
		switch {
		case path == "externalId" && b.restore && !b.unnamed:
			b.unnamed = true // it returns without
		case !said:
			return nil
		}
		delete(b.texts, path)
		delete(b.owners, path)
		if b.nothing() {
			return nil
		}
	}
}

// blocked says which attribute keeps a write from being done, and how people are told; nil
// for any other error.
func (w *takeBackWorker) blocked(ctx context.Context, err error) (path string, r *directory.Refusal) {
	if errors.Is(err, directory.ErrStale) || errors.Is(err, directory.ErrBusy) {
		return "", nil
	}
	if t, is := errors.AsType[*store.AddressTaken](err); is {
		path = t.Field
	}
	if _, is := errors.AsType[*store.ManagerCycle](err); is {
		path = "managerId"
	}
	if _, is := errors.AsType[*store.ExternalIDTaken](err); is {
		path, err = "externalId", externalIDTaken()
	}
	if _, is := errors.AsType[*store.GroupNameTaken](err); is {
		path = "name"
	}
	r, _ = errors.AsType[*directory.Refusal](groupTaken(w.users.Taken(ctx, err)))
	if path == "" && r != nil && len(r.Fields) > 0 {
		path = r.Fields[0].Field
	}
	return path, r
}

// auditEvent is what an edit of the job is.
func (w *takeBackWorker) auditEvent(kind directory.AuditKind) directory.AuditEvent {
	act := w.job.AuditEvent(kind)
	act.Reason = w.in.reason()
	return act
}

// withOwners are owners with some of them changed.
func withOwners(owners, change map[string]directory.Source) map[string]directory.Source {
	next := maps.Clone(owners)
	for path, source := range change {
		if source == "" {
			delete(next, path)
			continue
		}
		if next == nil {
			next = map[string]directory.Source{}
		}
		next[path] = source
	}
	if len(next) == 0 {
		return nil
	}
	return next
}

// document is the edit of what the client has pushed that goes with another externalId, or
// with the one that it has when its user or group returns; nil for none: the rest of a
// document is shown with what the user has.
func (w *takeBackWorker) document(ctx context.Context, of directory.MemberRef, was string, b *putBack) (*store.DocumentEdit, error) {
	to, said := b.texts["externalId"]
	if b.remove || !said && !b.restore || b.unnamed {
		return nil, nil
	}
	doc, err := w.documents.Document(ctx, w.in.Client, of)
	if err != nil || doc.Version == 0 {
		return nil, err
	}
	next := doc
	switch {
	case said && doc.ExternalID == was:
		next.ExternalID = to
	case !b.restore || doc.ExternalID == "":
		return nil, nil
	}
	return &store.DocumentEdit{Old: &doc, New: &next}, nil
}

// takenUser is a user whose changes are taken back.
type takenUser struct {
	w    *takeBackWorker
	read store.Subject
}

func (o *takenUser) standing() standing {
	u := o.read.User
	return standing{func(path string) string { return value(&u.Profile, path) }, u.Owners, u.Deleted != nil}
}

func (o *takenUser) item() directory.RefusedItem {
	return directory.RefusedItem{UserID: o.read.User.ID, Name: o.read.User.Email}
}

func (o *takenUser) write(ctx context.Context, b *putBack) error {
	w, old := o.w, *o.read.User
	u := old
	for path, text := range b.texts {
		set(&u.Profile, path, text)
	}
	u.Owners = withOwners(old.Owners, b.owners)
	if u.ManagerID != old.ManagerID {
		if err := w.users.checkManager(ctx, &u); err != nil {
			return err
		}
	}
	if err := userShape.invalid(checkProfile(&u.Profile)); err != nil {
		return err
	}
	if b.restore {
		u.Deleted = nil
	}
	if b.remove {
		now := w.now().UTC()
		u.Deleted = &now
	}
	doc, err := w.document(ctx, directory.UserMember(u.ID), old.ExternalID, b)
	if err != nil {
		return err
	}
	kind := pushKind(&old, &u)
	if b.remove {
		kind = directory.AuditDeleteUser
	}
	u.EditedBy(w.job.By(), w.now())
	conn, err := w.write.UpdatePushed(ctx, w.auditEvent(kind), &o.read, &u, doc)
	if err != nil {
		return err
	}
	if conn != "" {
		w.woken[conn] = true
	}
	if store.MembershipCounts(&old, &u) {
		w.users.teller.tell(ctx, directory.UserMember(u.ID))
	}
	return nil
}

// takenGroup is a group whose changes are taken back.
type takenGroup struct {
	w   *takeBackWorker
	now directory.Group
}

func (o *takenGroup) standing() standing {
	return standing{func(path string) string { return groupText(&o.now.GroupProfile, path) }, o.now.Owners, o.now.Deleted != nil}
}

func (o *takenGroup) item() directory.RefusedItem {
	return directory.RefusedItem{GroupID: o.now.ID, Name: o.now.Name}
}

func (o *takenGroup) write(ctx context.Context, b *putBack) error {
	w, g := o.w, o.now
	for path, text := range b.texts {
		setGroupText(&g.GroupProfile, path, text)
	}
	g.Owners = withOwners(o.now.Owners, b.owners)
	if err := groupShape.invalid(checkGroup(&g.GroupProfile)); err != nil {
		return err
	}
	kind := directory.AuditEditGroup
	if b.restore {
		g.Deleted, kind = nil, directory.AuditRestoreGroup
	}
	if b.remove {
		now := w.now().UTC()
		g.Deleted, kind = &now, directory.AuditDeleteGroup
	}
	doc, err := w.document(ctx, directory.GroupMember(g.ID), o.now.ExternalID, b)
	if err != nil {
		return err
	}
	g.EditedBy(w.job.By(), w.now())
	told, err := w.writeTo.UpdatePushed(ctx, w.auditEvent(kind), &o.now, &g, doc)
	if err != nil {
		return err
	}
	w.groups.tell(ctx, g.ID, told)
	return nil
}

// memberships deals with those members of a group whom an act of the client is the first
// about. In a group that the client has made they go, or stay, with the group.
func (w *takeBackWorker) memberships(ctx context.Context, a *store.Act) error {
	if len(a.GroupIDs) == 0 {
		return nil
	}
	id := a.GroupIDs[0]
	for try := 0; ; try++ {
		g, err := w.groups.groups.Group(ctx, id)
		if errors.Is(err, directory.ErrNotFound) {
			return nil // with its members
		}
		if err != nil {
			return err
		}
		if made, err := w.madeByClient(ctx, &g); err != nil || made {
			return err
		}
		pasts, err := w.memberPasts(ctx, a, id)
		if err != nil {
			return err
		}
		err = w.putMembers(ctx, &g, pasts)
		if !errors.Is(err, directory.ErrStale) {
			return err
		}
		if try == maxTries {
			return fmt.Errorf("group %s is being edited all the time: %w", id, directory.ErrBusy)
		}
	}
}

// madeByClient reports whether the client has made a group since.
func (w *takeBackWorker) madeByClient(ctx context.Context, g *directory.Group) (bool, error) {
	made, known := w.made[g.ID]
	if known || g.Created.Before(w.in.Since.Add(-time.Minute)) { // clocks differ
		return made, nil
	}
	p := newPast(w.taker(), directory.GroupRef(g.ID))
	err := w.eachAct(ctx, p.of, func(a *store.Act) bool {
		p.add(a)
		return p.first == ""
	})
	if err == nil {
		w.made[g.ID] = p.made
	}
	return p.made, err
}

// memberPasts are the pasts of those memberships that an act of the client is the first
// about.
func (w *takeBackWorker) memberPasts(ctx context.Context, a *store.Act, id directory.GroupID) ([]*memberPast, error) {
	var list []*memberPast
	for _, m := range membersOf(a) {
		p := &memberPast{taker: w.taker(), group: id, member: m}
		if err := w.eachAct(ctx, refOfMember(m), func(a *store.Act) bool {
			p.add(a)
			return true
		}); err != nil {
			return nil, err
		}
		if p.first == a.Place || p.first == "" {
			list = append(list, p)
		}
	}
	return list, nil
}

func refOfMember(m directory.MemberRef) directory.Ref {
	if g := m.Group(); g != "" {
		return directory.GroupRef(g)
	}
	return directory.AccountOf(m.User())
}

// willBeThere reports whether a user or a group lives once everything is put back.
func (w *takeBackWorker) willBeThere(ctx context.Context, ref directory.Ref) (bool, error) {
	o, err := w.read(ctx, ref)
	if o == nil || err != nil {
		return false, err
	}
	now := o.standing()
	p, err := w.pastOf(ctx, ref)
	if err != nil || p.unsure || p.first == "" {
		return !now.deleted, err
	}
	b := p.decide(now)
	return b.restore || !now.deleted && !b.remove, nil
}

// memberCounts are the names under which memberships are counted.
var memberCounts = map[directory.AuditKind]string{directory.AuditAddMembers: "membersAdded", directory.AuditRemoveMembers: "membersRemoved"}

// memberDealing is what becomes of some members of a group in one pass.
type memberDealing struct {
	w       *takeBackWorker
	group   *directory.Group
	todo    map[directory.AuditKind][]directory.MemberRef
	outcome map[directory.MemberRef]string // what is counted; "" for nothing
	refused map[directory.MemberRef][]directory.RefusedItem
}

func (d *memberDealing) refuse(m directory.MemberRef, code, detail string) {
	it := refusedMember(m, code, fmt.Sprintf("The membership in the group %q: %s", d.group.Name, detail))
	it.GroupID = cmp.Or(it.GroupID, d.group.ID)
	d.refused[m] = append(d.refused[m], it)
}

// putMembers puts members back into a group, and takes others out.
func (w *takeBackWorker) putMembers(ctx context.Context, g *directory.Group, pasts []*memberPast) error {
	d := memberDealing{w, g, map[directory.AuditKind][]directory.MemberRef{}, map[directory.MemberRef]string{}, map[directory.MemberRef][]directory.RefusedItem{}}
	if err := d.decide(ctx, pasts); err != nil {
		return err
	}
	version := g.MembersVersion
	for _, kind := range []directory.AuditKind{directory.AuditRemoveMembers, directory.AuditAddMembers} {
		next, err := d.do(ctx, kind, version)
		if err != nil {
			return err
		}
		version = next
	}
	for _, p := range pasts {
		w.tell(d.outcome[p.member], 1, d.refused[p.member])
	}
	return nil
}

// decide says of each membership what is to be done about it.
func (d *memberDealing) decide(ctx context.Context, pasts []*memberPast) error {
	refs := make([]directory.MemberRef, len(pasts))
	for i, p := range pasts {
		refs[i] = p.member
	}
	there, err := d.w.groups.groups.MembershipsAmong(ctx, d.group.ID, refs)
	if err != nil {
		return err
	}
	for _, p := range pasts {
		d.outcome[p.member] = memberCounts[p.did]
		now := ""
		if _, member := there[p.member]; member {
			now = isSo
		}
		put, kept := p.is.verdict(now)
		switch {
		case p.unsure || p.first == "":
			d.refuse(p.member, directory.CodeNotRecorded, "its activity is not as it was written; it stays as it is.")
		case kept:
			d.refuse(p.member, directory.CodeChangedSince, keptText(&putBack{kept: []keptThing{{"the membership", p.is.by}}}))
		case put && now == "":
			d.todo[directory.AuditAddMembers] = append(d.todo[directory.AuditAddMembers], p.member)
		case put && d.group.Deleted == nil: // a deleted group has none
			d.todo[directory.AuditRemoveMembers] = append(d.todo[directory.AuditRemoveMembers], p.member)
		}
	}
	return nil
}

// do puts members in, or takes them out, of a group whose members are of a version; it
// returns the one that they are of then.
func (d *memberDealing) do(ctx context.Context, kind directory.AuditKind, version int64) (int64, error) {
	members := d.todo[kind]
	if len(members) == 0 {
		return version, nil
	}
	if d.w.check {
		return version, d.foresee(ctx, kind)
	}
	done, err := d.w.editMembers(ctx, d.group.ID, kind, members, version)
	if r, is := errors.AsType[*directory.Refusal](err); is && r.Code == directory.CodeGroupDeleted {
		err = nil
		for _, m := range members {
			done.Refused = append(done.Refused, refusedMember(m, r.Code, r.Detail))
		}
	}
	if err != nil {
		return version, err
	}
	for _, m := range done.Done {
		d.w.at.Did, d.outcome[m] = true, memberCounts[kind]
	}
	for _, r := range done.Refused {
		d.w.at.Waits = true
		d.refuse(memberOfItem(&r), r.Code, r.Detail)
	}
	return max(version, done.Version), nil
}

// foresee counts what do would do, as it will be once everybody is put back, or deleted, who
// is to be: nobody who is deleted then becomes a member.
func (d *memberDealing) foresee(ctx context.Context, kind directory.AuditKind) error {
	for _, m := range d.todo[kind] {
		if kind == directory.AuditAddMembers {
			there, err := d.w.willBeThere(ctx, refOfMember(m))
			if err != nil {
				return err
			}
			if !there {
				d.refuse(m, directory.CodeUserDeleted, "The member is deleted, or will be.")
				continue
			}
		}
		d.outcome[m] = memberCounts[kind]
	}
	return nil
}

func memberOfItem(r *directory.RefusedItem) directory.MemberRef {
	if r.UserID != "" {
		return directory.UserMember(r.UserID)
	}
	return directory.GroupMember(r.GroupID)
}

// editMembers puts members in, or takes them out, while the group has those that it was
// read with. A membership that is put back is nobody's: whose it was is not on record, and
// whoever brought it takes it again with the next push.
func (w *takeBackWorker) editMembers(ctx context.Context, id directory.GroupID, kind directory.AuditKind, members []directory.MemberRef, version int64) (MembersEdited, error) {
	by, e := directory.Caller{Subject: w.job.By()}, memberEdit{act: w.auditEvent(kind), asksWho: true, decide: toAdd}
	if kind == directory.AuditRemoveMembers {
		by.Source, e.asksWho, e.decide = directory.SourceSCIM, false, toRemove // whose it is
	}
	return w.groups.editMembers(ctx, e, by, id, members, at(version))
}
