package entra

import (
	"slices"
	"strings"

	"bindery/shared/directory"
)

// does is what a cause asks for.
type does int

const (
	stop      does = iota // was not applied, and the same request will not be
	again                 // was not applied; try again
	throttled             // was not applied; wait and try again
	inDoubt               // a write may have taken effect
	restart               // the link is dead: read from the start
)

// cause is one entry of the catalogue: how a problem is told from Microsoft's
// answer, and what it asks for. What it says to people stands in directory's
// registry of problems, whose sentences may have {property}, {value}, {length},
// {sku} and {address} in them here.
type cause struct {
	code  string
	does  does
	held  bool   // another object has what was asked for
	one   bool   // it is about one property: the others of the request are not to blame
	signs []sign // one of them suffices
}

// sign is what an error must show; all that is given must hold. Lists are
// separated by | and in lower case. Codes are the best sign; Microsoft changes
// its texts and warns of that. Words are looked for outside of quoted values, and
// without a code only when no detail names the rule that a value breaks.
type sign struct {
	status   []int  // a single digit stands for its hundred
	code     string // of the error, a detail or an inner error
	target   string // of the detail with the code, or of the error
	words    string
	on       []act
	holder   directory.HolderKind // of the object that is named
	touches  string               // the beginning of a property that the request writes
	spares   string               // properties of which the request writes none
	scope    directory.ThrottleScope
	asks     string // in WWW-Authenticate
	waits    bool   // has a Retry-After
	foreign  bool   // the body is not of Graph
	property bool   // a detail or the error names a property
}

// causes are tried in order. What concerns the whole service comes first, since
// its statuses vary; within a table, the particular stands before the general.
var causes = slices.Concat(causesOfService, causesOfAccess, causesOfGroups, causesOfMembers, causesOfConflict, causesOfMastery, causesOfLicences, causesOfData, causesOfRights, causesOfObjects, causesOfFaults)

// shows reports whether an error has a sign.
func (f *failure) shows(s sign) bool {
	switch {
	case len(s.status) > 0 && !slices.ContainsFunc(s.status, func(n int) bool { return n == f.status || n < 10 && n == f.status/100 }),
		(s.code != "" || s.target != "") && !f.names(s.code, s.target),
		s.words != "" && (!containsAny(f.words, s.words) || s.code == "" && f.telling),
		len(s.on) > 0 && !slices.Contains(s.on, f.asked.act),
		s.touches != "" && !f.writes(s.touches),
		s.spares != "" && (len(f.asked.properties) == 0 || f.writes(s.spares)),
		s.scope != "" && s.scope != f.scope,
		s.asks != "" && !containsAny(f.challenge, s.asks),
		s.waits && !f.waits,
		s.foreign && !f.foreign,
		s.property && f.target == "" && !slices.ContainsFunc(f.details, func(d detail) bool { return d.Target != "" }):
		return false
	}
	if s.holder != "" {
		_, kind := f.holder()
		return kind == s.holder
	}
	return true
}

// names reports whether the error or one of its details has the code, and, when a
// target is given, that detail's own target: the target of another detail says
// nothing.
func (f *failure) names(code, target string) bool {
	is := func(c string) bool {
		return code == "" || slices.Contains(strings.Split(code, "|"), strings.ToLower(c))
	}
	if target == "" {
		return slices.ContainsFunc(f.codes, is)
	}
	on := func(t string) bool {
		t = strings.ToLower(t)
		return slices.Contains(strings.Split(target, "|"), t[strings.LastIndexByte(t, '/')+1:])
	}
	return is(f.code) && on(f.target) || slices.ContainsFunc(f.details, func(d detail) bool { return is(d.Code) && on(d.Target) })
}

// writes reports whether the request writes a property that begins with one of
// the names.
func (f *failure) writes(list string) bool {
	for name := range f.asked.properties {
		for part := range strings.SplitSeq(list, "|") {
			if strings.HasPrefix(strings.ToLower(name), part) {
				return true
			}
		}
	}
	return false
}

func containsAny(text, list string) bool {
	for part := range strings.SplitSeq(list, "|") {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}
