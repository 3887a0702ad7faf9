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
	case k.Partition == pendingLinksAt:
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
	db *db
}

func (t sealing) Write(ctx context.Context, writes ...table.Write) error {
	if t.db.sealer == nil {
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
		seal, err := t.db.seal(ctx, message)
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
func (d *db) seal(ctx context.Context, message []byte) (string, error) {
	if d.sealer == nil {
		return "", nil
	}
	seal, err := d.sealer.Seal(ctx, message)
	if err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	return seal, nil
}

// sealState says what a seal says of a message. A store without a Sealer knows of
// nothing wrong.
func (d *db) sealState(ctx context.Context, message []byte, seal string) (SealState, error) {
	switch {
	case d.sealer == nil:
		return SealGood, nil
	case seal == "":
		return SealNone, nil
	}
	ours, err := d.sealer.Sealed(ctx, message, seal)
	if err != nil {
		return SealBroken, fmt.Errorf("check a seal: %w", err)
	}
	if !ours {
		return SealBroken, nil
	}
	return SealGood, nil
}

// itemState says whether an item that is never edited is as it was written.
func (d *db) itemState(ctx context.Context, it *table.Item) (SealState, error) {
	return d.sealState(ctx, itemMessage(it), it.Strings[strSeal])
}
