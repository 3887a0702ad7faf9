package reconcile

import (
	"context"
	"maps"
	"slices"

	"bindery/shared/directory"
)

// Microsoft says with the same 403 that an admin has lost a role and that one
// account must not be changed. What it says about one account is that account's
// matter; it is a cause about the connection only when another account was refused
// as well, and none has been changed meanwhile. Each kind of objects is looked at by
// itself: other rights may be needed for it.

// ofAccount is what a problem in doubt is when it concerns one account.
func ofAccount(p *directory.Problem) *directory.Problem {
	if !p.InDoubt() {
		return p
	}
	q := *p
	q.Code, q.Kind = directory.CodeAccountForbidden, directory.ProblemTenant
	q.Message = "Microsoft does not allow this for this one account."
	q.Next = "Look in Entra at what guards the account, such as an administrative unit or a policy, and change it by hand or release the user. It is tried again by itself, ever more seldom."
	q.Steps = []directory.Step{{Text: "Try again.", Call: "POST /v1/connections/{connectionId}/bindings/{userId}/retry"},
		{Text: "Release the user.", Call: "DELETE /v1/connections/{connectionId}/bindings/{userId}"}}
	return &q
}

// noteWell notes that Microsoft has made changes of the batch.
func (b *batch) noteWell() {
	b.f.worked = b.f.worked || len(b.results) > 0
	if !slices.ContainsFunc(b.send, func(i int) bool { return b.results[i].State == directory.ChangeApplied }) {
		return
	}
	b.f.wrote = true
	kind := b.k.changes[b.send[0]].Ref().Kind
	delete(b.a.forbidden, kind)
	if kind == directory.KindAccount {
		b.s.lease.Pace.Wrote = b.s.now().UTC()
	}
}

// doubtful are the batch's refusals of which it is not clear whether they concern
// the connection.
func (b *batch) doubtful() []int {
	var list []int
	for _, i := range slices.Sorted(maps.Keys(b.results)) {
		if r := b.results[i]; r.State == directory.ChangeFailed && r.Error.InDoubt() {
			list = append(list, i)
		}
	}
	return list
}

// attributeRefusals decides of the batch's refusals that are in doubt whether they
// concern the connection, once all answers of the flight are there. Those that do
// and that only an authorisation mends stay open, and the authorisation is lost; the
// others are told as found.
func (b *batch) attributeRefusals(ctx context.Context) {
	doubtful := b.doubtful()
	if len(doubtful) == 0 {
		return
	}
	all := !b.f.wrote
	if all {
		kind := b.k.changes[doubtful[0]].Ref().Kind
		if b.a.forbidden[kind] == nil {
			b.a.forbidden[kind] = map[directory.Ref]bool{}
		}
		for _, i := range doubtful {
			b.a.forbidden[kind][b.k.changes[i].Ref()] = true
		}
		if len(b.a.forbidden[kind]) < 2 {
			all = b.othersForbidden(ctx, b.k.changes[doubtful[0]].Ref(), b.results[doubtful[0]].Error.Code)
		}
	}
	for _, i := range doubtful {
		r := b.results[i]
		switch {
		case !all:
			r.Error = ofAccount(r.Error)
			b.results[i] = r
		case r.Error.Kind == directory.ProblemAuthorization:
			b.lost = r.Error
			delete(b.results, i)
		}
	}
}

// othersForbidden reports whether another account than one has been refused
// since Microsoft last changed one for us, by a slice before this one. What is not
// known shows nothing: when objects of other kinds were last changed is not kept.
func (b *batch) othersForbidden(ctx context.Context, but directory.Ref, code string) bool {
	if but.Kind != directory.KindAccount {
		return false
	}
	for _, code := range []string{directory.CodeAccountForbidden, code} {
		list, _, err := b.a.bindings.ListProblems(ctx, b.s.conn.ID, b.s.lease.Epoch, code, "", 20)
		if err != nil {
			b.s.log.Warn("whether others were refused as well was not found out", "connectionId", b.s.conn.ID, "error", err)
			return false
		}
		for i := range list {
			other := list[i].Ref()
			if other.Kind == but.Kind && other != but && list[i].Problem.Since.After(b.s.lease.Pace.Wrote) {
				return true
			}
		}
	}
	return false
}
