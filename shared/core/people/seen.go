package people

import (
	"context"
	"encoding/binary"
	"hash/fnv"
	"slices"
	"strings"

	"bindery/shared/directory"
)

// seenAccounts are the accounts that an import has dealt with, by hashes of their
// IDs: a list that begins anew, or that turns in a circle, has them again. The zero
// value has read nothing.
type seenAccounts struct{ hashes map[uint64]struct{} }

// load reads those of the first pages of a job, once.
func (s *seenAccounts) load(ctx context.Context, st pageStore, id directory.JobID, pages int) error {
	if s.hashes != nil {
		return nil
	}
	hashes := map[uint64]struct{}{}
	for data, err := range st.Pages(ctx, id, pages) {
		if err != nil {
			return err
		}
		for ; len(data) >= 8; data = data[8:] {
			hashes[binary.LittleEndian.Uint64(data)] = struct{}{}
		}
	}
	s.hashes = hashes
	return nil
}

// add adds the accounts of a page that is dealt with.
func (s *seenAccounts) add(ids []string) {
	for _, id := range ids {
		s.hashes[hashOf(id)] = struct{}{}
	}
}

// leaveOut leaves the accounts out that were dealt with, and those that a page has
// twice.
func (s *seenAccounts) leaveOut(accounts []directory.Account) []directory.Account {
	here := map[directory.AccountID]bool{}
	return slices.DeleteFunc(accounts, func(a directory.Account) bool {
		_, before := s.hashes[hashOf(string(a.ID))]
		twice := before || here[a.ID]
		here[a.ID] = true
		return twice
	})
}

// encodeIDs keeps eight bytes of each ID: among 100,000 accounts two are taken for
// one with a chance of 1 in 10^9.
func encodeIDs(ids []string) []byte {
	data := make([]byte, 0, 8*len(ids))
	for _, id := range ids {
		data = binary.LittleEndian.AppendUint64(data, hashOf(id))
	}
	return data
}

func hashOf(id string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(strings.ToLower(id)))
	return h.Sum64()
}
