package audit

import (
	"context"
	"io"
	"maps"
	"slices"
)

// KeptHeads reads the heads that are kept of the chains of an export: those that
// it must have, and the last of each chain that goes on behind its end. Either the
// export is older than that link, or the chain was cut off.
func KeptHeads(ctx context.Context, keep Keeper, links io.Reader) (known, behind []KnownHead, err error) {
	chains, err := readLinks(links)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(chains)) {
		list := chains[name]
		end := list[len(list)-1].Seq
		var last *KnownHead
		for after := list[0].Seq - 1; ; {
			kept, err := keep.Kept(ctx, name, after, keptInStep)
			if err != nil {
				return nil, nil, err
			}
			for _, h := range kept {
				if k := (KnownHead{h.Chain, h.Seq, h.Hash}); h.Seq <= end {
					known = append(known, k)
				} else {
					last = &k
				}
			}
			if len(kept) < keptInStep {
				break
			}
			after = kept[len(kept)-1].Seq
		}
		if last != nil {
			behind = append(behind, *last)
		}
	}
	return known, behind, nil
}
