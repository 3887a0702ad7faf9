package reconcile

import (
	"context"
	"maps"
	"slices"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// nameHolders finds out who has the addresses that Microsoft refused because somebody
// has them: one search for the batch. What it cannot find out stays unsaid.
func (b *accountBatch) nameHolders(ctx context.Context, all []directory.Change, results map[int]store.Result) {
	contested := map[int]string{}
	var addresses []string
	for _, i := range slices.Sorted(maps.Keys(results)) {
		r := results[i]
		if r.State != directory.ChangeFailed || r.Error == nil || r.Error.Kind != directory.ProblemConflict {
			continue
		}
		if address := contestedAddress(&all[i], r.Error.Code); address != "" {
			contested[i] = address
			addresses = append(addresses, address)
		}
	}
	if len(addresses) == 0 {
		return
	}
	rctx, cancel := b.s.request(ctx)
	defer cancel()
	// What was written is not journalled yet, and leavers wait: not for long.
	rctx, stop := context.WithTimeout(rctx, askTime)
	defer stop()
	holders, err := b.a.tenant.Holders(rctx, addresses)
	if err != nil {
		b.s.log.Info("who has a contested address was not found out", "connectionId", b.s.conn.ID, "runId", b.w.Run.ID, "error", err)
		return
	}
	for i, address := range contested {
		mine := directory.Holders{LeftOut: holders.LeftOut}
		for _, h := range holders.Found {
			if directory.FoldAddress(h.Address) == directory.FoldAddress(address) {
				mine.Found = append(mine.Found, h)
			}
		}
		r := results[i]
		p := *r.Error
		p.AddHolders(mine, all[i].AccountID)
		r.Error = &p
		results[i] = r
	}
}

// contestedAddress is the address that a change asks for, or that its account has.
func contestedAddress(c *directory.Change, code string) string {
	after := c.After()
	for _, name := range []string{directory.PropUserPrincipalName, "mail"} {
		if v, in := after[name]; in {
			return v.String()
		}
	}
	// A restore brings back old addresses, and an update of anything may meet a
	// conflict that was there before.
	if c.Effect == directory.EffectRestore || code == directory.CodeAddressTakenBefore {
		return c.UserPrincipalName
	}
	return ""
}

// aftermath says what a failure makes of a binding: its status, and when it is
// tried again; 0 means that only an edit or an admin can help.
func aftermath(p *directory.Problem, attempts int) (directory.BindingStatus, time.Duration) {
	switch p.Kind {
	case directory.ProblemConflict:
		return directory.BindingConflict, backoff(attempts)
	case directory.ProblemData:
		return directory.BindingRefused, 0
	case directory.ProblemReadOnly:
		return directory.BindingReadOnly, backoff(attempts)
	case directory.ProblemTenant, directory.ProblemDefect:
		// Somebody has to act, at Microsoft or on Bindery: no use in haste.
		return directory.BindingFailed, max(time.Hour, backoff(attempts))
	}
	switch p.Code {
	case directory.CodeAccountBound, directory.CodeUserPrincipalNameTaken:
		return directory.BindingConflict, backoff(attempts)
	case directory.CodeAccountProtected:
		return directory.BindingReadOnly, backoff(attempts)
	}
	return directory.BindingFailed, backoff(attempts)
}
