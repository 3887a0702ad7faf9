// Package incident says what people are shown of an error, and where the rest of it is.
//
// An error that nobody foresaw has a text for whoever runs Bindery: it names ARNs,
// account ids, hosts, keys of the table. Admins of connections, readers of notices
// and the browser of somebody who signs in are others. So that text goes into the
// log and nowhere else, and both sides get the ID of one incident: whoever is told
// of it can ask, and whoever is asked can find it.
package incident

import (
	"context"
	"errors"
	"log/slog"

	"bindery/shared/directory"
)

// Explained is an error that has a problem for people, though it is none itself.
type Explained interface {
	error
	Explain() *directory.Problem
}

// ProblemOf is what people are shown of an error. What Microsoft or the core said on
// purpose (a *Problem, an Explained, a *Refusal) is that. Of all else nothing is
// shown but otherwise, with the ID of an incident.
//
// Either way one line is logged, with the error in full and the incident's ID where
// there is one. A nil log is silent.
func ProblemOf(ctx context.Context, log *slog.Logger, level slog.Level, line string, err error, otherwise directory.Problem, attrs ...any) *directory.Problem {
	p := known(err)
	if p == nil {
		otherwise.Incident = directory.NewIncident()
		p = &otherwise
		attrs = append(attrs, "incident", p.Incident)
	}
	if log != nil {
		//nolint:sloglint // the line is a constant of each caller
		log.Log(ctx, level, line, append(attrs, "code", p.Code, "error", err)...)
	}
	return p
}

func known(err error) *directory.Problem {
	if p, ok := errors.AsType[*directory.Problem](err); ok {
		return p
	}
	if e, ok := errors.AsType[Explained](err); ok {
		return e.Explain()
	}
	if r, ok := errors.AsType[*directory.Refusal](err); ok {
		return &directory.Problem{Code: r.Code, Message: r.Detail, Next: r.Next}
	}
	return nil
}

// Unread is a sentence for people about what could not be read, as ProblemOf makes it.
func Unread(ctx context.Context, log *slog.Logger, what string, err error, attrs ...any) string {
	p := ProblemOf(ctx, log, slog.LevelWarn, what+" could not be read", err, directory.Problem{Code: directory.CodeNotRead, Message: "It could not be read for a reason of Bindery's own."}, attrs...)
	return p.Sentence()
}
