package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"bindery/shared/directory"
)

// Phase says when an effect's turn is: 0 takes access away, 1 concerns
// accounts that are there, 2 makes new ones.
func Phase(e directory.Effect) int {
	switch e {
	case directory.EffectBlock, directory.EffectRevoke, directory.EffectDelete:
		return 0
	case directory.EffectCreate:
		return 2
	}
	return 1
}

// Order sorts changes by phase, then by user; a user's changes keep their order.
func Order(changes []directory.Change) {
	slices.SortStableFunc(changes, func(a, b directory.Change) int {
		return cmp.Or(cmp.Compare(Phase(a.Effect), Phase(b.Effect)), cmp.Compare(a.UserID, b.UserID))
	})
}

// Text is a change in one line, for people.
func Text(c directory.Change) string {
	who := c.UserPrincipalName
	if who == "" {
		who = string(c.UserID)
	}
	line := fmt.Sprintf("%-8s %s: %s", c.Effect, who, c.Reason)
	for _, p := range c.Properties {
		if p.Irreversible != "" {
			line += " [" + p.Irreversible + "]"
		}
	}
	if c.Irreversible != "" && c.Effect != directory.EffectCreate {
		line += " [" + c.Irreversible + "]"
	}
	if c.Effect != directory.EffectCreate {
		return line
	}
	values := make([]string, 0, len(c.Properties))
	for _, p := range c.Properties {
		values = append(values, p.Name+" "+quoted(p.After))
	}
	if len(values) == 0 {
		return line
	}
	return line + ", with " + strings.Join(values, ", ")
}
