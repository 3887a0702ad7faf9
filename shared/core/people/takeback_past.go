package people

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// taker is whose changes are taken back, and by which job.
type taker struct {
	client directory.ScimClientID
	job    directory.JobID
}

// mine reports whether an act is the client's.
func (t taker) mine(a *store.Act) bool {
	return a.By == string(t.client) && a.Source == directory.SourceSCIM
}

// ours reports whether an act is one by which the job has put something back.
func (t taker) ours(a *store.Act) bool { return a.JobID == t.job }

// others reports whether an act is somebody else's: neither the client's nor the job's nor
// what follows by itself, such as the binding of whom a group selects.
func (t taker) others(a *store.Act) bool {
	return !t.mine(a) && !t.ours(a) && a.By != directory.BySystem
}

// track is what became of one thing since a time: of an attribute, of who owns it, of
// whether somebody is deleted, or a member.
type track struct {
	// before is what stood there before the client changed it, and after what the client
	// made of it last. What somebody else has set in between is before, too.
	before, after string
	held          bool   // nobody else has changed it after the client
	ever          bool   // the client has changed it
	by            string // who changed it after the client
}

func (t *track) client(before, after string) {
	if !t.held || before != t.after {
		t.before = before
	}
	t.after, t.held, t.ever = after, true, true
}

func (t *track) other(by string) { t.held, t.by = false, by }

// verdict is what is to be done about a thing that is as it is now: leave it, put back what
// stood there before, or leave it because somebody else has changed it.
func (t *track) verdict(now string) (put, kept bool) {
	switch {
	case !t.ever || now == t.before:
		return false, false
	case t.held && now == t.after:
		return true, false
	}
	return false, true
}

const isSo = "yes" // of a track of yes and no

// past is what has been done since a time to a user, or to a group: the acts that concern
// it are added, oldest first.
type past struct {
	taker
	of     directory.Ref
	shape  *shape
	first  string // place of the client's first act
	made   bool   // the client has made it
	texts  map[string]*track
	owners map[string]*track
	gone   track
	// after says who else did what to it after the client made it or brought it back, if
	// only bind it: for their sake it stays.
	after string
	did   []directory.AuditKind // what the job has done already
	// unsure says that an act of the client is not as it was written, or does not say what
	// stood there before.
	unsure bool
}

func newPast(t taker, of directory.Ref) *past {
	p := &past{taker: t, of: of, shape: userShape, texts: map[string]*track{}, owners: map[string]*track{}}
	if of.Kind == directory.KindGroup {
		p.shape = groupShape
	}
	return p
}

// edits reports whether an act is an edit of the user, or of the group, itself.
func (p *past) edits(a *store.Act) bool {
	switch a.Kind {
	case directory.AuditCreateUser, directory.AuditEditUser, directory.AuditSuspendUser, directory.AuditActivateUser, directory.AuditDeleteUser, directory.AuditRestoreUser:
		return p.of.Kind == directory.KindAccount
	case directory.AuditCreateGroup, directory.AuditEditGroup, directory.AuditDeleteGroup, directory.AuditRestoreGroup:
		return p.of.Kind == directory.KindGroup
	}
	return false
}

func (p *past) add(a *store.Act) {
	mine := p.mine(a)
	if mine && !p.edits(a) {
		return
	}
	p.note(a, mine)
	switch a.Kind {
	case directory.AuditDeleteUser, directory.AuditDeleteGroup:
		p.turn(&p.gone, a, "", isSo)
	case directory.AuditRestoreUser, directory.AuditRestoreGroup:
		p.turn(&p.gone, a, isSo, "")
	}
	if p.of.Kind == directory.KindGroup && !slices.Contains(a.GroupIDs[:min(1, len(a.GroupIDs))], directory.GroupID(p.of.ID)) {
		return // as a member of another one
	}
	for i := range a.Properties {
		p.change(a, &a.Properties[i], mine)
	}
	// Whoever suspends somebody who is suspended has decided it all the same.
	if t, there := p.texts["state"]; there && !mine && len(a.Properties) == 0 && (a.Kind == directory.AuditSuspendUser || a.Kind == directory.AuditActivateUser) {
		t.other(a.By)
	}
}

// note notes who did something, and when first.
func (p *past) note(a *store.Act, mine bool) {
	switch {
	case mine:
		p.unsure = p.unsure || a.State != store.SealGood
		p.first = cmp.Or(p.first, a.Place)
	case p.ours(a) && p.edits(a):
		p.did = append(p.did, a.Kind)
	case p.others(a):
		p.after = doneBy(a.Kind, a.By)
	}
	if !mine {
		return
	}
	switch a.Kind {
	case directory.AuditCreateUser, directory.AuditCreateGroup:
		p.made, p.after = true, ""
	case directory.AuditRestoreUser, directory.AuditRestoreGroup:
		byHand := p.gone.by != "" && !p.gone.held // somebody else's word, after whatever they had done to it before
		if !p.made || byHand {
			p.after = ""
		}
	}
}

// change notes what an act made of the attributes, or of the owners, that a change says of.
func (p *past) change(a *store.Act, c *directory.PropertyChange, mine bool) {
	before, after, ok := p.textsOf(c)
	if !ok {
		p.unsure = p.unsure || mine
		return
	}
	tracks := p.texts
	if c.Name == store.OwnersChanged {
		tracks = p.owners
	}
	for path := range union(before, after) {
		t, there := tracks[path]
		if before[path] == after[path] || !there && !mine {
			continue
		}
		if !there {
			t = &track{}
			tracks[path] = t
		}
		p.turn(t, a, before[path], after[path])
	}
}

// turn notes on a track what an act made of it.
func (p *past) turn(t *track, a *store.Act, before, after string) {
	if p.mine(a) {
		t.client(before, after)
	} else {
		t.other(a.By)
	}
}

// textsOf are the texts by path that a change says of, before and after it.
func (p *past) textsOf(c *directory.PropertyChange) (before, after map[string]string, ok bool) {
	prefix := ""
	switch {
	case slices.Contains(p.shape.holders, c.Name):
		prefix = c.Name + "."
	case c.Name != store.OwnersChanged:
		b, a := c.Before.String(), c.After.String()
		if c.Before.IsNull() {
			b = ""
		}
		if c.After.IsNull() {
			a = ""
		}
		_, known := p.shape.attribute(c.Name)
		return map[string]string{c.Name: b}, map[string]string{c.Name: a}, known
	}
	before, ok = members(c.Before, prefix)
	if !ok {
		return nil, nil, false
	}
	after, ok = members(c.After, prefix)
	return before, after, ok
}

// members are the members of a JSON object of texts; of null, none.
func members(v directory.Value, prefix string) (map[string]string, bool) {
	if v.IsNull() {
		return nil, true
	}
	text, ok := v.Text()
	read := map[string]string{}
	if !ok || json.Unmarshal([]byte(text), &read) != nil {
		return nil, false
	}
	out := make(map[string]string, len(read))
	for name, text := range read {
		out[prefix+name] = text
	}
	return out, true
}

func union(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, b)
	return all
}

// standing is a user, or a group, as it is now.
type standing struct {
	text    func(path string) string
	owners  map[string]directory.Source
	deleted bool
}

// putBack is what is to be done to a user, or to a group.
type putBack struct {
	texts   map[string]string // by path; "" is no value
	owners  map[string]directory.Source
	restore bool
	remove  bool
	unnamed bool // what returns has lost its externalId to another one
	kept    []keptThing
	stays   string // who did what to it since the client made it
}

// keptThing is what stays, since somebody else has changed it.
type keptThing struct{ what, by string }

// nothing reports whether nothing is to be written.
func (b *putBack) nothing() bool {
	return len(b.texts) == 0 && len(b.owners) == 0 && !b.restore && !b.remove
}

func (b *putBack) keep(what, by string) { b.kept = append(b.kept, keptThing{what, by}) }

// decide says what is to be put back. What the client has made goes, unless somebody else
// has done something to it. Of that, too, and of everything else, each attribute by itself
// gets what stood there before the client's changes, and the owner that it had: of whoever
// stays and was made by the client, what it was made with.
func (p *past) decide(now standing) putBack {
	b := putBack{texts: map[string]string{}, owners: map[string]directory.Source{}}
	if p.made && p.after == "" {
		b.remove = !now.deleted
		return b
	}
	if p.made && !now.deleted {
		b.stays = p.after
	}
	is := ""
	if now.deleted {
		is = isSo
	}
	put, kept := p.gone.verdict(is)
	switch {
	case put && now.deleted:
		b.restore = true
	case put && p.after != "":
		b.keep("that it is there", p.after)
	case put:
		b.remove = true
	case kept:
		b.keep("whether it is deleted", p.gone.by)
	}
	out := now.deleted && !b.restore && !p.gone.held // by somebody else: it is theirs to say what becomes of it
	left := map[string]bool{}
	for _, path := range slices.Sorted(maps.Keys(p.texts)) {
		t := p.texts[path]
		switch put, kept := t.verdict(now.text(path)); {
		case kept:
			b.keep(path, t.by)
			left[path] = true
		case put && out:
			b.keep(path, p.gone.by)
		case put:
			b.texts[path] = t.before
		}
	}
	for path, t := range p.owners {
		if put, _ := t.verdict(string(now.owners[path])); put && !left[path] && !out {
			b.owners[path] = directory.Source(t.before)
		}
	}
	return b
}

// memberPast is what has been done since a time to one membership.
type memberPast struct {
	taker
	group  directory.GroupID
	member directory.MemberRef
	first  string
	is     track
	did    directory.AuditKind
	unsure bool
}

// add adds an act that concerns the member.
func (p *memberPast) add(a *store.Act) {
	joins := a.Kind == directory.AuditAddMembers
	if !joins && a.Kind != directory.AuditRemoveMembers || len(a.GroupIDs) == 0 || a.GroupIDs[0] != p.group || !slices.Contains(membersOf(a), p.member) {
		return
	}
	switch {
	case p.mine(a):
		p.unsure = p.unsure || a.State != store.SealGood
		if p.first == "" {
			p.first = a.Place
		}
		if joins {
			p.is.client("", isSo)
		} else {
			p.is.client(isSo, "")
		}
	case p.ours(a):
		p.did = a.Kind
		p.is.other(a.By)
	default:
		p.is.other(a.By)
	}
}

// membersOf are those whom an act added to a group, or took out of it.
func membersOf(a *store.Act) []directory.MemberRef {
	var list []directory.MemberRef
	for _, u := range a.UserIDs {
		list = append(list, directory.UserMember(u))
	}
	for _, g := range a.GroupIDs[min(1, len(a.GroupIDs)):] {
		list = append(list, directory.GroupMember(g))
	}
	return list
}
