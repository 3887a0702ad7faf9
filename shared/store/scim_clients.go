package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// ScimClients are the clients that push by SCIM: how they were set up, their tokens, where
// they are in listings, and their requests of the last days.
type ScimClients struct{ db *db }

func scimClientKey(c directory.ScimClientID) table.Key {
	return table.Key{Partition: "SC#" + string(c), Sort: "client"}
}

// deletedScimClientKey is what stays of a client that is deleted: what it was called, for
// whoever takes back what it has changed.
func deletedScimClientKey(c directory.ScimClientID) table.Key {
	return table.Key{Partition: scimClientKey(c).Partition, Sort: "deleted"}
}

const (
	scimClientsAt = "scim-clients" // of index 1
	tokenPrefix   = "token#"
)

func scimTokenKey(c directory.ScimClientID, t directory.ScimTokenID) table.Key {
	return table.Key{Partition: "SC#" + string(c), Sort: tokenPrefix + string(t)}
}

func scimClientItem(c *directory.ScimClient) *table.Item {
	it := &table.Item{Key: scimClientKey(c.ID), Index1: table.Key{Partition: scimClientsAt, Sort: string(c.ID)}, Version: c.Version, Body: encode(c)}
	it.Numbers = map[string]int64{}
	for name, at := range map[string]time.Time{numUsed: c.LastSeen, numWrong: c.WrongToken} {
		if !at.IsZero() {
			it.Numbers[name] = millis(at)
		}
	}
	return it
}

func decodeScimClient(it table.Item) (directory.ScimClient, error) {
	var c directory.ScimClient
	err := decode(it, &c)
	c.Version, c.LastSeen, c.WrongToken = it.Version, fromMillis(it.Numbers[numUsed]), fromMillis(it.Numbers[numWrong])
	return c, err
}

// scimAppKey is where it stands which client an app of the API's issuer pushes as.
func scimAppKey(app string) table.Key {
	sum := sha256.Sum256([]byte(app))
	return table.Key{Partition: "SC#app#" + hex.EncodeToString(sum[:]), Sort: "app"}
}

const strClient = "client" // whose an app is

// ScimAppTaken says that another client names the same app.
type ScimAppTaken struct{ Owner directory.ScimClientID }

func (e *ScimAppTaken) Error() string { return fmt.Sprintf("the app pushes as %s", e.Owner) }

// Unwrap makes it a conflict.
func (e *ScimAppTaken) Unwrap() error { return directory.ErrConflict }

// SaveScimClient stores a client over the version that it was read at, 0 for a new one.
// ErrStale when somebody else was faster, *ScimAppTaken.
func (s *ScimClients) SaveScimClient(ctx context.Context, act directory.AuditEvent, c *directory.ScimClient) error {
	next := *c
	next.Version++
	next.Updated = s.db.now().UTC()
	writes := []table.Write{{Put: scimClientItem(&next), If: unchanged(c.Version)}}
	app := len(writes)
	if next.OAuthClientID != "" {
		writes = append(writes, table.Write{
			Put: &table.Item{Key: scimAppKey(next.OAuthClientID), Strings: map[string]string{strClient: string(c.ID)}},
			If:  table.Condition{Absent: true, AnyOf: [][]table.Test{{table.StringIs(strClient, string(c.ID))}}},
		})
	}
	if c.Version > 0 {
		was, err := s.ScimClient(ctx, c.ID)
		if err != nil && !errors.Is(err, directory.ErrNotFound) {
			return err
		}
		if was.OAuthClientID != "" && was.OAuthClientID != next.OAuthClientID {
			k := scimAppKey(was.OAuthClientID)
			writes = append(writes, table.Write{Delete: &k})
		}
	}
	err := s.db.table.Write(ctx, append(writes, s.db.record(act, subject{detail: c.Name})...)...)
	if f, is := failed(err); is {
		if it := f[app]; it != nil && next.OAuthClientID != "" {
			return &ScimAppTaken{directory.ScimClientID(it.Strings[strClient])}
		}
		return fmt.Errorf("save SCIM client: %w", directory.ErrStale)
	}
	if err == nil {
		*c = next
	}
	return fail("save SCIM client", err)
}

// ScimClient reads a client. ErrNotFound.
func (s *ScimClients) ScimClient(ctx context.Context, id directory.ScimClientID) (directory.ScimClient, error) {
	it, err := s.db.table.Get(ctx, scimClientKey(id))
	if err != nil {
		return directory.ScimClient{}, fail("SCIM client", err)
	}
	return decodeScimClient(it)
}

// DeletedScimClient reads a client that was deleted, as it was then. ErrNotFound.
func (s *ScimClients) DeletedScimClient(ctx context.Context, id directory.ScimClientID) (directory.ScimClient, error) {
	it, err := s.db.table.Get(ctx, deletedScimClientKey(id))
	if err != nil {
		return directory.ScimClient{}, fail("deleted SCIM client", err)
	}
	return decodeScimClient(it)
}

// ListScimClients lists the clients in the order of their IDs, oldest first.
func (s *ScimClients) ListScimClients(ctx context.Context, after directory.ScimClientID, limit int) (list []directory.ScimClient, next directory.ScimClientID, err error) {
	if err := checkPlace(string(after)); err != nil {
		return nil, "", err
	}
	page, err := s.db.table.Query(ctx, table.Query{Index: 1, Partition: scimClientsAt, After: string(after), Limit: limit})
	if err != nil {
		return nil, "", fail("SCIM clients", err)
	}
	for _, it := range page.Items {
		c, err := decodeScimClient(it)
		if err != nil {
			return nil, "", err
		}
		list = append(list, c)
	}
	if page.Next != "" && len(list) > 0 {
		next = list[len(list)-1].ID
	}
	return list, next, nil
}

// DeleteScimClient deletes a client with its tokens: with the last transaction nothing
// opens anything more. What it has pushed stays. ErrStale when somebody else was faster.
func (s *ScimClients) DeleteScimClient(ctx context.Context, act directory.AuditEvent, c *directory.ScimClient) error {
	key := scimClientKey(c.ID)
	writes := []table.Write{
		{Delete: &key, If: table.When(table.VersionIs(c.Version))},
		{Put: &table.Item{Key: deletedScimClientKey(c.ID), Version: c.Version, Body: encode(c)}},
	}
	if c.OAuthClientID != "" {
		app := scimAppKey(c.OAuthClientID)
		writes = append(writes, table.Write{Delete: &app})
	}
	// with the ID, by which what it has changed can still be taken back
	err := s.db.table.Write(ctx, append(writes, s.db.record(act, subject{detail: fmt.Sprintf("%s (%s)", c.Name, c.ID)})...)...)
	if refused(err) {
		return fmt.Errorf("delete SCIM client: %w", directory.ErrStale)
	}
	if err != nil {
		return fail("delete SCIM client", err)
	}
	tokens, err := s.ScimTokens(ctx, c.ID)
	if err != nil {
		return err
	}
	for i := range tokens { // without their client they open nothing
		k := scimTokenKey(c.ID, tokens[i].ID)
		if err := s.db.table.Write(ctx, table.Write{Delete: &k}); err != nil {
			return fail("delete SCIM token", err)
		}
	}
	return nil
}

// scimTokenBody is a token as it is stored.
type scimTokenBody struct {
	directory.ScimToken
	Hash []byte `json:"hash"`
}

const (
	numUsed  = "used"  // of a token and of a client: the hour of its last use
	numWrong = "wrong" // of a client: the minute in which somebody last came without its token
)

func scimTokenItem(t *directory.ScimToken) *table.Item {
	it := &table.Item{Key: scimTokenKey(t.ClientID, t.ID), Body: encode(scimTokenBody{*t, t.Hash})}
	if !t.LastUsed.IsZero() {
		it.Numbers = map[string]int64{numUsed: millis(t.LastUsed)}
	}
	return it
}

func decodeScimToken(it table.Item) (directory.ScimToken, error) {
	var b scimTokenBody
	err := decode(it, &b)
	t := b.ScimToken
	t.Hash, t.LastUsed = b.Hash, fromMillis(it.Numbers[numUsed])
	return t, err
}

// AddScimToken stores a new token of a client that is there. ErrNotFound.
func (s *ScimClients) AddScimToken(ctx context.Context, act directory.AuditEvent, t *directory.ScimToken) error {
	client := scimClientKey(t.ClientID)
	writes := append([]table.Write{
		{Put: scimTokenItem(t), If: table.Condition{Absent: true}},
		{Check: &client, If: table.Condition{Present: true}},
	}, s.db.record(act, subject{detail: string(t.ID)})...)
	err := s.db.table.Write(ctx, writes...)
	if refused(err) {
		return fail("add SCIM token", table.ErrNotFound)
	}
	return fail("add SCIM token", err)
}

// RevokeScimToken ends a token. One that has ended stays as it is. ErrNotFound.
func (s *ScimClients) RevokeScimToken(ctx context.Context, act directory.AuditEvent, c directory.ScimClientID, id directory.ScimTokenID) (directory.ScimToken, error) {
	it, err := s.db.table.Get(ctx, scimTokenKey(c, id))
	if err != nil {
		return directory.ScimToken{}, fail("SCIM token", err)
	}
	t, err := decodeScimToken(it)
	if err != nil || t.Revoked != nil {
		return t, err
	}
	now := s.db.now().UTC()
	t.Revoked = &now
	writes := append([]table.Write{{Update: &table.Update{Key: it.Key, SetBody: scimTokenItem(&t).Body}, If: table.Condition{Present: true}}}, s.db.record(act, subject{detail: string(id)})...)
	err = s.db.table.Write(ctx, writes...)
	if refused(err) {
		return t, fail("revoke SCIM token", table.ErrNotFound)
	}
	return t, fail("revoke SCIM token", err)
}

// ScimTokens are the tokens of a client, in the order of their IDs.
func (s *ScimClients) ScimTokens(ctx context.Context, c directory.ScimClientID) ([]directory.ScimToken, error) {
	var list []directory.ScimToken
	for it, err := range s.db.list(ctx, table.Query{Partition: scimClientKey(c).Partition, Prefix: tokenPrefix}) {
		if err != nil {
			return nil, fail("SCIM tokens", err)
		}
		t, err := decodeScimToken(it)
		if err != nil {
			return nil, err
		}
		list = append(list, t)
	}
	return list, nil
}

// scimRateKey is where the requests of a client in one window are counted.
func scimRateKey(c directory.ScimClientID, window int64) table.Key {
	return table.Key{Partition: scimClientKey(c).Partition, Sort: "rate#" + itoa(window)}
}

// scimRateLife is how long a window's count is kept: it is read in the next one.
const scimRateLife = 10 * directory.ScimWindow

// ScimAccess reads a client, one of its tokens ("": none) and how many requests of it were
// counted lately, in one call; nil for what is not there. The names are from outside: what
// no key holds is not there.
func (s *ScimClients) ScimAccess(ctx context.Context, c directory.ScimClientID, t directory.ScimTokenID) (client *directory.ScimClient, tok *directory.ScimToken, rate directory.ScimRate, err error) {
	rate.Window = s.db.now().UnixNano() / int64(directory.ScimWindow)
	before, now := scimRateKey(c, rate.Window-1), scimRateKey(c, rate.Window)
	keys := []table.Key{scimClientKey(c), before, now}
	if t != "" {
		keys = append(keys, scimTokenKey(c, t))
	}
	for _, k := range keys {
		if k.Check() != nil {
			return nil, nil, rate, nil
		}
	}
	items, err := s.db.table.GetMany(ctx, keys)
	if err != nil {
		return nil, nil, rate, fail("access by SCIM", err)
	}
	for _, it := range items {
		switch it.Key {
		case before:
			rate.Before = it.Numbers[numCount]
		case now:
			rate.Now = it.Numbers[numCount]
		case keys[0]:
			c, err := decodeScimClient(it)
			if err != nil {
				return nil, nil, rate, err
			}
			client = &c
		default:
			t, err := decodeScimToken(it)
			if err != nil {
				return nil, nil, rate, err
			}
			tok = &t
		}
	}
	return client, tok, rate, nil
}

// TouchScimToken notes the hour in which a token was used; once an hour is enough.
func (s *ScimClients) TouchScimToken(ctx context.Context, t *directory.ScimToken) error {
	hour := s.db.now().Truncate(time.Hour)
	if !t.LastUsed.Before(hour) {
		return nil
	}
	err := s.db.table.Write(ctx, table.Write{
		Update: &table.Update{Key: scimTokenKey(t.ClientID, t.ID), SetNumbers: map[string]int64{numUsed: millis(hour)}}, If: table.Condition{Present: true},
	})
	if refused(err) {
		return nil
	}
	return fail("use of SCIM token", err)
}

// TouchScimClient notes the hour in which a client's request was answered; once an hour is
// enough. Whoever saves the client at the same time may set that back, until the next hour.
func (s *ScimClients) TouchScimClient(ctx context.Context, c *directory.ScimClient) error {
	hour := s.db.now().Truncate(time.Hour)
	if !c.LastSeen.Before(hour) {
		return nil
	}
	err := s.db.table.Write(ctx, table.Write{
		Update: &table.Update{Key: scimClientKey(c.ID), SetNumbers: map[string]int64{numUsed: millis(hour)}}, If: table.Condition{Present: true},
	})
	if refused(err) {
		return nil // it was deleted meanwhile
	}
	return fail("last request of SCIM client", err)
}

// NoteWrongToken notes the minute in which somebody came to a client's address without a
// token that opens it. Of a client that is not there nothing is kept.
func (s *ScimClients) NoteWrongToken(ctx context.Context, c directory.ScimClientID) error {
	key := scimClientKey(c)
	if key.Check() != nil {
		return nil
	}
	err := s.db.table.Write(ctx, table.Write{
		Update: &table.Update{Key: key, SetNumbers: map[string]int64{numWrong: millis(s.db.now().Truncate(time.Minute))}}, If: table.Condition{Present: true},
	})
	if refused(err) {
		return nil
	}
	return fail("wrong token of SCIM client", err)
}

// scimTallyKey is where it is counted whom a client has suspended, and deleted, last in one
// hour.
func scimTallyKey(c directory.ScimClientID, hour time.Time) table.Key {
	return table.Key{Partition: scimClientKey(c).Partition, Sort: "tally#" + itoa(hour.Unix())}
}

const (
	// tallyHours is over how many hours, begun ones among them, a client's tally goes.
	tallyHours   = 24
	numSuspended = "suspended"
	numDeleted   = "deleted"
)

// talliedKey is where it stands in which hour somebody counts as suspended, or as deleted.
func talliedKey(c directory.ScimClientID, count string, u directory.UserID) table.Key {
	return table.Key{Partition: scimClientKey(c).Partition, Sort: "tallied#" + count + "#" + string(u)}
}

// TallyScimRequest counts a user whom a request has suspended or deleted, in the last hour in
// which that was done to them. Each of its writes is one of its own: within a transaction
// those of others that come at the same time would be refused. A crash between them leaves
// the count of a day one too low.
func (s *ScimClients) TallyScimRequest(ctx context.Context, c directory.ScimClientID, r *directory.ScimRequest) error {
	hour := r.At.UTC().Truncate(time.Hour)
	count := numSuspended
	if r.Deleted {
		count = numDeleted
	}
	k := talliedKey(c, count, r.UserID)
	was, found, err := s.db.find(ctx, k)
	if err != nil {
		return fail("tally of a SCIM client", err)
	}
	last, as := was.Numbers[numAt], table.Condition{Absent: true}
	if found {
		as = table.When(table.NumberIs(numAt, table.Equal, last))
	}
	if last >= millis(hour) {
		return nil
	}
	until := hour.Add((tallyHours + 1) * time.Hour)
	err = s.db.table.Write(ctx, table.Write{Update: &table.Update{Key: k, SetNumbers: map[string]int64{numAt: millis(hour)}, SetExpires: &until}, If: as})
	if refused(err) {
		return nil // who does the same at this moment counts it
	}
	if err != nil {
		return fail("tally of a SCIM client", err)
	}
	if before := fromMillis(last); found && hour.Sub(before) < tallyHours*time.Hour {
		err = s.addToTally(ctx, c, before, count, -1)
	}
	return errors.Join(err, s.addToTally(ctx, c, hour, count, 1))
}

func (s *ScimClients) addToTally(ctx context.Context, c directory.ScimClientID, hour time.Time, count string, n int64) error {
	until := hour.Add((tallyHours + 1) * time.Hour)
	return fail("tally of a SCIM client", s.db.table.Write(ctx, table.Write{
		Update: &table.Update{Key: scimTallyKey(c, hour), AddNumbers: map[string]int64{count: n}, SetExpires: &until},
	}))
}

// ScimTally is how many users a client has suspended and deleted in the last 24 hours.
func (s *ScimClients) ScimTally(ctx context.Context, c directory.ScimClientID) (directory.ScimTally, error) {
	hour := s.db.now().UTC().Truncate(time.Hour)
	sum := directory.ScimTally{Since: hour.Add(-(tallyHours - 1) * time.Hour)}
	keys := make([]table.Key, tallyHours)
	for i := range keys {
		keys[i] = scimTallyKey(c, hour.Add(-time.Duration(i)*time.Hour))
	}
	items, err := s.db.table.GetMany(ctx, keys)
	for _, it := range items {
		sum.Suspended += int(it.Numbers[numSuspended])
		sum.Deleted += int(it.Numbers[numDeleted])
	}
	return sum, fail("tally of a SCIM client", err)
}

// ScimRequestLife is how long the requests of a client are kept.
const ScimRequestLife = 7 * 24 * time.Hour

func scimRequestsAt(c directory.ScimClientID) string { return "SR#" + string(c) }

// LogScimRequest keeps what a request was, for ScimRequestLife, and adds requests of the
// client to those that are counted, if there are any, in one write.
func (s *ScimClients) LogScimRequest(ctx context.Context, c directory.ScimClientID, r *directory.ScimRequest, counted directory.ScimCount) error {
	var tail [6]byte
	rand.Read(tail[:])
	item := table.Item{Key: table.Key{Partition: scimRequestsAt(c), Sort: place(r.At, hex.EncodeToString(tail[:]))}, Body: encode(r), Expires: r.At.Add(ScimRequestLife)}
	writes := []table.Write{{Put: &item}}
	if counted.Requests > 0 {
		until := s.db.now().Add(scimRateLife)
		writes = append(writes, table.Write{Update: &table.Update{
			Key: scimRateKey(c, counted.Window), AddNumbers: map[string]int64{numCount: counted.Requests}, SetExpires: &until,
		}})
	}
	return fail("log SCIM request", s.db.table.Write(ctx, writes...))
}

// mostLooked is how many requests one call looks at for those of a sort.
const mostLooked = 5000

// FindScimRequests lists the requests of a client, the newest first, those that keep
// wants; nil wants all. One call looks at no more than mostLooked: what it lists may be
// less than the limit, or nothing, and there may be more.
func (s *ScimClients) FindScimRequests(ctx context.Context, c directory.ScimClientID, keep func(*directory.ScimRequest) bool, cursor string, limit int) (list []directory.ScimRequest, next string, err error) {
	if err := checkPlace(cursor); err != nil {
		return nil, "", err
	}
	q := table.Query{Partition: scimRequestsAt(c), After: cursor, Limit: limit, Backward: true}
	if keep != nil {
		q.Limit = 500
	}
	for looked := 0; ; {
		page, err := s.db.table.Query(ctx, q)
		if err != nil {
			return nil, "", fail("SCIM requests", err)
		}
		for i, it := range page.Items {
			var r directory.ScimRequest
			if err := decode(it, &r); err != nil {
				return nil, "", err
			}
			if s.db.expired(it) || keep != nil && !keep(&r) {
				continue
			}
			if list = append(list, r); len(list) < limit {
				continue
			}
			if page.Next != "" || i < len(page.Items)-1 {
				next = it.Sort
			}
			return list, next, nil
		}
		if page.Next == "" || len(page.Items) == 0 {
			return list, "", nil
		}
		q.After = page.Items[len(page.Items)-1].Sort
		if looked += len(page.Items); keep == nil || looked >= mostLooked {
			return list, q.After, nil
		}
	}
}

// ScimClientsOf are the clients that have pushed a user or a group and are still there.
func (s *ScimClients) ScimClientsOf(ctx context.Context, of directory.MemberRef) ([]directory.ScimClient, error) {
	var keys []table.Key
	for it, err := range s.db.list(ctx, table.Query{Partition: documentsOf(of)}) {
		if err != nil {
			return nil, fail("SCIM clients of "+of.ID, err)
		}
		keys = append(keys, scimClientKey(directory.ScimClientID(it.Sort)))
	}
	if len(keys) == 0 {
		return nil, nil
	}
	items, err := s.db.table.GetMany(ctx, keys)
	if err != nil {
		return nil, fail("SCIM clients of "+of.ID, err)
	}
	var list []directory.ScimClient
	for _, it := range items {
		c, err := decodeScimClient(it)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b directory.ScimClient) int { return cmp.Compare(a.ID, b.ID) })
	return list, nil
}

func scimMarksAt(c directory.ScimClientID, question string) string {
	sum := sha256.Sum256([]byte(question))
	return "SM#" + string(c) + "#" + hex.EncodeToString(sum[:8])
}

// SaveScimMark notes for a while where a listing stands when it comes to an index, for a
// client that pages by numbers.
func (s *ScimClients) SaveScimMark(ctx context.Context, c directory.ScimClientID, question string, m directory.ScimMark, life time.Duration) error {
	item := table.Item{
		Key:     table.Key{Partition: scimMarksAt(c, question), Sort: fmt.Sprintf("%010d", m.Index)},
		Strings: map[string]string{"cursor": m.Cursor}, Numbers: map[string]int64{"total": int64(m.Total)}, Expires: s.db.now().Add(life),
	}
	return fail("mark of a listing", s.db.table.Write(ctx, table.Write{Put: &item}))
}

// ScimMark finds the mark nearest below an index, or at it; the zero one says that there is
// none.
func (s *ScimClients) ScimMark(ctx context.Context, c directory.ScimClientID, question string, index int) (directory.ScimMark, error) {
	q := table.Query{Partition: scimMarksAt(c, question), After: fmt.Sprintf("%010d", index+1), Limit: 1, Backward: true}
	page, err := s.db.table.Query(ctx, q)
	if err != nil {
		return directory.ScimMark{}, fail("mark of a listing", err)
	}
	if len(page.Items) == 0 || s.db.expired(page.Items[0]) {
		return directory.ScimMark{}, nil
	}
	it := page.Items[0]
	var n int
	if _, err := fmt.Sscanf(it.Sort, "%d", &n); err != nil {
		return directory.ScimMark{}, fmt.Errorf("%w: %s/%s", ErrRecord, it.Partition, cmp.Or(it.Sort, "?"))
	}
	return directory.ScimMark{Index: n, Cursor: it.Strings["cursor"], Total: int(it.Numbers["total"])}, nil
}
