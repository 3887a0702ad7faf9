package store

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Runs are the runs of connections: their records, notes, plans in chunks, and the
// journals of what was done.
type Runs struct{ db *db }

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
	// Kinds are those of the objects of its changes, but accounts: a version that
	// does not know one of them leaves the run to a newer one.
	Kinds []directory.Kind
	// Approval is what an admin let go of the run, while it has been held.
	Approval *Approval
	// Cursor is the engine's own place in the run.
	Cursor json.RawMessage
	// Version is 0 of a run that has not been stored yet.
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
	Before  int                `json:"before,omitempty"` // how many had been written, or had failed, before
}

// runBody keeps what directory.Run hides from its readers.
type runBody struct {
	Run         directory.Run    `json:"run"`
	Epoch       int64            `json:"epoch"`
	Chunks      int              `json:"chunks"`
	Cursor      json.RawMessage  `json:"cursor,omitempty"`
	PlanRefused int              `json:"planRefused,omitempty"`
	Urgent      bool             `json:"urgent,omitempty"`
	Remapped    bool             `json:"remapped,omitempty"`
	Kinds       []directory.Kind `json:"kinds,omitempty"`
	Approval    *Approval        `json:"approval,omitempty"`
}

const (
	numAttempts = "attempts"
	numDone     = "appliedChanges"
	numFailed   = "failedChanges"
	numRefused  = "refusedChanges"
)

func (r *RunRecord) body() []byte {
	return encode(runBody{Run: r.Run, Epoch: r.Epoch, Chunks: r.Chunks, Cursor: r.Cursor, PlanRefused: r.PlanRefused, Urgent: r.Urgent,
		Remapped: r.Remapped, Kinds: r.Kinds, Approval: r.Approval})
}

func decodeRun(it table.Item) (RunRecord, error) {
	var b runBody
	if err := decode(it, &b); err != nil {
		return RunRecord{}, err
	}
	r := RunRecord{Run: b.Run, Chunks: b.Chunks, Cursor: b.Cursor, Version: it.Version, Attempts: int(it.Numbers[numAttempts]), PlanRefused: b.PlanRefused, Urgent: b.Urgent,
		Remapped: b.Remapped, Kinds: b.Kinds, Approval: b.Approval}
	r.Epoch, r.seals = b.Epoch, sealsOf(&it)
	r.Applied, r.Failed, r.Refused = int(it.Numbers[numDone]), int(it.Numbers[numFailed]), int(it.Numbers[numRefused])+b.PlanRefused
	return r, nil
}

// CreateRun stores a new run and puts it on the connection's list of open
// runs, which the engine works off in the order of IDs. It marks the lease as wanted:
// who has it, or looks whether there is anything to do, lists the runs again.
func (s *Runs) CreateRun(ctx context.Context, act directory.AuditEvent, r *RunRecord) error {
	item, err := s.newRun(ctx, r)
	if err != nil {
		return fail("create run", err)
	}
	writes := []table.Write{{Put: item, If: table.Condition{Absent: true}}, {Put: &table.Item{Key: openRunKey(r.ConnectionID, r.ID)}}}
	writes = append(append(writes, wanted(r.ConnectionID)), s.db.record(act, runSubject(&r.Run))...)
	if err := s.db.table.Write(ctx, writes...); err != nil {
		return fail("create run", err)
	}
	r.Version, r.seals = 1, sealsOf(item)
	return nil
}

// newRun is the item of a run that is not stored yet. Who asked for the run is
// sealed here, by whoever was asked: all that say "by" later take it from the record.
func (s *Runs) newRun(ctx context.Context, r *RunRecord) (*table.Item, error) {
	item := &table.Item{
		Key: runKey(r.ID), Index1: table.Key{Partition: runsPartition(r.ConnectionID), Sort: string(r.ID)},
		Version: 1, Numbers: map[string]int64{numAttempts: int64(r.Attempts), numDone: 0, numFailed: 0, numRefused: 0},
		Body: r.body(), Expires: s.db.expiry(),
	}
	seal, err := s.db.seal(ctx, birth(&r.Run, item.Expires))
	if seal != "" {
		item.Strings = map[string]string{strBirth: seal}
	}
	return item, err
}

// Run reads a run. ErrNotFound.
func (s *Runs) Run(ctx context.Context, id directory.RunID) (RunRecord, error) {
	it, err := s.db.table.Get(ctx, runKey(id))
	if err != nil {
		return RunRecord{}, fail("run "+string(id), err)
	}
	return decodeRun(it)
}

// ListRuns lists a connection's runs, newest first.
func (s *Runs) ListRuns(ctx context.Context, c directory.ConnectionID, cursor string, limit int) ([]RunRecord, string, error) {
	page, err := s.db.table.Query(ctx, table.Query{Index: 1, Partition: runsPartition(c), Cursor: cursor, Limit: limit, Backward: true})
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
func (s *Runs) RunListed(ctx context.Context, id directory.RunID) (bool, error) {
	it, err := s.db.table.Get(ctx, runKey(id))
	if err != nil {
		return false, fail("run "+string(id), err)
	}
	r, err := decodeRun(it)
	return it.Index1 == table.Key{Partition: runsPartition(r.ConnectionID), Sort: string(id)}, err
}

// OpenRuns returns the IDs of a connection's runs that have not ended, oldest
// first, strongly consistent: all of them, since whoever sees a part takes the
// others for not there. The record of one that was held for longer than records
// are kept may be gone.
func (s *Runs) OpenRuns(ctx context.Context, c directory.ConnectionID) ([]directory.RunID, error) {
	return s.db.allOpenRuns(ctx, c)
}

// openRuns are those that stand in the list of open runs.
func (d *db) openRuns(ctx context.Context, c directory.ConnectionID) ([]directory.RunID, error) {
	var ids []directory.RunID
	for it, err := range d.list(ctx, table.Query{Partition: "C#" + string(c), Prefix: "open#"}) {
		if err != nil {
			return nil, fail("open runs", err)
		}
		ids = append(ids, directory.RunID(strings.TrimPrefix(it.Sort, "open#")))
	}
	return ids, nil
}

// RunsByID reads runs by their IDs, strongly consistent; those that are not there
// are left out.
func (s *Runs) RunsByID(ctx context.Context, ids []directory.RunID) (map[directory.RunID]RunRecord, error) {
	return s.db.runs(ctx, ids)
}

func (d *db) runs(ctx context.Context, ids []directory.RunID) (map[directory.RunID]RunRecord, error) {
	keys := make([]table.Key, len(ids))
	for i, id := range ids {
		keys[i] = runKey(id)
	}
	found := make(map[directory.RunID]RunRecord, len(ids))
	for it, err := range d.each(ctx, keys) {
		if err != nil {
			return nil, fail("runs", err)
		}
		r, err := decodeRun(it)
		if err != nil {
			return nil, err
		}
		found[r.ID] = r
	}
	return found, nil
}

// SaveRun stores a run at the version read, while the lease is ours; at version 0
// it is a new one. A run that has not ended stands in the list of open runs, and an
// ended one leaves it, in the same transaction, in which the notes are written as
// well. ErrLeaseLost, or ErrStale when somebody else changed the run.
func (s *Runs) SaveRun(ctx context.Context, l *Lease, r *RunRecord, notes ...Note) error {
	return s.saveRun(ctx, directory.AuditEvent{}, l, (*Lease).past, r, noteWrites(r.ID, notes, s.db.expiry())...)
}

// SubmitRun is SaveRun for what was decided by the connection's settings: it is stored
// while these are as they were when the lease was taken. ErrConnectionChanged when they
// are not; whoever takes the lease next decides anew.
func (s *Runs) SubmitRun(ctx context.Context, l *Lease, r *RunRecord, notes ...Note) error {
	return s.saveRun(ctx, directory.AuditEvent{}, l, (*Lease).pastUnchanged, r, noteWrites(r.ID, notes, s.db.expiry())...)
}

// DecideRun is SaveRun for what an admin decides, whoever has the lease.
func (s *Runs) DecideRun(ctx context.Context, act directory.AuditEvent, r *RunRecord, notes ...Note) error {
	return s.saveRun(ctx, act, nil, nil, r, noteWrites(r.ID, notes, s.db.expiry())...)
}

// saveRun stores a run while a lease, if there is one, is as holds says.
func (s *Runs) saveRun(ctx context.Context, act directory.AuditEvent, l *Lease, holds func(*Lease, directory.RunID) table.Write, r *RunRecord, extra ...table.Write) error {
	var writes []table.Write
	if l != nil {
		writes = append(writes, holds(l, r.ID))
	}
	at := len(writes)
	own, saved, err := s.runWrites(ctx, l, r, extra)
	if err != nil {
		return fail("save run", err)
	}
	writes = append(writes, own...)
	writes = append(writes, s.db.record(act, runSubject(&r.Run))...)
	err = s.db.table.Write(ctx, append(writes, extra...)...)
	if f, ok := failed(err); ok {
		if as, lost := f[0]; lost && l != nil {
			if l.isCurrent(as) {
				return ErrConnectionChanged
			}
			return fmt.Errorf("save run: %w", directory.ErrLeaseLost)
		}
		if _, moved := f[at]; moved {
			return fmt.Errorf("save run: %w", directory.ErrStale)
		}
		if l != nil { // what is written with the run is there already: somebody else has the lease
			return fmt.Errorf("save run: %w", directory.ErrLeaseLost)
		}
		return err
	}
	if err != nil {
		return fail("save run", err)
	}
	saved()
	if l != nil {
		l.notePast(r.ID)
	}
	return nil
}

// runWrites are the run itself, the first of them, with its place in the list of
// open runs, if it does not stand on the lease l (or nil), and the mark that it is to be
// linked. saved is to be called when they have been made.
func (s *Runs) runWrites(ctx context.Context, l *Lease, r *RunRecord, extra []table.Write) (writes []table.Write, saved func(), err error) {
	if r.Version == 0 {
		item, err := s.newRun(ctx, r)
		if err != nil {
			return nil, nil, err
		}
		writes = []table.Write{{Put: item, If: table.Condition{Absent: true}}}
		if !r.State.Ended() {
			writes = append(writes, table.Write{Put: &table.Item{Key: openRunKey(r.ConnectionID, r.ID)}})
		} else if !r.DryRun {
			writes = append(writes, pendingLinkWrite(&r.Run, BecauseEnded, s.db.now()))
		}
		return writes, func() { r.Version, r.seals = 1, sealsOf(item) }, nil
	}
	update := table.Update{Key: runKey(r.ID), AddVersion: 1, SetBody: r.body(), SetNumbers: map[string]int64{numAttempts: int64(r.Attempts)}}
	decision, err := s.decision(ctx, r, extra)
	if err != nil {
		return nil, nil, err
	}
	if decision != "" {
		update.SetStrings = map[string]string{strApproval: decision}
	}
	writes = []table.Write{{Update: &update, If: table.When(table.VersionIs(r.Version))}}
	key, onLease := openRunKey(r.ConnectionID, r.ID), l != nil && l.Run == r.ID
	if onLease && !r.State.Ended() {
		writes = append(writes, table.Write{Put: &table.Item{Key: key}})
	}
	if r.State.Ended() {
		if !onLease {
			writes = append(writes, table.Write{Delete: &key})
		}
		if !r.DryRun {
			writes = append(writes, pendingLinkWrite(&r.Run, BecauseEnded, s.db.now()))
		}
	}
	return writes, func() {
		r.Version++
		r.Decided = false
		if decision != "" {
			r.seals.approval = decision
		}
	}, nil
}

// decision seals what an admin decides about a run, with the note that names the
// changes which it is about.
func (s *Runs) decision(ctx context.Context, r *RunRecord, extra []table.Write) (string, error) {
	if !r.Decided {
		return "", nil
	}
	var chosen []byte
	for _, w := range extra {
		if w.Put != nil && w.Put.Key == noteKey(r.ID, NoteApproved) {
			chosen = w.Put.Body
		}
	}
	return s.db.seal(ctx, approval(r, chosen))
}

// RunState says whether a run is as we began it, and approved by whom and as
// it says. The record must be one that the store has read.
func (s *Runs) RunState(ctx context.Context, r *RunRecord) (SealState, error) {
	state, err := s.db.sealState(ctx, birth(&r.Run, r.seals.expires), r.seals.birth)
	if err != nil || r.ApprovedBy == "" && r.Approval == nil && r.seals.approval == "" {
		return state, err
	}
	var chosen []byte
	if r.Approval != nil && r.Approval.Chosen > 0 {
		note, _, err := s.db.find(ctx, noteKey(r.ID, NoteApproved))
		if err != nil {
			return state, fail("approved changes", err)
		}
		chosen = note.Body
	}
	approved, err := s.db.sealState(ctx, approval(r, chosen), r.seals.approval)
	return state.Worse(approved), err
}

// seenLife is how long the set of accounts that a full reconcile has seen is kept.
const seenLife = 14 * 24 * time.Hour

// SaveSeen stores a part of the set of accounts that a full reconcile has
// seen; Seen reads all of them.
func (s *Runs) SaveSeen(ctx context.Context, id directory.RunID, n int, data []byte) error {
	err := s.db.table.Write(ctx, table.Write{Put: &table.Item{Key: seenKey(id, n), Body: data, Expires: s.db.now().Add(seenLife)}})
	return fail("save seen", err)
}

// Seen are the stored parts, in order.
func (s *Runs) Seen(ctx context.Context, id directory.RunID) iter.Seq2[[]byte, error] {
	return s.db.bodies(ctx, "seen", table.Query{Partition: runKey(id).Partition, Prefix: "seen#"})
}

// birth is what a run is from its first moment on, with all that whoever asked for
// it has named: what comes of it is said to be theirs.
func birth(r *directory.Run, expires time.Time) []byte {
	users := make([]string, len(r.UserIDs))
	for i, id := range r.UserIDs {
		users[i] = string(id)
	}
	parts := []string{string(r.ConnectionID), itoa(r.Epoch), string(r.Kind), fmt.Sprint(r.DryRun),
		string(r.UndoOf), string(r.Trigger), r.AskedBy, itoa(millis(r.StartedAt)),
		fmt.Sprint(r.Full, r.Resumes), strings.Join(users, ","), strings.Join(r.Properties, ",")}
	for _, ref := range r.Objects { // a run without any is sealed as it was before there were any
		parts = append(parts, ref.String())
	}
	return sealed(sealsRun, runKey(r.ID), expires, parts...)
}

// approval is what an admin decided of a run. chosen is the note that names the
// changes, if there is one.
func approval(r *RunRecord, chosen []byte) []byte {
	return sealed(sealsApproval, runKey(r.ID), time.Time{}, r.ApprovedBy, itoa(millis(r.ApprovedAt)), string(encode(r.Approval)), sumOf(chosen))
}

// runSeals are a run's seals as they were read, with the item's expiry.
type runSeals struct {
	birth, approval string
	expires         time.Time
}

func sealsOf(it *table.Item) runSeals {
	return runSeals{it.Strings[strBirth], it.Strings[strApproval], table.Seconds(it.Expires)}
}
