package directory

import (
	"context"
	"errors"
	"slices"
	"time"
)

// ofOneAccount, ofRelations and ofConnection are the causes of a 403 that leave no doubt
// about whether it concerns one account or the connection. Those of ofRelations name what
// may not be done, with groups or with licences, and both of what it may come of.
var (
	ofOneAccount = []string{CodeAccountProtected, CodeTargetProtected, CodeAccountForbidden, CodePremiumLicenseMissing}
	ofRelations  = []string{CodeGroupForbidden, CodeGroupLicenseForbidden, CodeLicenseForbidden}
	ofConnection = []string{CodeTenantNotFound, CodeTenantDisabled, CodeAppDisabled, CodeAppRemoved, CodeThrottledForGood}
)

// Statuses of HTTP that Microsoft says more with than that a request failed.
const (
	forbidden       = 403
	tooManyRequests = 429
)

// InDoubt reports whether a problem may concern one account or the connection as a
// whole: Microsoft says with the same 403 that an admin has lost a role and that
// one account must not be changed.
func (p *Problem) InDoubt() bool {
	return p != nil && p.MicrosoftStatus == forbidden &&
		(p.Kind == ProblemTenant || p.Kind == ProblemAuthorization) &&
		!slices.Contains(slices.Concat(ofOneAccount, ofRelations, ofConnection), p.Code)
}

// ConcernsAll reports whether an answer speaks of more than one account: of a
// quota, a wait that Microsoft asks for, or of what the connection may do.
func (f *Found) ConcernsAll() bool {
	switch {
	case f.Problem == nil:
		return f.Retry
	case f.Problem.Kind == ProblemAuthorization && !f.Problem.InDoubt():
		return true
	}
	return f.Retry && (f.RetryAfter > 0 || f.Problem.MicrosoftStatus == tooManyRequests)
}

// Err is the error of a read without an answer; nil when there is one, were it
// that nobody was found.
func (f *Found) Err() error {
	switch {
	case f.Retry && f.ConcernsAll():
		return &ThrottledError{RetryAfter: max(f.RetryAfter, time.Second), Scope: f.Scope}
	case f.Retry:
		return errors.Join(ErrUnavailable, f.Problem)
	case f.Problem != nil:
		return f.Problem
	}
	return nil
}

// Transient reports whether an error is one that waiting mends.
func Transient(err error) bool {
	return errors.Is(err, ErrUnavailable) || errors.Is(err, ErrBusy) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrNotSent)
}

// PagingLoop returns the problem of a reading that turned in a circle, if an error
// is one.
func PagingLoop(err error) (*Problem, bool) {
	p, ok := errors.AsType[*Problem](err)
	return p, ok && p.Code == CodePagingLoop
}
