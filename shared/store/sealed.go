package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Sealer seals what history is made of in the moment in which it is written,
// by whoever knows that it is true. Whoever can write to the table cannot make
// such a seal (package signer has the sessions that make them cheap).
type Sealer interface {
	// Seal makes a seal of a message.
	Seal(ctx context.Context, message []byte) (string, error)
	// Sealed reports whether a seal is ours and of the message. An error means
	// that this could not be found out.
	Sealed(ctx context.Context, message []byte, seal string) (bool, error)
}

// SealState is what a record's seal says of it.
type SealState string

// The states of a seal.
const (
	SealGood   SealState = ""         // ours, and the record is as it was written
	SealNone   SealState = "unsealed" // none: written before there were seals, or not by us
	SealBroken SealState = "broken"   // the record or its seal is not what was written
)

// Worse is the worse of two states: a record without a seal may be an old one,
// a broken seal never is.
func (a SealState) Worse(b SealState) SealState {
	switch {
	case a == SealBroken || b == SealBroken:
		return SealBroken
	case a == SealNone || b == SealNone:
		return SealNone
	}
	return SealGood
}

// What is sealed. The word is part of what the seal is of, so that a seal of
// one kind of record is none of another.
const (
	sealsRun      = "run"      // what a run is and who asked for it: strBirth
	sealsApproval = "approval" // what an admin let go of it: strApproval
	sealsChunk    = "chunk"    // what a run planned
	sealsResults  = "results"  // what became of it
	sealsAct      = "act"      // what an admin did
	sealsMark     = "mark"     // that a run has ended, or got late results
	sealsHead     = "head"     // where a chain ends
	sealsTold     = "told"     // which head others have heard of: strToldSeal
	sealsJob      = "job"      // what a job is to do and who asked for it: strBirth
	sealsInput    = "input"    // a part of what a job is to do
	sealsState    = "state"    // who asked for an authorisation
)

// The names of seals in an item.
const (
	strSeal     = "seal"
	strBirth    = "sealBirth"
	strApproval = "sealApproval"
	strToldSeal = "sealTold"
)

// kindOf says as what an item is sealed when it is put: those that are never
// edited afterwards, and jobs. What else is edited has seals of its own, of the
// parts that must not be.
func kindOf(k table.Key) string {
	family, _, _ := strings.Cut(k.Partition, "#")
	name, rest, _ := strings.Cut(k.Sort, "#")
	switch {
	case family == "R" && name == "c" && strings.Contains(rest, "#"):
		return sealsResults
	case family == "R" && name == "c":
		return sealsChunk
	case family == "ACTS":
		return sealsAct
	case k.Partition == unlinkedAt:
		return sealsMark
	case family == "J" && k.Sort == "job":
		return sealsJob
	case family == "J" && name == "in":
		return sealsInput
	case family == "S" && k.Sort == "state":
		return sealsState
	}
	return ""
}

// sealing is a table that seals what history is made of on its way: in one
// place, so that no writer can forget it.
type sealing struct {
	Table
	store *Store
}

func (t sealing) Write(ctx context.Context, writes ...table.Write) error {
	if t.store.Sealer == nil {
		return t.Table.Write(ctx, writes...)
	}
	writes = slices.Clone(writes)
	for i, w := range writes {
		if w.Put == nil || kindOf(w.Put.Key) == "" {
			continue
		}
		name, message := strSeal, itemMessage(w.Put)
		if kindOf(w.Put.Key) == sealsJob { // of a job, which is edited, what it is from its first moment on
			var j JobRecord
			if err := decode(*w.Put, &j); err != nil {
				return err
			}
			name, message = strBirth, jobBirth(&j, w.Put.Expires)
		}
		seal, err := t.store.seal(ctx, message)
		if err != nil {
			return err
		}
		it := *w.Put
		it.Strings = maps.Clone(it.Strings)
		if it.Strings == nil {
			it.Strings = map[string]string{}
		}
		it.Strings[name] = seal
		writes[i].Put = &it
	}
	return t.Table.Write(ctx, writes...)
}

// sealed is what a seal is of: the kind of a record, its place, when it
// expires, and what it says. The place keeps a record from being copied to
// another one, the expiry from being made to age before its time.
func sealed(kind string, key table.Key, expires time.Time, parts ...string) []byte {
	n := int64(0)
	if !expires.IsZero() {
		n = expires.Unix()
	}
	return encode(append([]string{kind, key.Partition, key.Sort, itoa(n)}, parts...))
}

// itemMessage is what the seal of an item that is never edited is of: all of it.
func itemMessage(it *table.Item) []byte {
	parts := []string{sumOf(it.Body), it.Index1.Partition, it.Index1.Sort, it.Index2.Partition, it.Index2.Sort}
	for _, name := range slices.Sorted(maps.Keys(it.Numbers)) {
		parts = append(parts, name, itoa(it.Numbers[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(it.Strings)) {
		if name != strSeal {
			parts = append(parts, name, it.Strings[name])
		}
	}
	return sealed(kindOf(it.Key), it.Key, it.Expires, parts...)
}

// sumOf stands for a body in what is sealed.
func sumOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// seal makes a seal; "" in a store without a Sealer.
func (s *Store) seal(ctx context.Context, message []byte) (string, error) {
	if s.Sealer == nil {
		return "", nil
	}
	seal, err := s.Sealer.Seal(ctx, message)
	if err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	return seal, nil
}

// stateOf says what a seal says of a message. A store without a Sealer knows of
// nothing wrong.
func (s *Store) stateOf(ctx context.Context, message []byte, seal string) (SealState, error) {
	switch {
	case s.Sealer == nil:
		return SealGood, nil
	case seal == "":
		return SealNone, nil
	}
	ours, err := s.Sealer.Sealed(ctx, message, seal)
	if err != nil {
		return SealBroken, fmt.Errorf("check a seal: %w", err)
	}
	if !ours {
		return SealBroken, nil
	}
	return SealGood, nil
}

func (s *Store) itemState(ctx context.Context, it *table.Item) (SealState, error) {
	return s.stateOf(ctx, itemMessage(it), it.Strings[strSeal])
}

// birth is what a run is from its first moment on, with all that whoever asked for
// it has named: what comes of it is said to be theirs.
func birth(r *directory.Run, expires time.Time) []byte {
	users := make([]string, len(r.UserIDs))
	for i, id := range r.UserIDs {
		users[i] = string(id)
	}
	return sealed(sealsRun, runKey(r.ID), expires, string(r.ConnectionID), itoa(r.Epoch), string(r.Kind), fmt.Sprint(r.DryRun),
		string(r.UndoOf), string(r.Trigger), r.AskedBy, itoa(millis(r.StartedAt)),
		fmt.Sprint(r.Full, r.Resumes), strings.Join(users, ","), strings.Join(r.Properties, ","))
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

// RunState says whether a run is as we began it, and approved by whom and as
// it says. The record must be one that the store has read.
func (s *Store) RunState(ctx context.Context, r *RunRecord) (SealState, error) {
	state, err := s.stateOf(ctx, birth(&r.Run, r.seals.expires), r.seals.birth)
	if err != nil || r.ApprovedBy == "" && r.Approval == nil && r.seals.approval == "" {
		return state, err
	}
	var chosen []byte
	if r.Approval != nil && r.Approval.Chosen > 0 {
		note, err := s.Table.Get(ctx, noteKey(r.ID, NoteApproved))
		if err := fail("approved changes", ignoreAbsent(err)); err != nil {
			return state, err
		}
		chosen = note.Body
	}
	approved, err := s.stateOf(ctx, approval(r, chosen), r.seals.approval)
	return state.Worse(approved), err
}

// jobBirth is what a job is from its first moment on, and what it is to do. The
// parts of a large input bear seals of their own.
func jobBirth(j *JobRecord, expires time.Time) []byte {
	return sealed(sealsJob, jobKey(j.ID), expires, string(j.ConnectionID), string(j.Kind), j.AskedBy, itoa(millis(j.Created)),
		sumOf(j.Input), itoa(int64(j.Inputs)))
}
