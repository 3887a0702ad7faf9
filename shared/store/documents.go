package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Documents are what clients of SCIM have pushed of users and groups, as they sent it:
// one for each client and user or group. A document is written in the transaction that
// writes its user or group, on the condition that neither has changed since it was read;
// with it go the client's externalId, which leads to the user or group, and the count of
// what the client has pushed. While a user or group is a tombstone, its documents stand in
// no list; they go when its memberships do, once it can no longer be restored
// (Groups.PurgeMembers).
type Documents struct{ db *db }

// Document is what one client has pushed of one user or group.
type Document struct {
	Client     directory.ScimClientID
	Of         directory.MemberRef
	ExternalID string // the client's own name of it; "" for none
	Body       []byte
	// Addresses are the e-mail addresses in the body beside the user's own, by which the
	// user is found as well (ByAddress).
	Addresses []string
	// Kept are the attributes whose texts in the body were not taken.
	Kept []string
	// Unfinished names, of a group in which not all members are yet that the client made it
	// with, what it was made with: the same POST again goes on with it.
	Unfinished string
	// Working is, of such a group, until when a request may be at work that makes it.
	Working          time.Time
	Created, Updated time.Time
	Version          int64 // 0 before it is stored
}

// ExternalIDTaken says that a client has another user or group of the same externalId.
type ExternalIDTaken struct{ Owner directory.MemberRef }

func (e *ExternalIDTaken) Error() string { return fmt.Sprintf("the externalId belongs to %s", e.Owner) }

// Unwrap makes it a conflict.
func (e *ExternalIDTaken) Unwrap() error { return directory.ErrConflict }

// DocumentEdit is a document that is to be written with its user or group.
type DocumentEdit struct {
	Old, New *Document // Old is as it was read, of version 0 where there is none
	// Freed is, for a user or a group that is made, who had the externalId and may lose it:
	// it is no more, or a group that is deleted. For one that is there it is looked up.
	Freed directory.MemberRef
}

// documentBody is a document as it is stored.
type documentBody struct {
	ExternalID string    `json:"externalId,omitempty"`
	Body       []byte    `json:"body"`
	Addresses  []string  `json:"addresses,omitempty"`
	Kept       []string  `json:"kept,omitempty"`
	Unfinished string    `json:"unfinished,omitempty"`
	Working    time.Time `json:"working,omitzero"`
	Created    time.Time `json:"created"`
	Updated    time.Time `json:"updated"`
}

const (
	strOf     = "of"     // whose an externalId is
	numListed = "listed" // of a document that stands in the lists
)

func documentKey(c directory.ScimClientID, of directory.MemberRef) table.Key {
	return table.Key{Partition: documentsOf(of), Sort: string(c)}
}

func documentsOf(of directory.MemberRef) string { return "SD#" + memberName(of) }

func externalIDKey(c directory.ScimClientID, t directory.MemberType, id string) table.Key {
	return table.Key{Partition: "SX#" + string(c) + "#" + string(t) + "#" + keyText(id), Sort: "externalId"}
}

func pushedPartition(c directory.ScimClientID, t directory.MemberType, shard int) string {
	return "SO#" + string(c) + "#" + string(t) + "#" + shardName(shard)
}

func pushedCountKey(c directory.ScimClientID, t directory.MemberType, shard int) table.Key {
	return table.Key{Partition: "SC#" + string(c), Sort: "count#" + string(t) + "#" + shardName(shard)}
}

func documentItem(d *Document, listed bool) *table.Item {
	it := &table.Item{Key: documentKey(d.Client, d.Of), Version: d.Version,
		Body: encode(documentBody{d.ExternalID, d.Body, d.Addresses, d.Kept, d.Unfinished, d.Working, d.Created, d.Updated})}
	if listed {
		it.Index1 = table.Key{Partition: pushedPartition(d.Client, d.Of.Type, shardOf(d.Of.ID)), Sort: d.Of.ID}
		it.Numbers = map[string]int64{numListed: 1}
	}
	return it
}

func decodeDocument(it table.Item) (Document, error) {
	var b documentBody
	err := decode(it, &b)
	return Document{Client: directory.ScimClientID(it.Sort), Of: memberNamed(it.Partition[len("SD#"):]), ExternalID: b.ExternalID, Body: b.Body, Addresses: b.Addresses, Kept: b.Kept, Unfinished: b.Unfinished, Working: b.Working,
		Created: b.Created, Updated: b.Updated, Version: it.Version}, err
}

// documentWrites are those of a document with the write of its user or group, which lives
// then or does not. It is stamped with the moment of that write: of a new resource the two
// are one (RFC 7643, 3.1). external is the place among them of the write that takes the
// externalId, or -1.
//
// While a user or a group is deleted, another one that is there may get its externalId, and
// of groups one that is made: a user who is made with it is the deleted one coming back. Who
// returns takes it again, unless the other one lives.
func (d *db) documentWrites(ctx context.Context, e *DocumentEdit, at time.Time, made, wasListed, listed bool) (writes []table.Write, external int, err error) {
	next := e.New
	next.Version, next.Updated = e.Old.Version+1, at
	if e.Old.Version == 0 {
		next.Created = next.Updated
	} else {
		next.Created = e.Old.Created
	}
	writes, external = []table.Write{{Put: documentItem(next, listed), If: unchanged(e.Old.Version)}}, -1
	returns := e.Old.Version > 0 && !wasListed && listed
	if next.ExternalID != "" && (next.ExternalID != e.Old.ExternalID || returns) {
		freed := e.Freed
		if !made {
			if _, freed, err = d.externalIDOf(ctx, next); err != nil {
				return nil, -1, err
			}
		}
		taken, err := d.takeExternalID(ctx, next, freed)
		if err != nil {
			return nil, -1, err
		}
		external = len(writes)
		writes = append(writes, taken...)
	}
	if e.Old.ExternalID != "" && e.Old.ExternalID != next.ExternalID {
		given, err := d.giveExternalID(ctx, e.Old)
		if err != nil {
			return nil, -1, err
		}
		writes = append(writes, given...)
	}
	writes = append(writes, addressWrites(e.Old, next)...)
	return append(writes, pushedCountWrites(next, wasListed, listed)...), external, nil
}

// takeExternalID are the writes by which a document's externalId leads to its user or
// group. freed had it, and may lose it as long as it is deleted, or no more. Should that one
// come back at this moment, nothing is written.
func (d *db) takeExternalID(ctx context.Context, doc *Document, freed directory.MemberRef) ([]table.Write, error) {
	may := [][]table.Test{{table.StringIs(strOf, memberName(doc.Of))}}
	var watched []table.Write
	if freed != (directory.MemberRef{}) {
		k := documentKey(doc.Client, freed)
		it, found, err := d.find(ctx, k)
		if err != nil {
			return nil, fail("document", err)
		}
		if found { // each deletion and each return writes it
			watched = append(watched, table.Write{Check: &k, If: table.When(table.VersionIs(it.Version))})
		}
		living, err := d.lives(ctx, freed) // behind the document: whoever has come back before that was read is seen
		if err != nil {
			return nil, err
		}
		if !living {
			may = append(may, []table.Test{table.StringIs(strOf, memberName(freed))})
		}
	}
	put := table.Write{
		Put: &table.Item{Key: externalIDKey(doc.Client, doc.Of.Type, doc.ExternalID), Strings: map[string]string{strOf: memberName(doc.Of)}},
		If:  table.Condition{Absent: true, AnyOf: may},
	}
	return append([]table.Write{put}, watched...), nil
}

// giveExternalID are the writes after which a document's externalId no longer leads to its
// user or group: none where it leads to another one by now.
func (d *db) giveExternalID(ctx context.Context, doc *Document) ([]table.Write, error) {
	k := externalIDKey(doc.Client, doc.Of.Type, doc.ExternalID)
	it, found, err := d.find(ctx, k)
	if err != nil {
		return nil, fail("externalId", err)
	}
	if !found || it.Strings[strOf] != memberName(doc.Of) {
		return nil, nil
	}
	return []table.Write{{Delete: &k, If: table.When(table.StringIs(strOf, memberName(doc.Of)))}}, nil
}

// externalIDOf says to whom the externalId of a document leads that returns with its group,
// or its user: living says that another living one has it; freed is who has it and may lose
// it.
func (d *db) externalIDOf(ctx context.Context, doc *Document) (living bool, freed directory.MemberRef, err error) {
	it, found, err := d.find(ctx, externalIDKey(doc.Client, doc.Of.Type, doc.ExternalID))
	if err != nil || !found || it.Strings[strOf] == memberName(doc.Of) {
		return false, freed, fail("externalId", err)
	}
	of := memberNamed(it.Strings[strOf])
	if living, err = d.lives(ctx, of); living || err != nil {
		return living, freed, err
	}
	return false, of, nil
}

// lives reports whether a user or a group is there and not deleted.
func (d *db) lives(ctx context.Context, of directory.MemberRef) (bool, error) {
	if id := of.Group(); id != "" {
		groups, err := d.groups(ctx, []directory.GroupID{id})
		g, there := groups[id]
		return there && g.Deleted == nil, err
	}
	u, err := d.user(ctx, of.User())
	if errors.Is(err, directory.ErrNotFound) {
		return false, nil
	}
	return err == nil && u.Deleted == nil, err
}

// MostAddresses is how many Addresses a document may have.
const MostAddresses = 20

// addressKey is where it stands that a user has a further address. Several may have one.
func addressKey(c directory.ScimClientID, address string, u directory.UserID) table.Key {
	return table.Key{Partition: "SX#" + string(c) + "#address#" + keyText(directory.FoldAddress(address)), Sort: string(u)}
}

// addressWrites are those by which a user is found by the addresses of the next document,
// and no longer by those of the last.
func addressWrites(old, next *Document) []table.Write {
	had, has := map[table.Key]bool{}, map[table.Key]bool{}
	for _, a := range old.Addresses {
		had[addressKey(next.Client, a, next.Of.User())] = true
	}
	var writes []table.Write
	for _, a := range next.Addresses {
		k := addressKey(next.Client, a, next.Of.User())
		if !had[k] && !has[k] {
			writes = append(writes, table.Write{Put: &table.Item{Key: k}})
		}
		has[k] = true
	}
	for k := range had {
		if !has[k] {
			writes = append(writes, table.Write{Delete: &k})
		}
	}
	return writes
}

// ByAddress finds the users whom a client has pushed with an address beside their own,
// tombstones included, up to most; more says that there are others.
func (s *Documents) ByAddress(ctx context.Context, c directory.ScimClientID, address string, most int) (users []directory.UserID, more bool, err error) {
	for it, err := range s.db.list(ctx, table.Query{Partition: addressKey(c, address, "").Partition, Limit: most + 1}) {
		if err != nil {
			return nil, false, fail("users by address", err)
		}
		if len(users) == most {
			return users, true, nil
		}
		users = append(users, directory.UserID(it.Sort))
	}
	return users, false, nil
}

func pushedCountWrites(d *Document, was, is bool) []table.Write {
	if was == is {
		return nil
	}
	n := int64(1)
	if was {
		n = -1
	}
	return []table.Write{{Update: &table.Update{Key: pushedCountKey(d.Client, d.Of.Type, shardOf(d.Of.ID)), AddNumbers: map[string]int64{numCount: n}}}}
}

// documentsBeside are the writes of documents that go with the edit of a user or group: of
// the one that is pushed, and, where it is deleted or restored by that, of all others.
func (d *db) documentsBeside(ctx context.Context, of directory.MemberRef, at time.Time, lived, lives bool, e *DocumentEdit) (writes []table.Write, external int, err error) {
	external = -1
	if e != nil {
		if writes, external, err = d.documentWrites(ctx, e, at, false, lived && e.Old.Version > 0, lives); err != nil {
			return nil, -1, err
		}
	}
	if lived == lives {
		return writes, external, nil
	}
	docs, err := d.documentsOfLiving(ctx, of)
	if err != nil {
		return nil, -1, err
	}
	for _, doc := range docs.living {
		if e != nil && doc.Client == e.New.Client {
			continue
		}
		read := doc.Version
		if lives && doc.ExternalID != "" {
			taken, freed, err := d.externalIDOf(ctx, &doc)
			if err != nil {
				return nil, -1, err
			}
			if taken { // whoever was made anew under it keeps it
				doc.ExternalID = ""
			} else {
				again, err := d.takeExternalID(ctx, &doc, freed)
				if err != nil {
					return nil, -1, err
				}
				writes = append(writes, again...)
			}
		}
		doc.Version++
		writes = append(writes, table.Write{Put: documentItem(&doc, lives), If: table.When(table.VersionIs(read))})
		writes = append(writes, pushedCountWrites(&doc, lived, lives)...)
	}
	return writes, external, nil
}

// externalTaken is the error of a write in which the externalId was refused, or nil.
func externalTaken(f map[int]*table.Item, place int) error {
	it, hit := f[place]
	if !hit || it == nil {
		return nil
	}
	return &ExternalIDTaken{memberNamed(it.Strings[strOf])}
}

// Document reads what a client has pushed of a user or group; version 0 when it has not.
func (s *Documents) Document(ctx context.Context, c directory.ScimClientID, of directory.MemberRef) (Document, error) {
	it, found, err := s.db.find(ctx, documentKey(c, of))
	if err != nil || !found {
		return Document{Client: c, Of: of}, fail("document", err)
	}
	return decodeDocument(it)
}

// DocumentsAmong reads what a client has pushed of some users or groups.
func (s *Documents) DocumentsAmong(ctx context.Context, c directory.ScimClientID, of []directory.MemberRef) (map[directory.MemberRef]Document, error) {
	keys := make([]table.Key, len(of))
	for i, m := range of {
		keys[i] = documentKey(c, m)
	}
	docs := make(map[directory.MemberRef]Document, len(of))
	for it, err := range s.db.each(ctx, keys) {
		if err != nil {
			return nil, fail("documents", err)
		}
		doc, err := decodeDocument(it)
		if err != nil {
			return nil, err
		}
		docs[doc.Of] = doc
	}
	return docs, nil
}

// UsersPushed reads those of some users that are there, tombstones included, each with what
// a client has pushed of it, in one call of the table for each fifty.
func (s *Documents) UsersPushed(ctx context.Context, c directory.ScimClientID, ids []directory.UserID) (map[directory.UserID]directory.User, map[directory.UserID]Document, error) {
	keys := make([]table.Key, 0, 2*len(ids))
	for _, id := range ids {
		keys = append(keys, profileKey(id), documentKey(c, directory.UserMember(id)))
	}
	users, docs := make(map[directory.UserID]directory.User, len(ids)), make(map[directory.UserID]Document, len(ids))
	for it, err := range s.db.each(ctx, keys) {
		switch {
		case err != nil:
			return nil, nil, fail("users with documents", err)
		case s.db.expired(it):
			continue
		case it.Sort != profileKey("").Sort:
			doc, err := decodeDocument(it)
			if err != nil {
				return nil, nil, err
			}
			docs[doc.Of.User()] = doc
			continue
		}
		u, err := decodeUser(it)
		if err != nil {
			return nil, nil, err
		}
		users[u.ID] = u
	}
	return users, docs, nil
}

// ByExternalID finds the user or group that a client has pushed under an externalId,
// tombstones included; found says that there was one.
func (s *Documents) ByExternalID(ctx context.Context, c directory.ScimClientID, t directory.MemberType, id string) (of directory.MemberRef, found bool, err error) {
	if id == "" {
		return of, false, nil
	}
	it, found, err := s.db.find(ctx, externalIDKey(c, t, id))
	if err != nil || !found {
		return of, false, fail("externalId", err)
	}
	return memberNamed(it.Strings[strOf]), true, nil
}

// Pushed lists the living users, or groups, that a client has pushed, in the order of the
// other listings, from a cursor on.
func (s *Documents) Pushed(ctx context.Context, c directory.ScimClientID, t directory.MemberType, cursor string, limit int) (list []Document, next string, err error) {
	next, err = s.db.listShards(ctx, cursor, limit, func(shard int) table.Query {
		return table.Query{Index: 1, Partition: pushedPartition(c, t, shard)}
	}, func(it table.Item) error {
		doc, err := decodeDocument(it)
		list = append(list, doc)
		return err
	})
	return list, next, err
}

// CountPushed returns how many living users, or groups, a client has pushed.
func (s *Documents) CountPushed(ctx context.Context, c directory.ScimClientID, t directory.MemberType) (int, error) {
	keys := make([]table.Key, shards)
	for i := range keys {
		keys[i] = pushedCountKey(c, t, i)
	}
	n := int64(0)
	for it, err := range s.db.each(ctx, keys) {
		if err != nil {
			return 0, fail("count of what was pushed", err)
		}
		n += it.Numbers[numCount]
	}
	return int(n), nil
}

// CursorBehind is where a listing of users, of groups or of what was pushed goes on behind
// one of them.
func CursorBehind(id string) string { return fmt.Sprintf("%d:%s", shardOf(id), id) }

// CompareCursors is the order of two places in such a listing, of which "" is the first.
func CompareCursors(a, b string) int {
	i, x, _ := parseShardCursor(a) // what is none is the first one, too
	j, y, _ := parseShardCursor(b)
	return cmp.Or(cmp.Compare(i, j), cmp.Compare(x, y))
}

// SaveDocument stores a document whose user, or group, stays as it was read: at a version,
// of a group the edition. ErrStale when either has changed, *ExternalIDTaken.
func (s *Documents) SaveDocument(ctx context.Context, version int64, e *DocumentEdit) error {
	key := profileKey(e.New.Of.User())
	if g := e.New.Of.Group(); g != "" {
		key = groupKey(g)
	}
	next := *e.New
	docs, external, err := s.db.documentWrites(ctx, &DocumentEdit{Old: e.Old, New: &next}, s.db.now().UTC(), false, e.Old.Version > 0, true)
	if err != nil {
		return err
	}
	err = s.db.table.Write(ctx, slices.Concat(docs, []table.Write{{Check: &key, If: table.When(table.VersionIs(version))}})...)
	if f, refused := failed(err); refused {
		if err := externalTaken(f, external); err != nil {
			return err
		}
		return fmt.Errorf("save document: %w", directory.ErrStale)
	}
	if err == nil {
		*e.New = next
	}
	return fail("save document", err)
}

// NoteMaking notes how far the making of a group is: as what it is Unfinished, "" once it has
// all members, and until when a request may be at work (Working). Nothing of the resource is
// changed by that. ErrStale when the document has changed since it was read.
func (s *Documents) NoteMaking(ctx context.Context, doc *Document, unfinished string, working time.Time) error {
	next := *doc
	next.Unfinished, next.Working, next.Version = unfinished, working, doc.Version+1
	it := documentItem(&next, true)
	err := s.db.table.Write(ctx, table.Write{Update: &table.Update{Key: it.Key, AddVersion: 1, SetBody: it.Body}, If: table.When(table.VersionIs(doc.Version))})
	if refused(err) {
		return fmt.Errorf("making of a group: %w", directory.ErrStale)
	}
	if err == nil {
		*doc = next
	}
	return fail("making of a group", err)
}

// Orphaned reports whether a user or a group was pushed by clients of which none is left.
func (s *Documents) Orphaned(ctx context.Context, of directory.MemberRef) (bool, error) {
	docs, err := s.db.documentsOfLiving(ctx, of)
	return docs.all > 0 && len(docs.living) == 0, err
}

// documentsFound are the documents of a user or a group.
type documentsFound struct {
	all    int // also those of clients that were deleted
	living []Document
}

// documentsOfLiving reads the documents that clients have pushed of a user or a group who
// are still there. Those of others are never read again, and go with the user or group.
func (d *db) documentsOfLiving(ctx context.Context, of directory.MemberRef) (documentsFound, error) {
	var found documentsFound
	var docs []Document
	var keys []table.Key
	for it, err := range d.list(ctx, table.Query{Partition: documentsOf(of)}) {
		if err != nil {
			return found, fail("documents", err)
		}
		doc, err := decodeDocument(it)
		if err != nil {
			return found, err
		}
		docs, keys = append(docs, doc), append(keys, scimClientKey(doc.Client))
	}
	there := map[string]bool{}
	for it, err := range d.each(ctx, keys) {
		if err != nil {
			return found, fail("SCIM clients", err)
		}
		there[it.Partition] = true
	}
	found.all = len(docs)
	for i := range docs {
		if there[keys[i].Partition] {
			found.living = append(found.living, docs[i])
		}
	}
	return found, nil
}

// purgeDocuments takes away what clients have pushed of a user or group that is no more.
func (d *db) purgeDocuments(ctx context.Context, of directory.MemberRef) error {
	for it, err := range d.list(ctx, table.Query{Partition: documentsOf(of)}) {
		if err != nil {
			return fail("documents", err)
		}
		doc, err := decodeDocument(it)
		if err != nil {
			return err
		}
		if err := d.purgeDocument(ctx, it.Key, &doc); err != nil {
			return err
		}
	}
	return nil
}

func (d *db) purgeDocument(ctx context.Context, k table.Key, doc *Document) error {
	writes := append([]table.Write{{Delete: &k}}, addressWrites(doc, &Document{Client: doc.Client, Of: doc.Of})...)
	for doc.ExternalID != "" {
		given, err := d.giveExternalID(ctx, doc)
		if err != nil {
			return err
		}
		err = d.table.Write(ctx, slices.Concat(writes, given)...)
		if len(given) > 0 && refused(err) {
			continue // somebody else got it at this moment
		}
		return fail("purge documents", err)
	}
	return fail("purge documents", d.table.Write(ctx, writes...))
}
