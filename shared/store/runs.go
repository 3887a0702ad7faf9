package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// ChunkSize is how many changes a chunk of a run's plan holds at most; a chunk
// is cut earlier when its JSON comes near MaxChunkBytes.
const (
	ChunkSize     = 500
	MaxChunkBytes = 340 << 10
)

// RunRecord is a run with what the engine needs to go on with it.
type RunRecord struct {
	directory.Run
	// Chunks is how many chunks of changes have been recorded.
	Chunks int
	// Attempts counts slices since the last durable progress.
	Attempts int
	// PlanRefused counts users for whom planning found that nothing can be
	// written; it is part of Refused.
	PlanRefused int
	// Urgent runs take somebody's access away; they come before all others.
	Urgent bool
	// Remapped says that the plan is the first since the settings changed.
	Remapped bool
	// Approval is what an admin let go of the run, while it has been held.
	Approval *Approval
	// Cursor is the engine's own place in the run.
	Cursor  json.RawMessage
	Version int64
	// Decided says that an admin decides in the very write that stores the run:
	// only then is an approval sealed. Whoever merely saves a run that says that
	// it was approved does not know that it is true.
	Decided bool
	seals   runSeals
}

// Approval is what an admin decided about a held run. With Chosen, the note
// NoteApproved has the places of the approved changes.
type Approval struct {
	All     bool               `json:"all,omitempty"`
	Effects []directory.Effect `json:"effects,omitempty"`
	Chosen  int                `json:"chosen,omitempty"` // how many changes were named
}

// Note is a record that stands beside a run, written together with it.
type Note struct {
	Name string
	Body any
}

// The names of notes; those with a # are followed by a number.
const (
	NoteApproved = "approved" // map[int][]int: indexes of approved changes by chunk
	NoteParts    = "parts"    // counts by department and domain
	NoteLeft     = "left#"    // what an undo leaves as it is
)

// Left names the note with what an undo leaves of the n-th chunk of the run
// that it undoes.
func Left(n int) string { return fmt.Sprintf("%s%06d", NoteLeft, n) }

func (s *Store) noteWrites(id directory.RunID, notes []Note) []table.Write {
	writes := make([]table.Write, len(notes))
	for i, n := range notes {
		writes[i].Put = &table.Item{Key: noteKey(id, n.Name), Body: encode(n.Body), Expires: s.Now().Add(s.retention())}
	}
	return writes
}

// Note reads a note of a run into v. ErrNotFound.
func (s *Store) Note(ctx context.Context, id directory.RunID, name string, v any) error {
	it, err := s.Table.Get(ctx, noteKey(id, name))
	if err != nil {
		return fail("note "+name+" of run "+string(id), err)
	}
	return decode(it, v)
}

// Notes calls each with the notes of a run whose names begin with a prefix and
// come after a name, in order, until each returns false.
func (s *Store) Notes(ctx context.Context, id directory.RunID, prefix, after string, each func(name string, body []byte) bool) error {
	cursor := ""
	for {
		page, err := s.Table.Query(ctx, table.Query{Partition: "R#" + string(id), Prefix: "n#" + prefix, Cursor: cursor})
		if err != nil {
			return fail("notes", err)
		}
		for _, it := range page.Items {
			name := strings.TrimPrefix(it.Sort, "n#")
			if name > after && !each(name, it.Body) {
				return nil
			}
		}
		if cursor = page.Next; cursor == "" {
			return nil
		}
	}
}

// runBody keeps what directory.Run hides from its readers.
type runBody struct {
	Run         directory.Run   `json:"run"`
	Epoch       int64           `json:"epoch"`
	Chunks      int             `json:"chunks"`
	Cursor      json.RawMessage `json:"cursor,omitempty"`
	PlanRefused int             `json:"planRefused,omitempty"`
	Urgent      bool            `json:"urgent,omitempty"`
	Remapped    bool            `json:"remapped,omitempty"`
	Approval    *Approval       `json:"approval,omitempty"`
}

const (
	numAttempts = "attempts"
	numDone     = "appliedChanges"
	numFailed   = "failedChanges"
	numRefused  = "refusedChanges"
)

func (r *RunRecord) body() []byte {
	return encode(runBody{Run: r.Run, Epoch: r.Epoch, Chunks: r.Chunks, Cursor: r.Cursor, PlanRefused: r.PlanRefused, Urgent: r.Urgent,
		Remapped: r.Remapped, Approval: r.Approval})
}

func decodeRun(it table.Item) (RunRecord, error) {
	var b runBody
	if err := decode(it, &b); err != nil {
		return RunRecord{}, err
	}
	r := RunRecord{Run: b.Run, Chunks: b.Chunks, Cursor: b.Cursor, Version: it.Version, Attempts: int(it.Numbers[numAttempts]), PlanRefused: b.PlanRefused, Urgent: b.Urgent,
		Remapped: b.Remapped, Approval: b.Approval}
	r.Epoch, r.seals = b.Epoch, sealsOf(&it)
	r.Applied, r.Failed, r.Refused = int(it.Numbers[numDone]), int(it.Numbers[numFailed]), int(it.Numbers[numRefused])+b.PlanRefused
	return r, nil
}

// CreateRun stores a new run and puts it on the connection's list of open
// runs, which the engine works off in the order of IDs.
func (s *Store) CreateRun(ctx context.Context, r *RunRecord) error {
	r.Version = 1
	item := table.Item{
		Key: runKey(r.ID), Index1: table.Key{Partition: "RUNS#" + string(r.ConnectionID), Sort: string(r.ID)},
		Version: 1, Numbers: map[string]int64{numAttempts: int64(r.Attempts), numDone: 0, numFailed: 0, numRefused: 0},
		Body: r.body(), Expires: s.Now().Add(s.retention()),
	}
	// Who asked for the run is sealed here, by whoever was asked: all that say
	// "by" later take it from the record.
	seal, err := s.seal(ctx, birth(&r.Run, item.Expires))
	if err != nil {
		return fail("create run", err)
	}
	if seal != "" {
		item.Strings = map[string]string{strBirth: seal}
	}
	writes := []table.Write{{Put: &item, If: table.Condition{Absent: true}}, {Put: &table.Item{Key: openRunKey(r.ConnectionID, r.ID)}}}
	if err = s.Table.Write(ctx, append(writes, s.actWrites(ctx, "run", runSubject(&r.Run))...)...); err == nil {
		r.seals = sealsOf(&item)
	}
	return fail("create run", err)
}

// Run reads a run. ErrNotFound.
func (s *Store) Run(ctx context.Context, id directory.RunID) (RunRecord, error) {
	it, err := s.Table.Get(ctx, runKey(id))
	if err != nil {
		return RunRecord{}, fail("run "+string(id), err)
	}
	return decodeRun(it)
}

// Runs lists a connection's runs, newest first.
func (s *Store) Runs(ctx context.Context, c directory.ConnectionID, cursor string, limit int) ([]RunRecord, string, error) {
	page, err := s.Table.Query(ctx, table.Query{Index: 1, Partition: "RUNS#" + string(c), Cursor: cursor, Limit: limit, Backward: true})
	if err != nil {
		return nil, "", fail("runs", err)
	}
	list := make([]RunRecord, 0, len(page.Items))
	for _, it := range page.Items {
		r, err := decodeRun(it)
		if err != nil {
			return nil, "", err
		}
		list = append(list, r)
	}
	return list, page.Next, nil
}

// RunListed reports whether a run stands in the list of its connection's runs.
func (s *Store) RunListed(ctx context.Context, id directory.RunID) (bool, error) {
	it, err := s.Table.Get(ctx, runKey(id))
	if err != nil {
		return false, fail("run "+string(id), err)
	}
	r, err := decodeRun(it)
	return it.Index1 == table.Key{Partition: "RUNS#" + string(r.ConnectionID), Sort: string(id)}, err
}

// OpenRuns returns the IDs of a connection's runs that have not ended, oldest
// first, strongly consistent: all of them, since whoever sees a part takes the
// others for not there. The record of one that was held for longer than records
// are kept may be gone.
func (s *Store) OpenRuns(ctx context.Context, c directory.ConnectionID) ([]directory.RunID, error) {
	var ids []directory.RunID
	for cursor := ""; ; {
		page, err := s.Table.Query(ctx, table.Query{Partition: "C#" + string(c), Prefix: "open#", Cursor: cursor})
		if err != nil {
			return nil, fail("open runs", err)
		}
		for _, it := range page.Items {
			ids = append(ids, directory.RunID(strings.TrimPrefix(it.Sort, "open#")))
		}
		if cursor = page.Next; cursor == "" {
			return ids, nil
		}
	}
}

// RunsOf reads runs by their IDs, strongly consistent; those that are not there
// are left out.
func (s *Store) RunsOf(ctx context.Context, ids []directory.RunID) (map[directory.RunID]RunRecord, error) {
	found := make(map[directory.RunID]RunRecord, len(ids))
	for part := range slices.Chunk(ids, table.MaxGet) {
		keys := make([]table.Key, len(part))
		for i, id := range part {
			keys[i] = runKey(id)
		}
		items, err := s.Table.GetMany(ctx, keys)
		if err != nil {
			return nil, fail("runs", err)
		}
		for _, it := range items {
			r, err := decodeRun(it)
			if err != nil {
				return nil, err
			}
			found[r.ID] = r
		}
	}
	return found, nil
}

// CloseRun takes a run whose record has expired off the list of open runs.
func (s *Store) CloseRun(ctx context.Context, c directory.ConnectionID, id directory.RunID) error {
	key := openRunKey(c, id)
	return fail("close run", s.Table.Write(ctx, table.Write{Delete: &key}))
}

// SaveRun stores a run at the version read. With a lease, only while it is
// ours. An ended run leaves the list of open runs in the same transaction, in
// which the notes are written as well.
// ErrLeaseLost, or ErrStale when somebody else changed the run.
func (s *Store) SaveRun(ctx context.Context, l *Lease, r *RunRecord, notes ...Note) error {
	return s.saveRun(ctx, l, r, s.noteWrites(r.ID, notes)...)
}

func (s *Store) saveRun(ctx context.Context, l *Lease, r *RunRecord, extra ...table.Write) error {
	var writes []table.Write
	if l != nil {
		writes = append(writes, l.check())
	}
	at := len(writes)
	update := table.Update{Key: runKey(r.ID), AddVersion: 1, SetBody: r.body(), SetNumbers: map[string]int64{numAttempts: int64(r.Attempts)}}
	decision, err := s.decision(ctx, r, extra)
	if err != nil {
		return fail("save run", err)
	}
	if decision != "" {
		update.SetStrings = map[string]string{strApproval: decision}
	}
	writes = append(writes, table.Write{Update: &update, If: table.When(table.VersionIs(r.Version))})
	if r.State.Ended() {
		key := openRunKey(r.ConnectionID, r.ID)
		writes = append(writes, table.Write{Delete: &key})
		if !r.DryRun {
			writes = append(writes, s.unlinkedWrite(&r.Run, BecauseEnded))
		}
	}
	writes = append(writes, s.actWrites(ctx, "run", runSubject(&r.Run))...)
	err = s.Table.Write(ctx, append(writes, extra...)...)
	if f, ok := failed(err); ok {
		if _, moved := f[at]; moved {
			if l != nil {
				if _, lost := f[0]; lost {
					return fmt.Errorf("save run: %w", directory.ErrLeaseLost)
				}
			}
			return fmt.Errorf("save run: %w", directory.ErrStale)
		}
		if l != nil {
			return fmt.Errorf("save run: %w", directory.ErrLeaseLost)
		}
		return err
	}
	if err == nil {
		r.Version++
		if decision != "" {
			r.seals.approval = decision
		}
		r.Decided = false
	}
	return fail("save run", err)
}

// decision seals what an admin decides about a run, with the note that names the
// changes which it is about.
func (s *Store) decision(ctx context.Context, r *RunRecord, extra []table.Write) (string, error) {
	if !r.Decided {
		return "", nil
	}
	var chosen []byte
	for _, w := range extra {
		if w.Put != nil && w.Put.Key == noteKey(r.ID, NoteApproved) {
			chosen = w.Put.Body
		}
	}
	return s.seal(ctx, approval(r, chosen))
}

// AppendChunk records the next chunk of a run's changes together with the run
// itself (its counts and cursor). It gives the changes their IDs.
func (s *Store) AppendChunk(ctx context.Context, l *Lease, r *RunRecord, changes []directory.Change, notes ...Note) error {
	for i := range changes {
		changes[i].ID = directory.ChangeID(fmt.Sprintf("%s.%d.%d", r.ID, r.Chunks, i))
		if changes[i].State == "" {
			changes[i].State = directory.ChangePlanned
		}
	}
	item := table.Item{Key: chunkKey(r.ID, r.Chunks), Body: encode(changes), Expires: s.Now().Add(s.retention())}
	r.Chunks++
	writes := append(s.noteWrites(r.ID, notes), table.Write{Put: &item, If: table.Condition{Absent: true}})
	err := s.saveRun(ctx, l, r, writes...)
	if err != nil {
		r.Chunks--
	}
	return err
}

// Place returns the chunk and the index in it of a change.
func Place(id directory.ChangeID) (run directory.RunID, chunk, index int, ok bool) {
	parts := strings.Split(string(id), ".")
	if len(parts) != 3 {
		return "", 0, 0, false
	}
	chunk, err1 := strconv.Atoi(parts[1])
	index, err2 := strconv.Atoi(parts[2])
	return directory.RunID(parts[0]), chunk, index, err1 == nil && err2 == nil
}

// Result is what became of one change.
type Result struct {
	Index     int                   `json:"i"` // in its chunk
	State     directory.ChangeState `json:"state"`
	AccountID directory.AccountID   `json:"accountId,omitempty"`
	Error     *directory.Problem    `json:"error,omitempty"`
	RequestID string                `json:"requestId,omitempty"`
	At        time.Time             `json:"at"`
}

// Chunk returns one chunk of a run's changes with what became of them, and the
// number of results items that it has. ErrNotFound.
func (s *Store) Chunk(ctx context.Context, id directory.RunID, chunk int) ([]directory.Change, int, error) {
	changes, results, _, err := s.chunk(ctx, id, chunk, func(*table.Item) (SealState, error) { return SealGood, nil })
	return changes, results, err
}

// SealedChunk is Chunk for whoever carries the plan out: it says as well
// whether the plan is as it was recorded.
func (s *Store) SealedChunk(ctx context.Context, id directory.RunID, chunk int) ([]directory.Change, int, SealState, error) {
	return s.chunk(ctx, id, chunk, func(it *table.Item) (SealState, error) { return s.itemState(ctx, it) })
}

func (s *Store) chunk(ctx context.Context, id directory.RunID, chunk int, look func(*table.Item) (SealState, error)) ([]directory.Change, int, SealState, error) {
	var changes []directory.Change
	var state SealState
	results, cursor := 0, ""
	for {
		page, err := s.Table.Query(ctx, table.Query{Partition: "R#" + string(id), Prefix: chunkKey(id, chunk).Sort, Cursor: cursor})
		if err != nil {
			return nil, 0, state, fail("chunk", err)
		}
		for i := range page.Items {
			it := page.Items[i]
			if it.Sort == chunkKey(id, chunk).Sort {
				if state, err = look(&it); err != nil {
					return nil, 0, state, fail("chunk", err)
				}
				if err := decode(it, &changes); err != nil {
					return nil, 0, state, err
				}
				continue
			}
			var list []Result
			if err := decode(it, &list); err != nil {
				return nil, 0, state, err
			}
			results++
			for _, r := range list {
				if r.Index < len(changes) {
					c := &changes[r.Index]
					c.State, c.Error, c.RequestID, c.At = r.State, r.Error, r.RequestID, r.At
					if r.AccountID != "" {
						c.AccountID = r.AccountID
					}
				}
			}
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if changes == nil {
		return nil, 0, state, fail("chunk", table.ErrNotFound)
	}
	return changes, results, state, nil
}

// Changes returns one page of a run's changes in their order. limit counts
// changes; the cursor is opaque.
func (s *Store) Changes(ctx context.Context, r *RunRecord, cursor string, limit int) ([]directory.Change, string, error) {
	chunk, index := 0, 0
	if cursor != "" {
		if n, err := fmt.Sscanf(cursor, "%d.%d", &chunk, &index); n != 2 || err != nil || chunk < 0 || index < 0 {
			return nil, "", badCursor()
		}
	}
	var list []directory.Change
	for ; chunk < r.Chunks; chunk, index = chunk+1, 0 {
		changes, _, err := s.Chunk(ctx, r.ID, chunk)
		if err != nil {
			return nil, "", err
		}
		for ; index < len(changes); index++ {
			if len(list) == limit {
				return list, fmt.Sprintf("%d.%d", chunk, index), nil
			}
			list = append(list, changes[index])
		}
	}
	return list, "", nil
}

// BindingChange edits one binding in a Journal. Mutate is given the binding as
// stored and may be called again when the binding moved meanwhile; false
// leaves it alone. Returning true with Applied raised to the version that
// was dealt with clears the mark, unless a newer version is wanted.
type BindingChange struct {
	UserID directory.UserID
	Mutate func(*directory.Binding) bool
	// Claim is set when the binding gets its account: the account is claimed
	// in the same transaction.
	Claim directory.AccountID
	// Create makes the binding anew if the user has none: the undo of a release.
	// The user must be at the version that it wants.
	Create *directory.Binding
	// Remove lets the binding go, with its claim on the account.
	Remove bool
	// Later, when not 0, has the binding looked at again after that time; an
	// edit that came meanwhile keeps its mark, and its urgency.
	Later time.Duration
	// Urgent keeps the urgency of a mark that Later moves.
	Urgent bool
}

// Journal is what one batch did.
type Journal struct {
	Run      *RunRecord
	Chunk    int
	Seq      int // of the results item; one that is there already is not written again
	Results  []Result
	Bindings []BindingChange
	// Counts has the number of changes applied in the form of plan.Counter; that
	// of a run that nobody approved is remembered for the guard.
	Counts map[string]int64
	// Users are those whom the results concern, and Tally is the number of results
	// by state and effect ("applied/update"): for what is reported of them.
	Users []directory.UserID
	Tally map[string]int
	// Keep stores the run itself as well (its cursor); without it only the
	// counters move.
	Keep bool
}

// Journal writes the results of a batch, the bindings that they change and the
// run's counters in one transaction, while the lease is ours. *directory.Claimed when an
// account is bound to somebody else. ErrLeaseLost when the epoch or the fence
// has passed; ErrStale when this results item was written before.
func (s *Store) Journal(ctx context.Context, l *Lease, c *directory.Connection, j Journal) error {
	for attempt := 0; ; attempt++ {
		err := s.journal(ctx, l, c, j)
		if !errors.Is(err, errBindingMoved) || attempt == 20 {
			return err
		}
	}
}

func (s *Store) journal(ctx context.Context, l *Lease, c *directory.Connection, j Journal) error {
	keys := make([]table.Key, 0, len(j.Bindings))
	for _, b := range j.Bindings {
		keys = append(keys, bindingKey(b.UserID))
		if b.Claim != "" {
			keys = append(keys, accountClaimKey(c.Tenant.ID, b.Claim))
		}
	}
	items := map[table.Key]table.Item{}
	if len(keys) > 0 {
		list, err := s.Table.GetMany(ctx, keys)
		if err != nil {
			return fail("journal", err)
		}
		for _, it := range list {
			items[it.Key] = it
		}
	}
	writes := []table.Write{l.check()}
	runAt := -1
	resultsAt := -1
	if j.Run != nil {
		if len(j.Results) > 0 {
			resultsAt = len(writes)
			writes = append(writes, s.resultsWrites(&j)...)
		}
		runAt = len(writes)
		writes = append(writes, s.countWrite(j))
	}
	counts := map[string]int64{}
	if j.Run != nil && j.Run.ApprovedBy == "" {
		maps.Copy(counts, j.Counts)
	}
	first, gained, accounts, to := len(writes), int64(0), int64(0), arrivals{}
	for _, bc := range j.Bindings {
		more, change, err := s.bindingWrites(ctx, l, c, items, bc, to)
		if err != nil {
			return err
		}
		if accounts += change; change > 0 {
			counts[numAccounts] += change // approved or not: what is new raises no allowance yet
		}
		if bc.Remove && removes(more) {
			gained--
		}
		if _, there := items[bindingKey(bc.UserID)]; bc.Create != nil && !there {
			gained++
		}
		writes = append(writes, more...)
	}
	if gained != 0 || accounts != 0 {
		writes = append(writes, addBound(l.ConnectionID, l.Epoch, gained, accounts))
	}
	if len(counts) > 0 {
		writes = append(writes, s.hourWrite(l.ConnectionID, j.Chunk, counts))
	}
	for id, a := range to {
		writes = append(writes, checkTarget(&a.conn), addBound(id, a.conn.Epoch, a.n, 0))
	}
	writes, err := s.withHints(ctx, writes, &j)
	if err != nil {
		return err
	}
	err = s.Table.Write(ctx, writes...)
	f, refused := failed(err)
	if !refused {
		if err == nil && j.Run != nil {
			j.Run.Attempts = 0
			if j.Keep {
				j.Run.Version++
			}
		}
		return fail("journal", err)
	}
	if _, lost := f[0]; lost {
		return fmt.Errorf("journal: %w", directory.ErrLeaseLost)
	}
	if _, done := f[resultsAt]; done && resultsAt > 0 {
		return fmt.Errorf("journal: results are there: %w", directory.ErrStale)
	}
	if _, moved := f[runAt]; moved && runAt > 0 {
		return fmt.Errorf("journal: run: %w", directory.ErrStale)
	}
	for i := range f {
		if i >= first {
			return errBindingMoved
		}
	}
	return err
}

func (s *Store) countWrite(j Journal) table.Write {
	add := map[string]int64{}
	for _, r := range j.Results {
		switch r.State {
		case directory.ChangeApplied:
			add[numDone]++
		case directory.ChangeFailed:
			add[numFailed]++
		case directory.ChangeRefused, directory.ChangeOutdated, directory.ChangeDeclined:
			add[numRefused]++
		}
	}
	w := table.Write{Update: &table.Update{Key: runKey(j.Run.ID), AddNumbers: add, SetNumbers: map[string]int64{numAttempts: 0}}, If: table.Condition{Present: true}}
	if j.Keep {
		w.Update.AddVersion, w.Update.SetBody = 1, j.Run.body()
		w.If = table.When(table.VersionIs(j.Run.Version))
	}
	return w
}

// bindingWrites turns one BindingChange into writes on the item as read. accounts
// is what they add to the number of bindings with an account.
func (s *Store) bindingWrites(ctx context.Context, l *Lease, c *directory.Connection, items map[table.Key]table.Item, bc BindingChange, to arrivals) (writes []table.Write, accounts int64, err error) {
	it, ok := items[bindingKey(bc.UserID)]
	if !ok && bc.Create != nil {
		return s.createWrites(ctx, c, bc)
	}
	if !ok || it.Numbers[numEpoch] != l.Epoch || it.Strings[strConnection] != string(l.ConnectionID) {
		return nil, 0, nil // released meanwhile: nothing of ours to write
	}
	b, err := decodeBinding(it)
	if err != nil {
		return nil, 0, err
	}
	old := b
	if !bc.Mutate(&b) {
		return nil, 0, nil
	}
	same := table.When(table.VersionIs(it.Version), table.NumberIs(numEpoch, table.Equal, l.Epoch),
		table.NumberIs(numUserVersion, table.Equal, it.Numbers[numUserVersion]),
		table.NumberIs(numMarked, table.Equal, it.Numbers[numMarked]))
	if bc.Remove && b.MoveTo != nil {
		a, err := s.target(ctx, b.MoveTo, to)
		if err != nil {
			return nil, 0, err
		}
		if a != nil {
			a.n++
			return s.replacement(c, &old, it, it.Numbers[numUserVersion], b.MoveTo, &a.conn), -accountsOf(&old), nil
		}
		// Nobody can be bound there any more: the user stays where it is.
		b.MoveTo, b.Release, b.Status = nil, "", directory.BindingConflict
		b.Problem = &directory.Problem{Code: "move-target-gone", Kind: directory.ProblemConflict, Since: s.Now().UTC(), Attempts: 1,
			Message: "The user could not be moved: nobody can be bound through the other connection any more. The user stays bound here.",
			Next:    "Authorise that connection and move the user again, or leave it here."}
		bc.Remove, bc.Later = false, time.Second
	}
	if bc.Remove {
		key := it.Key
		writes = []table.Write{{Delete: &key, If: same}, forget(&b)}
		if b.AccountID != "" {
			claim := accountClaimKey(c.Tenant.ID, b.AccountID)
			writes = append(writes, table.Write{Delete: &claim})
			writes = append(writes, s.beforeWrite(c, c.Tenant.ID, &b)...)
		}
		return append(writes, s.troubleWrites(&old, nil)...), -accountsOf(&old), nil
	}
	s.dateAccount(&old, &b)
	b.Version++
	up := &table.Update{
		Key: it.Key, AddVersion: 1, SetBody: encode(b),
		SetNumbers: map[string]int64{numApplied: b.Applied, numDigest: b.Digest, numBlocked: 0},
		SetStrings: map[string]string{strAccount: string(b.AccountID), strStatus: string(b.Status)},
	}
	up.SetNumbers[numRecheck] = 0
	if b.Blocked {
		up.SetNumbers[numBlocked] = 1
	}
	switch {
	case bc.Later > 0 && b.Applied >= b.Wanted:
		urgent := bc.Urgent && it.Numbers[numUrgent] != 0
		key, at := s.markKey(l.ConnectionID, l.Epoch, b.UserID, urgent, s.Now().Add(bc.Later))
		up.SetIndex2 = &key
		up.SetNumbers[numMarked], up.SetNumbers[numUrgent], up.SetNumbers[numRecheck] = at, 0, 1
		if urgent {
			up.SetNumbers[numUrgent] = 1
		}
	case b.Dirty():
		if b.Recheck {
			up.SetNumbers[numRecheck] = 1
		}
	default:
		up.SetIndex2 = &table.Key{}
		up.SetNumbers[numMarked], up.SetNumbers[numUrgent] = 0, 0
	}
	writes = append([]table.Write{{Update: up, If: same}}, s.troubleWrites(&old, &b)...)
	if bc.Claim != "" {
		key := accountClaimKey(c.Tenant.ID, bc.Claim)
		var claim *table.Item
		if it, there := items[key]; there {
			claim = &it
		}
		w, err := s.claimOver(ctx, claim, key, "account", string(bc.Claim), c, bc.UserID)
		if err != nil {
			return nil, 0, err
		}
		writes = append(writes, w)
	}
	return writes, accountsOf(&b) - accountsOf(&old), nil
}

// removes reports whether writes take a binding away from its connection.
func removes(writes []table.Write) bool {
	return len(writes) > 0 && (writes[0].Delete != nil || writes[0].Put != nil)
}

// createWrites makes a binding that a journal brings back.
func (s *Store) createWrites(ctx context.Context, c *directory.Connection, bc BindingChange) (writes []table.Write, accounts int64, err error) {
	b := *bc.Create
	if !bc.Mutate(&b) {
		return nil, 0, nil
	}
	b.AccountSince = accountSince(b.AccountID, s.Now().UTC())
	b.TenantID, b.Version = c.TenantID(), 1
	item := bindingItem(&b)
	item.Index2, item.Numbers[numMarked] = s.markKey(b.ConnectionID, b.Epoch, b.UserID, false, s.Now())
	if b.Blocked {
		item.Numbers[numBlocked] = 1
	}
	profile := profileKey(b.UserID)
	claim, err := s.accountClaim(ctx, c, bc.Claim, b.UserID)
	return append([]table.Write{
		{Put: &item, If: table.Condition{Absent: true}},
		{Check: &profile, If: table.When(table.VersionIs(b.Wanted))}, claim,
	}, s.troubleWrites(nil, &b)...), accountsOf(&b), err
}

// JournalLate records what a batch did that was in flight when the epoch
// passed: the run's results only, since the bindings do not count any more.
func (s *Store) JournalLate(ctx context.Context, j Journal) error {
	writes := append(s.resultsWrites(&j), s.countWrite(Journal{Run: j.Run, Results: j.Results}), s.unlinkedWrite(&j.Run.Run, BecauseLate))
	if j.Run.ApprovedBy == "" && len(j.Counts) > 0 {
		writes = append(writes, s.hourWrite(j.Run.ConnectionID, j.Chunk, j.Counts))
	}
	writes, err := s.withHints(ctx, writes, &j)
	if err != nil {
		return err
	}
	err = s.Table.Write(ctx, writes...)
	if _, done := failed(err); done {
		return nil
	}
	return fail("journal late", err)
}

// SaveSeen stores a part of the set of accounts that a full reconcile has
// seen; Seen reads all of them.
func (s *Store) SaveSeen(ctx context.Context, id directory.RunID, n int, data []byte) error {
	err := s.Table.Write(ctx, table.Write{Put: &table.Item{
		Key:  table.Key{Partition: "R#" + string(id), Sort: fmt.Sprintf("seen#%06d", n)},
		Body: data, Expires: s.Now().Add(14 * 24 * time.Hour)}})
	return fail("save seen", err)
}

// Seen calls each with every stored part, in order.
func (s *Store) Seen(ctx context.Context, id directory.RunID, each func([]byte)) error {
	cursor := ""
	for {
		page, err := s.Table.Query(ctx, table.Query{Partition: "R#" + string(id), Prefix: "seen#", Cursor: cursor})
		if err != nil {
			return fail("seen", err)
		}
		for _, it := range page.Items {
			each(it.Body)
		}
		if cursor = page.Next; cursor == "" {
			return nil
		}
	}
}

// SizeOf is how much room a change takes in a chunk, in bytes.
func SizeOf(c *directory.Change) int {
	return len(encode(c)) + 64 // its ID and state come later
}
