package audit

import (
	"context"
	"log/slog"

	"bindery/shared/core/incident"
	"bindery/shared/directory"
)

// verifyStep is one step of a verification.
type verifyStep struct {
	verifier   *Verifier
	req        *VerifyRequest
	at         *verifyPlace
	found      []Difference
	counts     map[string]int
	sealedForm *sealedForm // how the sealed form began, once it was read
	// linked remembers which runs and hours have a link, within the step.
	linked map[string]bool
}

// do goes on where the verification stands. At its beginning the chains are listed.
func (x *verifyStep) do(ctx context.Context, first bool) error {
	if first {
		if err := x.listChains(ctx); err != nil {
			return err
		}
	}
	if x.at.At == len(x.at.Chains) {
		if x.at.Walked {
			return nil
		}
		return x.verifyListing(ctx)
	}
	c := &x.at.Chains[x.at.At]
	if err := x.verifyChain(ctx, c); err != nil {
		return err
	}
	if c.Done {
		x.at.At++
	}
	return nil
}

func (x *verifyStep) addDifferences(list ...Difference) {
	for i, d := range list {
		x.counts[d.Code]++
		if i < maxNamedInLink {
			x.found = append(x.found, d)
		}
	}
}

func (x *verifyStep) report(chain string, seq int64, entry, code, text string) {
	x.addDifferences(Difference{Chain: chain, Seq: seq, Entry: entry, Code: code, Text: text})
}

// reportUnreadable says that a record cannot be read. Why is for the log: it names keys.
func (x *verifyStep) reportUnreadable(ctx context.Context, chain string, p directory.Problem, err error) {
	x.report(chain, 0, "", DiffChanged, incident.ProblemOf(ctx, x.verifier.Log, slog.LevelError, "a record cannot be read", err, p, "chain", chain).Sentence())
}

// countOld counts entries that are proved only since their link was made: nobody
// sealed them when they were written.
const countOld = "oldForm"

// countOldRuns counts runs from before records were sealed that have no entries,
// and so no link.
const countOldRuns = "oldRuns"
