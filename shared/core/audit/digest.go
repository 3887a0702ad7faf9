package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"bindery/shared/directory"
)

// leafOf is the digest of one entry.
func leafOf(e *Entry) directory.ChainLeaf { return leafOfLine(e.ID, e.line()) }

func leafOfLine(id string, line []byte) directory.ChainLeaf {
	sum := sha256.Sum256(line)
	return directory.ChainLeaf{ID: id, Sum: hex.EncodeToString(sum[:])}
}

// compareLeaves is the order that digests are made in.
func compareLeaves(a, b directory.ChainLeaf) int {
	if c := strings.Compare(a.ID, b.ID); c != 0 {
		return c
	}
	return strings.Compare(a.Sum, b.Sum)
}

// digestOf is the digest of sorted leaves: SHA-256 of a line "ID SUM" for each.
func digestOf(leaves []directory.ChainLeaf) string {
	h := sha256.New()
	for _, l := range leaves {
		fmt.Fprintf(h, "%s %s\n", l.ID, l.Sum)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// statementBytes is what a link's hash and seal are made of.
func statementBytes(st *directory.ChainStatement) []byte {
	data, err := json.Marshal(st)
	if err != nil {
		panic("activity: " + err.Error()) // texts, numbers and times always marshal
	}
	return data
}

func hashOf(st *directory.ChainStatement) string {
	sum := sha256.Sum256(statementBytes(st))
	return hex.EncodeToString(sum[:])
}

// hourSubject names an hour since 1970 in a link.
func hourSubject(hour int64) string { return time.Unix(hour*3600, 0).UTC().Format("2006-01-02T15Z") }

func subjectHour(subject string) (int64, bool) {
	t, err := time.Parse("2006-01-02T15Z", subject)
	return t.Unix() / 3600, err == nil
}
