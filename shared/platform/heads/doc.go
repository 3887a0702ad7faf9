// Package heads keeps the heads of the activity's chains where whoever can
// write to the table cannot. A chain that was cut off, rewound or made anew in the
// table does not have the links that were kept.
//
//	aws.go     S3      a bucket with Object Lock
//	local.go   Folder  a laptop: files that are only ever added
//	memory.go  Memory  tests
//	name.go            a head is its name, so that a listing tells all of it
//
// A head is kept once and never changed. What of it counts, chain, number and
// hash, is in its name.
//
// # Contract
//
// Keep of a head that is kept already does nothing. Keep of another head of the
// same chain and number fails with directory.ErrConflict; which of the two stays
// is the first one, and of two at the same moment both may: Kept then lists both,
// which no chain can satisfy. Any other error leaves it open whether the head is
// kept; Keep may be repeated. After a crash a head is kept whole or not at all.
// Kept is in the order of the numbers. All may be called at once by many. The
// suite headstest holds every driver to this.
package heads

import (
	"context"

	"bindery/shared/directory"
)

// Keeper is what each driver does.
type Keeper interface {
	// Keep keeps a head; directory.ErrConflict.
	Keep(ctx context.Context, h directory.ChainHead) error
	// Chains lists the chains of which heads are kept, sorted.
	Chains(ctx context.Context) ([]string, error)
	// Kept lists heads of a chain from the one after a number on, at most limit.
	Kept(ctx context.Context, chain string, after int64, limit int) ([]directory.ChainHead, error)
}
