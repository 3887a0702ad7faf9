package directory

import "slices"

// ProblemType is what the code of a problem says by itself: a row of the registry.
type ProblemType struct {
	Code string
	// Kind says what mends it, of problems that are always of one kind.
	Kind ProblemKind
	// Means is the cause, a sentence; parts in braces are filled in by whoever
	// finds the problem. Where a problem is met, more may be known than its code
	// says: then it is told in words of its own.
	Means string
	// Also is what else the code is used for.
	Also string
	Next string // what to do, a sentence; "" when it depends
	// Steps are the calls of Bindery's API that Next may come to.
	Steps []Step
}

// problemTypes is the registry of problems, in parts: each code of codes.go once.
// It is no variable, so that a function that tells of no problem does not carry it.
func problemTypes() [][]ProblemType {
	return [][]ProblemType{graphProblems, groupProblems, exportProblems, signInProblems, pageProblems, bindingProblems, runProblems, undoProblems, requestProblems, fileProblems, findings}
}

// ProblemTypeOf returns the row of a code; that of a code that nobody knows has
// the code alone.
func ProblemTypeOf(code string) ProblemType {
	for _, part := range problemTypes() {
		for i := range part {
			if part[i].Code == code {
				return part[i]
			}
		}
	}
	return ProblemType{Code: code}
}

// ProblemTypes returns the registry, in order.
func ProblemTypes() []ProblemType { return slices.Concat(problemTypes()...) }
